"""What a keeper of conversations needs to know of this dialect: pure functions of bodies, answers and frames.

A kept conversation is a list of items: what was sent as `input`, then the answer's `output`. `with_history` makes of
it and a new body one that any upstream understands. Rules: reference/translation.md 2.7 and 7.9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.openai.fields import as_record, flag, listing, text, wrong
from proxyapp.dialects.openai_responses.tables import ID_PREFIX
from proxyapp.dialects.sse import FrameReader
from proxyapp.errors import UpstreamBroken

TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""Events that end a stream; each holds the whole answer."""


def previous_id(body: dict[str, Any]) -> str | None:
    """The id of the answer to go on from. Raises BadRequest."""
    return text(body, "previous_response_id") or None


def wants_store(body: dict[str, Any]) -> bool:
    """May the answer be kept? Yes, unless the caller says no. Raises BadRequest."""
    return flag(body, "store") is not False


def input_items(body: dict[str, Any], new_id: Callable[[], str]) -> list[dict[str, Any]]:
    """`input` as items in their full form, each with an id: its own, or its kind's prefix and what `new_id` gives
    (24 characters). Raises BadRequest."""
    items = []
    for item in _normal(body):
        prefix = ID_PREFIX.get(str(item.get("type")), "item")
        items.append(item if item.get("id") else {"id": f"{prefix}_{new_id()}", **_without_id(item)})
    return items


def with_history(body: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    """The body with what was said before put in front of its input, and without `previous_response_id`. Its own
    `instructions` stay; earlier ones are no items and do not come back. Raises BadRequest."""
    rest = {name: value for name, value in body.items() if name != "previous_response_id"}
    return {**rest, "input": [*items, *_normal(body)]}


def finished(sent: bytes) -> dict[str, Any] | None:
    """The complete Response object in the last bytes that a caller got: a whole body, or frames of a stream. None when
    the answer does not end there. Raises nothing."""
    whole = jsonio.try_object(sent)
    if whole is not None:
        return whole if _is_response(whole) else None
    reader = FrameReader()
    try:
        frames = [*reader.feed(sent), *reader.close()]
    except UpstreamBroken:
        return None
    for frame in reversed(frames):
        event = jsonio.try_object(frame.data)
        if event is not None and event.get("type") in TERMINAL and _is_response(event.get("response")):
            return dict(event["response"])
    return None


def _is_response(value: Any) -> bool:
    return isinstance(value, dict) and value.get("object") == "response" and isinstance(value.get("output"), list)


def _normal(body: dict[str, Any]) -> list[dict[str, Any]]:
    value = body.get("input")
    if isinstance(value, str):
        return [_message("user", value)]
    items = listing(body, "input") or []
    return [_full(as_record(item, f"input.{index}"), f"input.{index}") for index, item in enumerate(items)]


def _full(item: dict[str, Any], path: str) -> dict[str, Any]:
    """An easy message (no `type`, content as a string) in its full form; other items as they are."""
    kind = text(item, "type", path)
    if kind is None and "role" not in item:
        if "id" in item:
            return {"type": "item_reference", **item}
        raise wrong(f"{path}.type", "given")
    if kind not in (None, "message"):
        return item
    role, content = text(item, "role", path) or "user", item.get("content")
    if isinstance(content, str):
        return {**item, **_message(role, content)}
    return {"type": "message", **item}


def _message(role: str, words: str) -> dict[str, Any]:
    if role == "assistant":
        part: dict[str, Any] = {"type": "output_text", "text": words, "annotations": []}
    else:
        part = {"type": "input_text", "text": words}
    return {"type": "message", "role": role, "content": [part]}


def _without_id(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "id"}
