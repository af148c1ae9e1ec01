"""The content blocks of one upstream answer as parts; shared by whole bodies and streams.

Names and wrapped tools are put back as the caller knows them (reference/translation.md 3.1, 7.1, 7.7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import arguments, proofs
from proxyapp.dialects.anthropic import messages
from proxyapp.dialects.anthropic.tables import FAMILY, NAME
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.errors import BadRequest, UpstreamBroken
from proxyapp.ir import parts as p

Block = dict[str, Any]


def text_of(value: Any) -> str:
    """A string, or "" for anything else an upstream may put in its place."""
    return value if isinstance(value, str) else ""


class AnswerReader:
    """Turns the blocks of one answer into parts; names and wrapped tools are put back as the caller knows them."""

    def __init__(self, side: UpstreamSide) -> None:
        self.side = side
        self.answered = False
        """The answer tool was used."""
        self.called = False
        """A tool of the caller was called."""
        self._ids: set[str] = set()

    def part(self, block: Any) -> p.Part | None:
        """One whole block; None for one that says nothing. Raises UpstreamBroken for one that is no block."""
        if not isinstance(block, dict) or not isinstance(kind := block.get("type"), str):
            raise UpstreamBroken("The upstream's answer holds something that is no content block.")
        return _READERS.get(kind, AnswerReader._other)(self, block)

    def _text(self, block: Block) -> p.Part | None:
        text = text_of(block.get("text"))
        cited = [cited_whole(citation, text) for citation in messages.parse_citations(block.get("citations"))]
        return p.Text(text=text, citations=cited) if text or cited else None

    def _thinking(self, block: Block) -> p.Part | None:
        text, signature = text_of(block.get("thinking")), text_of(block.get("signature")) or None
        if not text and not signature:
            return None
        return p.Reasoning(text=text, signature=signature, family=FAMILY, meta=proofs.owner(self.side))

    def _redacted(self, block: Block) -> p.Part | None:
        data = text_of(block.get("data"))
        if not data:
            return None
        return p.Reasoning(redacted=True, signature=data, family=FAMILY, meta=proofs.owner(self.side))

    def _tool_use(self, block: Block) -> p.Part | None:
        text = arguments.as_text(block.get("input"))
        if self.is_answer(block):
            self.answered = True
            return p.Text(text=text or "{}")
        call = self.call(block)
        call.arguments = arguments.unwrapped(text) if call.kind == "custom" else text
        return call

    def is_answer(self, block: Block) -> bool:
        """Is this the tool whose input is the answer (2.6 rule 2)?"""
        return self.side.answer_tool is not None and block.get("name") == self.side.answer_tool

    def is_wrapped(self, block: Block) -> bool:
        """Is this a free-text tool that was sent as a function?"""
        return self._caller_name(block) in self.side.wrapped_tools

    def _caller_name(self, block: Block) -> str:
        name = text_of(block.get("name"))
        return self.side.wire_names.get(name, name)

    def call(self, block: Block) -> p.ToolCall:
        """A `tool_use` block without its input: the caller's name of the tool, an id that no other call has."""
        self.called = True
        name = self._caller_name(block)
        call_id = text_of(block.get("id"))
        if not call_id or call_id in self._ids:
            call_id = f"toolu_{self.side.new_id()}"
        self._ids.add(call_id)
        rest = {k: v for k, v in block.items() if k not in ("type", "id", "name", "input") and v is not None}
        return p.ToolCall(
            id=call_id,
            name=name,
            kind="custom" if self.is_wrapped(block) else "function",
            meta={NAME: rest} if rest else {},
        )

    def server_call(self, block: Block) -> p.Part:
        """A hosted tool's call. Raises UpstreamBroken for one without id or name."""
        try:
            return messages.server_call(block, arguments.as_text(block.get("input")), "content")
        except BadRequest as exc:
            raise UpstreamBroken("The upstream's hosted tool call has no id or name.") from exc

    def _other(self, block: Block) -> p.Part | None:
        if block["type"].endswith("_tool_result"):
            return p.ServerResult(call_id=text_of(block.get("tool_use_id")), dialect=NAME, raw=block)
        return p.Opaque(dialect=NAME, raw=block)


def cited_whole(citation: p.Citation, text: str) -> p.Citation:
    """3.1 rule 3: the wire gives no offsets in the answer; the cited span is the whole block."""
    citation.start, citation.end = 0, len(text)
    return citation


_READERS: dict[str, Callable[[AnswerReader, Block], p.Part | None]] = {
    "text": AnswerReader._text,
    "thinking": AnswerReader._thinking,
    "redacted_thinking": AnswerReader._redacted,
    "tool_use": AnswerReader._tool_use,
    "server_tool_use": AnswerReader.server_call,
    "mcp_tool_use": AnswerReader.server_call,
}
