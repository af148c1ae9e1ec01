"""The plain readers by dialect: of requests, of answers, and of streams as the answer they tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.corpus import chat, gemini, messages, responses
from tests.corpus.asking import Asked
from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES
from tests.corpus.meaning import Meaning

Json = dict[str, Any]
_MODULES = {CHAT: chat, MESSAGES: messages, RESPONSES: responses, GEMINI: gemini}

ASK: dict[str, Callable[[Json], Asked]] = {name: module.read_request for name, module in _MODULES.items()}
READ: dict[str, Callable[[Json], Meaning]] = {name: module.read_answer for name, module in _MODULES.items()}
FOLD: dict[str, Callable[[bytes], Json]] = {name: module.fold for name, module in _MODULES.items()}
