"""Arguments of tool calls: JSON text in the IR, an object on some wires (reference/translation.md 7.6, 7.7)."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.errors import BodyUnreadable

REPAIRED = "The tool arguments were not valid JSON; missing brackets or a stray comma were put right."
WRAPPED = "The tool arguments were not valid JSON; they are sent as the text `_raw`."

_CLOSER = {"{": "}", "[": "]"}


def as_object(text: str) -> tuple[dict[str, Any], str | None]:
    """Argument text as the object that such a wire wants, and a sentence when it had to be changed.

    No arguments give {}; a value that is no object is wrapped as `value`; invalid JSON is repaired where only a comma
    or closing brackets are at fault, else kept whole as `_raw`. A call is never dropped: its result would be orphaned.
    """
    if not text.strip():
        return {}, None
    try:
        return _object(jsonio.decode(text)), None
    except BodyUnreadable:
        pass
    try:
        return _object(jsonio.decode(_repaired(text))), REPAIRED
    except BodyUnreadable:
        return {"_raw": text}, WRAPPED


def as_text(value: Any) -> str:
    """An object from the wire as argument text; an empty object says: no arguments."""
    return jsonio.text(value) if value else ""


def unwrapped(text: str) -> str:
    """The free text of a custom tool that was sent as a function with one `input` string.

    Models also answer with other single string keys (`patch`, `code`): the only string is taken. Anything else stays.
    """
    value = jsonio.try_object(text)
    if value is None:
        return text
    if isinstance(value.get("input"), str):
        return str(value["input"])
    strings = [entry for entry in value.values() if isinstance(entry, str)]
    return strings[0] if len(strings) == 1 else text


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"value": value}


def _repaired(text: str) -> str:
    """Without commas that stand before a closing bracket or the end, and with the brackets that are missing."""
    out: list[str] = []
    closers: list[str] = []
    in_string = False
    for char in text:
        if in_string:
            in_string = char != '"' or _was_escaped(out)
        elif char == '"':
            in_string = True
        elif char in _CLOSER:
            closers.append(_CLOSER[char])
        elif closers and char == closers[-1]:
            closers.pop()
            _drop_comma(out)
        out.append(char)
    if not in_string:
        _drop_comma(out)
    return "".join(out) + "".join(reversed(closers))


def _was_escaped(out: list[str]) -> bool:
    count = 0
    while count < len(out) and out[-1 - count] == "\\":
        count += 1
    return count % 2 == 1


def _drop_comma(out: list[str]) -> None:
    end = len(out)
    while end and out[end - 1].isspace():
        end -= 1
    if end and out[end - 1] == ",":
        del out[end - 1 :]
