"""What providers did by themselves, as items of an answer (reference/translation.md 7.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.openai_responses.tables import NAME
from proxyapp.ir.parts import Image, ServerCall

NewId = Callable[[str], str]


def item_of_call(part: ServerCall, arguments: str, new_id: NewId) -> dict[str, Any] | None:
    """A hosted call: this dialect's own as it was, another vendor's search or fetch as a web search, others None."""
    own = part.meta.get(NAME, {}).get("item")
    if isinstance(own, dict):
        return own
    told = jsonio.try_object(arguments or part.arguments) or {}
    if part.name == "web_search":
        query = _words(told.get("query"))
        action = {"type": "search", "query": query, "queries": [query]}
    elif part.name == "web_fetch":
        action = {"type": "open_page", "url": _words(told.get("url"))}
    else:
        return None
    return {"id": new_id("web_search_call"), "type": "web_search_call", "status": "completed", "action": action}


def item_of_image(part: Image, new_id: NewId) -> dict[str, Any] | None:
    """An image that the model made; None where only its address is known."""
    own = part.meta.get(NAME, {}).get("item")
    if isinstance(own, dict):
        return own
    if part.source.kind != "base64":
        return None
    item_id = new_id("image_generation_call")
    return {"id": item_id, "type": "image_generation_call", "status": "completed", "result": part.source.data}


def _words(value: Any) -> str:
    return value if isinstance(value, str) else ""
