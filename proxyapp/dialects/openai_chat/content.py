"""A message's `content` as parts: a string, or a list of typed parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects.openai.fields import as_record, record, text, wrong
from proxyapp.dialects.openai_chat import media
from proxyapp.dialects.openai_chat.tables import NAME
from proxyapp.ir.parts import Opaque, Part, Reasoning, Refusal, Text


def read_content(message: dict[str, Any], at: str) -> list[Part]:
    """The parts of `message.content`; none when it is null. Raises BadRequest."""
    content = message.get("content")
    if content is None:
        parts: list[Part] = []
    elif isinstance(content, str):
        parts = [Text(text=content)]
    elif isinstance(content, list):
        parts = [_part(item, f"{at}.content.{index}") for index, item in enumerate(content)]
    else:
        raise wrong(f"{at}.content", "a string or a list of parts")
    if parts and (point := cache_point(message, at)):
        parts[-1].cache = point
    return parts


def read_texts(message: dict[str, Any], at: str) -> list[Text]:
    """The content of a system or developer message, which may hold text only. Blank texts are left out."""
    texts = []
    for index, part in enumerate(read_content(message, at)):
        if not isinstance(part, Text):
            raise wrong(f"{at}.content.{index}", "a text part: only user messages may hold others")
        if part.text:
            texts.append(part)
    return texts


def cache_point(source: dict[str, Any], at: str) -> str | None:
    """The lifetime of a cache point on a part, a message or a tool; None = no point.

    OpenAI's `prompt_cache_breakpoint`, or the `cache_control` that gateways of the field take from Chat callers.
    """
    if spec := record(source, "prompt_cache_breakpoint", at):
        return text(spec, "ttl", f"{at}.prompt_cache_breakpoint") or "30m"
    if spec := record(source, "cache_control", at):
        return text(spec, "ttl", f"{at}.cache_control") or "5m"
    return None


def _part(item: Any, path: str) -> Part:
    if isinstance(item, str):
        return Text(text=item)
    spec = as_record(item, path)
    word = text(spec, "type", path)
    if not word:
        raise wrong(f"{path}.type", "given")
    read = _READERS.get(word)
    part = Opaque(dialect=NAME, raw=spec) if read is None else read(spec, path)
    part.cache = cache_point(spec, path)
    return part


def _text(spec: dict[str, Any], path: str) -> Part:
    value = text(spec, "text", path)
    if value is None:
        raise wrong(f"{path}.text", "a string")
    return Text(text=value)


def _refusal(spec: dict[str, Any], path: str) -> Part:
    return Refusal(text=text(spec, "refusal", path) or "")


def _thinking(spec: dict[str, Any], path: str) -> Part:
    return Reasoning(text=thinking_text(spec.get("thinking")))


def thinking_text(value: Any) -> str:
    """Mistral's `thinking`: a string, or a list of text parts (corpus mistral-reasoning)."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(str(item.get("text") or "") for item in value if isinstance(item, dict))
    return ""


_READERS: dict[str, Callable[[dict[str, Any], str], Part]] = {
    "text": _text,
    "input_text": _text,  # Cursor sends parts of Responses to the chat address (reference/clients.md 9)
    "output_text": _text,
    "refusal": _refusal,
    "thinking": _thinking,
    "image_url": media.read_image,
    "input_audio": media.read_audio,
    "file": media.read_file,
}
