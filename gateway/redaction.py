"""Masks whatever looks like a key, in one place. Pure: text or plain data in, the same with `***` out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

# What keys look like, by their makers' prefixes: OpenAI, Anthropic and ours; Google; Groq; xAI; Factory; Hugging Face;
# a JSON web token; our own sealed values.
SHAPES = (
    r"\bsk-(?:dg-|ant-|proj-|or-)?(?=[A-Za-z0-9_-]{8})",
    r"\bAIza(?=[A-Za-z0-9_-]{10})",
    r"\bgsk_(?=[A-Za-z0-9]{10})",
    r"\bxai-(?=[A-Za-z0-9]{10})",
    r"\bfk-(?=[A-Za-z0-9_-]{10})",
    r"\bhf_(?=[A-Za-z0-9]{10})",
    r"\beyJ(?=[A-Za-z0-9_-]{10})",
    r"\bgAAAA(?=[A-Za-z0-9_-]{20})",
)
# Repeats before a fixed word have a bound: without one a line of `x-x-x-` takes time with the square of its length.
RULES = (
    (re.compile(f"({'|'.join(SHAPES)})[A-Za-z0-9_.=-]+"), rf"\1{MASK}"),
    (re.compile(r"\b(bearer|basic)(\s+|%20|\+)(?!\*\*\*)[^\s\"',;]{4,}", re.IGNORECASE), rf"\1\2{MASK}"),
    (
        re.compile(
            r"\b((?:x-[a-z-]{0,32}api-key|api-key|api_key|apikey|authorization|proxy-authorization|password|client_secret"
            r"|refresh_token|access_token)[\"']?\s*[:=]\s*(?:b?[\"'])?)"
            r"(?!\*\*\*|bearer\b|basic\b)[^\s\"',;&}]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"([?&](?:key|token|secret|sig)=)[^&\s\"'#]+", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,32}://[^\s/:@\"']*:)[^\s/@\"']+(?=@)", re.IGNORECASE), rf"\1{MASK}"),
)
SECRET_NAMES = frozenset(
    (
        *("authorization", "proxy-authorization", "cookie", "set-cookie"),
        *("x-api-key", "x-goog-api-key", "x-factory-api-key", "api-key", "api_key", "apikey"),
        *("password", "secret", "secret_key", "client_secret", "token", "access_token", "refresh_token"),
    )
)
"""Fields whose value is masked whatever it looks like. Counts such as `input_tokens` are not among them."""


def redact_text(text: str) -> str:
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any) -> Any:
    """Texts, mappings and lists, as deep as they go; other values as they are."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return redact_text(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {name: MASK if _is_secret(name, item) else redact(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    return value if isinstance(value, int | float | bool | None) else redact_text(str(value))


def _is_secret(name: Any, value: Any) -> bool:
    return isinstance(name, str) and name.lower() in SECRET_NAMES and value not in (None, "")
