"""A conversation as Coze's `additional_messages` (reference/upstreams.md 6.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.coze.tables import MOST_MESSAGES
from proxyapp.errors import Unsupported
from proxyapp.ir import parts as p
from proxyapp.ir import prompts
from proxyapp.ir.request import Turn

Item = dict[str, str]
Message = dict[str, str]


def messages(system: list[str], turns: list[Turn], side: UpstreamSide) -> list[Message]:
    """The turns, oldest first; the last one is the user's. Coze has no system role: such texts stand before the next
    user message. Raises Unsupported."""
    waiting, found = list(system), []
    for turn in turns:
        if turn.name:
            side.drop(f"{turn.path}.name", "The upstream's messages bear no names.")
        if turn.role == "system":
            waiting += [part.text for part in turn.parts if isinstance(part, p.Text)]
        elif turn.role == "assistant":
            found += _assistant(turn, side)
        else:
            items = _Items(side).of(turn)
            if items:
                found.append(_question([*map(_text, waiting), *items]))
                waiting = []
    if waiting:
        found.append(_question([_text(text) for text in waiting]))
    return _bounded(_ending_with_a_question(found, turns, side), side)


def _ending_with_a_question(found: list[Message], turns: list[Turn], side: UpstreamSide) -> list[Message]:
    while found and found[-1]["role"] != "user":
        side.refuse(turns[-1].path or "messages", "A bot cannot go on with an answer that was begun for it.")
        found = found[:-1]
    if not found:
        raise Unsupported("There is no user message that the bot could answer.", param="messages")
    return found


def _bounded(found: list[Message], side: UpstreamSide) -> list[Message]:
    if len(found) > MOST_MESSAGES:
        side.refuse("messages", f"Coze takes {MOST_MESSAGES} messages at most, and there are {len(found)}.")
    return found[-MOST_MESSAGES:]


def _question(items: list[Item]) -> Message:
    if all(item["type"] == "text" for item in items):
        return _message("user", "question", "text", prompts.joined(item["text"] for item in items))
    return _message("user", "question", "object_string", jsonio.text(items))


def _message(role: str, kind: str, form: str, content: str) -> Message:
    return {"role": role, "type": kind, "content_type": form, "content": content}


def _assistant(turn: Turn, side: UpstreamSide) -> list[Message]:
    """Its words. Reasoning stays away silently: a bot makes its own."""
    words = []
    for index, part in enumerate(turn.parts):
        path = f"{turn.path}.content.{index}"
        match part:
            case p.Text() | p.Refusal():
                words.append(part.text)
            case p.ToolCall():
                side.refuse(path, "Bots have tools of their own; a call of the caller's cannot be told to them.")
            case p.Reasoning():
                pass
            case _:
                side.drop(path, "A part that has no place in an answer at Coze.")
    text = "".join(words)
    return [_message("assistant", "answer", "text", text)] if text else []


class _Items:
    """The parts of a user turn as the items of an `object_string`."""

    def __init__(self, side: UpstreamSide) -> None:
        self._side = side

    def of(self, turn: Turn) -> list[Item]:
        found: list[Item] = []
        for index, part in enumerate(turn.parts):
            render = _RENDERERS.get(type(part))
            if render is not None:
                found += render(self, part, f"{turn.path}.content.{index}")
        return [item for item in found if item.get("text") != ""]

    def _text(self, part: Any, path: str) -> list[Item]:
        return [_text(part.text)]

    def _image(self, part: p.Image, path: str) -> list[Item]:
        return self._by_address("image", part.source, path)

    def _document(self, part: p.Document, path: str) -> list[Item]:
        if part.source.kind == "text":
            head = f"{part.title}\n" if part.title else ""
            return [_text(f"{head}{part.source.data}")]
        return self._by_address("file", part.source, path)

    def _audio(self, part: p.Audio, path: str) -> list[Item]:
        return self._by_address("audio", part.source, path)

    def _by_address(self, kind: str, source: p.Source, path: str) -> list[Item]:
        if source.kind == "url":
            return [{"type": kind, "file_url": source.data}]
        self._side.refuse(path, f"Coze takes this {kind} by its public address only, not its bytes or an id.")
        return []

    def _search_result(self, part: p.SearchResult, path: str) -> list[Item]:
        return [_text("\n".join([part.title, part.source, *part.texts]))]

    def _result(self, part: p.ToolResult, path: str) -> list[Item]:
        self._side.refuse(path, "Bots have tools of their own; the result of a caller's cannot be told to them.")
        inner = [each.text for each in part.parts if isinstance(each, p.Text)]
        return [_text("\n".join([f"Result of tool call {part.call_id}:", *inner]))]

    def _other(self, part: p.Part, path: str) -> list[Item]:
        self._side.drop(path, "A part of a kind that only its own provider understands.")
        return []


_RENDERERS: dict[type, Callable[[_Items, Any, str], list[Item]]] = {
    p.Text: _Items._text,
    p.Refusal: _Items._text,
    p.Image: _Items._image,
    p.Document: _Items._document,
    p.Audio: _Items._audio,
    p.SearchResult: _Items._search_result,
    p.ToolResult: _Items._result,
    p.ServerCall: _Items._other,
    p.ServerResult: _Items._other,
    p.Opaque: _Items._other,
}


def _text(text: str) -> Item:
    return {"type": "text", "text": text}
