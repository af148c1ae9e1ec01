"""What whole answers and streams share: the chat object, its end, its usage, and the content of a message."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.coze import errors
from proxyapp.dialects.coze.tables import ANSWER, CANCELED, FAILED, NAME, REQUIRES_ACTION
from proxyapp.errors import BodyUnreadable, UpstreamFault, UpstreamRefused
from proxyapp.ir.usage import Usage

Json = dict[str, Any]


def record(value: Any) -> Json:
    """`value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def answer_id(chat: Json) -> str:
    """Both ids in one, for callers whose dialect shows the answer's id: what goes on with `conversation_id`."""
    ids = [text(chat.get("conversation_id")), text(chat.get("id"))]
    return "-".join(["coze", *filter(None, ids)]) if any(ids) else ""


def created(chat: Json) -> int | None:
    value = chat.get("created_at")
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def usage(chat: Json) -> Usage | None:
    """The counts of a finished chat; None when there are none."""
    raw = record(chat.get("usage"))
    counts = {name: raw.get(name) for name in ("input_count", "output_count")}
    if not all(isinstance(count, int) and not isinstance(count, bool) for count in counts.values()):
        return None
    return Usage(fresh_input=max(0, raw["input_count"]), output=max(0, raw["output_count"]), raw=raw)


def failure(chat: Json) -> UpstreamFault | None:
    """Why a chat has no answer; None where its status is another."""
    status = chat.get("status")
    if status == FAILED:
        return errors.refused(record(chat.get("last_error")), body=jsonio.encode(chat))
    if status in CANCELED:
        return _no_answer("The chat was cancelled at the upstream.")
    if status == REQUIRES_ACTION:
        # Callers' tools are not sent (see `render`), so this is a plugin of the bot that waits for its maker's program.
        error = _no_answer("The bot waits for the result of a tool that runs outside of it; this gateway has none.")
        error.retryable = False
        return error
    return None


def _no_answer(sentence: str) -> UpstreamRefused:
    return UpstreamRefused(sentence, status=502, dialect=NAME)


def is_answer(message: Json) -> bool:
    return (message.get("type", ANSWER), message.get("role", "assistant")) == (ANSWER, "assistant")


def content(message: Json) -> str:
    """A message's text. Of an `object_string` the texts, and the addresses of what is no text."""
    words = text(message.get("content"))
    if message.get("content_type") != "object_string":
        return words
    try:
        items = jsonio.decode(words)
    except BodyUnreadable:
        return words
    if not isinstance(items, list):
        return words
    found = [text(item.get("text")) or text(item.get("file_url")) for item in items if isinstance(item, dict)]
    return "\n".join(filter(None, found))
