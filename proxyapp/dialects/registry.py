"""Every dialect by name. Adding one is a package and a line here."""

from __future__ import annotations

from collections.abc import Callable

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.anthropic.counting import COUNTING as MESSAGES_COUNTING
from proxyapp.dialects.contract import Counting, Dialect, Embedding
from proxyapp.dialects.coze import COZE
from proxyapp.dialects.gemini import GEMINI
from proxyapp.dialects.gemini import media as gemini_media
from proxyapp.dialects.gemini.counting import COUNTING as GEMINI_COUNTING
from proxyapp.dialects.gemini.embeddings import EMBEDDINGS as GEMINI_EMBEDDINGS
from proxyapp.dialects.openai.embeddings import EMBEDDINGS as OPENAI_EMBEDDINGS
from proxyapp.dialects.openai_chat import OPENAI_CHAT
from proxyapp.dialects.openai_chat import media as chat_media
from proxyapp.dialects.openai_responses import OPENAI_RESPONSES
from proxyapp.dialects.openai_responses import render_parts as responses_media
from proxyapp.dialects.openai_responses.counting import COUNTING as RESPONSES_COUNTING
from proxyapp.ir.parts import Part
from proxyapp.ir.profile import Profile

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (OPENAI_CHAT, OPENAI_RESPONSES, ANTHROPIC, GEMINI, COZE)
}

COUNTERS: dict[str, Counting] = {
    OPENAI_RESPONSES.name: RESPONSES_COUNTING,
    ANTHROPIC.name: MESSAGES_COUNTING,
    GEMINI.name: GEMINI_COUNTING,
}
"""The dialects that can count a prompt's tokens."""

EMBEDDERS: dict[str, Embedding] = {OPENAI_CHAT.name: OPENAI_EMBEDDINGS, GEMINI.name: GEMINI_EMBEDDINGS}
"""The dialects that have words for embeddings."""


def _unless_loaded(part: Part, profile: Profile) -> bool:
    """All media have a form with an address; not every server that copies the dialect loads them."""
    return not profile.image_urls


NEEDS_BYTES: dict[str, Callable[[Part, Profile], bool]] = {
    OPENAI_CHAT.name: chat_media.needs_bytes,
    OPENAI_RESPONSES.name: responses_media.needs_bytes,
    ANTHROPIC.name: _unless_loaded,
    GEMINI.name: gemini_media.needs_bytes,
}
"""Upstream dialects that do not load every medium from an address: does this part, which stands at one, have to be
sent with its bytes?"""
