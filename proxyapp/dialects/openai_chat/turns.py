"""System texts and turns as the `messages` of a Chat request. Order and merging: reference/translation.md 2.3.

A pure function of the history: the same turns always give the same messages, so that prompt caches hold.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.naming import wire_id
from proxyapp.dialects.openai.tables import MOST_BREAKPOINTS
from proxyapp.dialects.openai_chat.assistant import assistant_message
from proxyapp.dialects.openai_chat.render_parts import Item, PartRenderer, plain, text_item
from proxyapp.dialects.openai_chat.tables import NAME
from proxyapp.ir import parts as p
from proxyapp.ir import prompts
from proxyapp.ir.request import Request, Turn

Message = dict[str, Any]


class _Segment(Struct):
    """An assistant turn (none at the start) with all that follows it up to the next one."""

    assistant: Turn | None = None
    followers: list[Turn] = field(default_factory=list)
    is_merged: bool = False
    """The assistant's turn is one of our own, made of several."""


class TurnRenderer:
    """Writes the messages of one request. `names`: the caller's tool names -> wire names. Raises Unsupported."""

    def __init__(self, request: Request, side: UpstreamSide, names: dict[str, str]) -> None:
        self._request, self._side, self._names = request, side, names
        self._is_own = request.client_dialect == NAME
        self._parts = PartRenderer(side=side, is_own=self._is_own)
        self._messages: list[Message] = []

    def render(self, instructions: list[str]) -> list[Message]:
        """All messages. `instructions` are the gateway's own lines, put after the caller's system texts."""
        self._system(self._request.system + [p.Text(text=line) for line in instructions])
        self._note_fields()
        for segment in self._segments():
            self._segment(segment)
        self._limit_breakpoints()
        return self._messages

    def _note_fields(self) -> None:
        """Fields that another dialect has beside a message's content (Claude Code sets the effort of a turn there)."""
        for turn in self._request.turns:
            for dialect, fields in turn.meta.items():
                for name in fields if dialect != NAME else ():
                    self._side.drop(f"{turn.path}.{name}", "The upstream's messages have no such field.")

    def _system(self, texts: list[p.Text]) -> None:
        """One message a run of the same author: many servers take only one system message."""
        run: list[p.Text] = []
        for text in texts:
            if run and self._role_of(text) != self._role_of(run[0]):
                self._add_system(self._role_of(run[0]), run)
                run = []
            run.append(text)
        if run:
            self._add_system(self._role_of(run[0]), run)

    def _role_of(self, text: p.Text) -> str:
        return self._author(text.meta.get("author"))

    def _author(self, word: str | None) -> str:
        return "developer" if word == "developer" and self._side.profile.developer_role else "system"

    def _add_system(self, role: str, texts: list[p.Text]) -> None:
        if self._side.profile.cache_points and any(text.cache for text in texts):
            items = [item for text in texts for item in self._parts.items(text, "system")]
            self._messages.append({"role": role, "content": items})
        else:
            self._messages.append(
                {"role": role, "content": prompts.together([text.text for text in texts], self._side.system_prompt)}
            )

    def _segments(self) -> list[_Segment]:
        segments = [_Segment()]
        for turn in self._request.turns:
            last = segments[-1]
            if turn.role != "assistant":
                last.followers.append(turn)
            elif last.assistant is not None and not last.followers and not self._is_own:
                if not last.is_merged:
                    last.assistant = Turn(role="assistant", parts=[*last.assistant.parts], path=last.assistant.path)
                    last.is_merged = True
                last.assistant.parts += turn.parts
            else:
                segments.append(_Segment(assistant=turn))
        return segments

    def _segment(self, segment: _Segment) -> None:
        """Every call must be answered before any other message: results come first, whatever stood between."""
        calls: list[str] = []
        if segment.assistant is not None:
            message = assistant_message(segment.assistant, self._side, self._names, is_own=self._is_own)
            if message is not None:
                self._messages.append(message)
            calls = [part.id for part in segment.assistant.parts if isinstance(part, p.ToolCall)]
        answers = _answers(segment, set(calls))
        moved = [item for path, part in answers.values() for item in self._result(part, path)]
        for call_id in calls:
            if call_id not in answers:
                self._side.drop("messages", f"Tool call {call_id} has no result; one was made up.", dropped=False)
                self._tool(call_id, "No result was recorded.")
        taken = {id(part) for _, part in answers.values()}
        for turn in segment.followers:
            moved = self._follower(turn, taken, moved)
        self._user(moved)

    def _result(self, part: p.ToolResult, path: str) -> list[Item]:
        """Writes a tool message; returns the media that must move to a user message, under a label."""
        items = [item for inner in part.parts for item in self._parts.items(inner, path)]
        texts = [item for item in items if item["type"] == "text"]
        media = [item for item in items if item["type"] != "text"]
        if part.is_error:
            first = texts[0]["text"] if texts else ""
            texts = [{**(texts[0] if texts else {}), **text_item(f"Error: {first}")}, *texts[1:]]
        if media and not self._side.profile.user_after_tool:
            self._side.drop(path, "This upstream takes no media in or after a tool result.")
            texts, media = [*texts, text_item("[an attachment was left out]")], []
        if part.cache and texts:
            self._parts.mark(texts[-1], part.cache)
        self._tool(part.call_id, plain(texts))
        return [text_item(f"Attachment to the result of tool call {self._id(part.call_id)}:"), *media] if media else []

    def _follower(self, turn: Turn, taken: set[int], moved: list[Item]) -> list[Item]:
        """A user or system turn after its results are taken out. Returns what of `moved` is still to be placed."""
        if turn.role == "system":
            self._user(moved)
            texts = [part for part in turn.parts if isinstance(part, p.Text)]
            self._add_system(self._author(turn.author), texts)
            return []
        items: list[Item] = []
        for index, part in enumerate(turn.parts):
            if id(part) not in taken:
                path = f"{turn.path}.content.{index}"
                items += self._orphan(part, path) if isinstance(part, p.ToolResult) else self._parts.items(part, path)
        if not items and turn.parts:
            return moved
        self._user(moved + items, turn.name, even_empty=True)
        return []

    def _orphan(self, part: p.ToolResult, path: str) -> list[Item]:
        self._side.drop(path, "A tool result without its call was sent as text.", dropped=False)
        inner = [item for each in part.parts for item in self._parts.items(each, path)]
        return [text_item(f"Result of tool call {part.call_id}:"), *inner]

    def _user(self, items: list[Item], name: str | None = None, *, even_empty: bool = False) -> None:
        if len(items) > 1:
            items = [item for item in items if item.get("text") != "" or "prompt_cache_breakpoint" in item]
        if items or even_empty:
            self._messages.append({"role": "user", "content": plain(items), **({"name": name} if name else {})})

    def _tool(self, call_id: str, content: str | list[Item]) -> None:
        self._messages.append({"role": "tool", "tool_call_id": self._id(call_id), "content": content})

    def _id(self, call_id: str) -> str:
        return wire_id(call_id, limit=self._side.profile.call_id_limit)

    def _limit_breakpoints(self) -> None:
        """At most four cache points; the last ones are worth the most."""
        marked = [
            item
            for message in self._messages
            if isinstance(message.get("content"), list)
            for item in message["content"]
            if "prompt_cache_breakpoint" in item
        ]
        for item in marked[:-MOST_BREAKPOINTS]:
            del item["prompt_cache_breakpoint"]
            self._side.drop("cache_control", f"Only the last {MOST_BREAKPOINTS} cache points are kept.")


def _answers(segment: _Segment, calls: set[str]) -> dict[str, tuple[str, p.ToolResult]]:
    """The first result of each of these calls, in the order in which they were given."""
    found: dict[str, tuple[str, p.ToolResult]] = {}
    for turn in segment.followers:
        for index, part in enumerate(turn.parts):
            if isinstance(part, p.ToolResult) and part.call_id in calls and part.call_id not in found:
                found[part.call_id] = (f"{turn.path}.content.{index}", part)
    return found
