"""The operator's system prompt in a caller's own Chat messages: before the caller's, once."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from proxyapp.dialects import jsonio
from proxyapp.dialects.openai_chat.tables import AUTHOR_ROLES
from proxyapp.ir import prompts

_raws = msgspec.json.Decoder(list[Raw])


class _Head(Struct):
    """As much of a message as is looked at."""

    role: Any = None
    content: Any = None


_head = msgspec.json.Decoder(_Head)
_FAULTS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def with_prompt(raw: Raw, prompt: str) -> Raw:
    """The messages with the prompt in the first system message, since many servers take only one, or in a message of
    its own where there is none. Other messages keep their bytes; what is malformed stays as it is."""
    try:
        messages = _raws.decode(raw)
        leading = list(_leading(messages))
    except _FAULTS:
        return raw
    if prompts.is_there(prompt, [text for head in leading for text in _texts(head.content)]):
        return raw
    if not leading:
        return Raw(jsonio.encode([{"role": "system", "content": prompt}, *messages]))
    content = leading[0].content
    if isinstance(content, str):
        content = prompts.joined([prompt, content]) if content else prompt
    elif isinstance(content, list):
        content = [{"type": "text", "text": prompt}, *content]
    else:
        return raw
    first = {**jsonio.decode(messages[0]), "content": content}
    return Raw(jsonio.encode([first, *messages[1:]]))


def _leading(messages: list[Raw]) -> Any:
    """The system messages that the conversation begins with."""
    for message in messages:
        head = _head.decode(message)
        if not isinstance(head.role, str) or head.role not in AUTHOR_ROLES:
            return
        yield head


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    return [text if isinstance(text, str) else "" for text in texts]
