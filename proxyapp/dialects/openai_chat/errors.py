"""Errors of this dialect, in OpenAI's common form."""

from __future__ import annotations

from proxyapp.dialects.openai.errors import Errors
from proxyapp.dialects.openai_chat.tables import NAME

ERRORS = Errors(NAME, history="messages")
