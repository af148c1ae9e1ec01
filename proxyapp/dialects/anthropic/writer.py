"""The parts of one answer as content blocks of a caller's message; shared by whole bodies and streams.

Reference: translation.md 3.1, 4.3, 6.4 and 6.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import arguments, naming, proofs
from proxyapp.dialects.anthropic.tables import CALL_ID_LIMIT, FAMILY, NAME
from proxyapp.dialects.anthropic.toolset import qualified
from proxyapp.dialects.contract import ClientSide
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request

Block = dict[str, Any]


class AnswerWriter:
    """Turns the parts of one answer into blocks of a caller's message; shared by bodies and streams."""

    def __init__(self, request: Request, side: ClientSide) -> None:
        self.side = side
        self.reasoning = request.reasoning
        self._ids: set[str] = set()

    def blocks(self, part: p.Part) -> list[Block]:
        """None, one, or several (text cited by offsets is split at its citations)."""
        return _WRITERS[type(part)](self, part)

    # --- what streams need of it

    def call_start(self, part: p.ToolCall) -> Block:
        """A `tool_use` block with empty input; the id is legal and like no other (7.1, S24)."""
        call_id = naming.wire_id(part.id, limit=CALL_ID_LIMIT) if part.id else ""
        if not call_id or call_id in self._ids:
            call_id = f"toolu_{self.side.new_id()}"
        self._ids.add(call_id)
        name = qualified(part.name, part.namespace)
        return {"type": "tool_use", "id": call_id, "name": name, "input": {}, **part.meta.get(NAME, {})}

    def server_call_start(self, part: p.ServerCall) -> Block | None:
        """None, with a Note, for another vendor's hosted tool: the caller could not replay it."""
        if part.dialect != NAME:
            self.side.notes.add("content", f"The provider's own call of `{part.name}` is not shown.")
            return None
        kept = part.meta.get(NAME, {})
        return {"type": kept.get("type", "server_tool_use"), "id": part.id, "name": part.name, "input": {}, **kept}

    def hides_thinking(self) -> bool:
        """`display: omitted`: the caller wants the proof and not the text."""
        return self.reasoning is not None and self.reasoning.show is False

    def wants(self, part: p.Reasoning) -> bool:
        """Thinking without a proof is left out for callers that switched thinking off."""
        return bool(part.signature) or self.reasoning is None or self.reasoning.mode != "off"

    def signature(self, part: p.Reasoning) -> str:
        """Where nothing is shown and nothing proves it, the text itself travels in the envelope: some upstreams
        want it back within a tool loop."""
        return proofs.for_caller(
            part, self.side.sealer, family=FAMILY, hidden=part.text if self.hides_thinking() else ""
        )

    # --- whole blocks

    def _text(self, part: p.Text) -> list[Block]:
        return _cited(part) if part.text or part.citations else []

    def _refusal(self, part: p.Refusal) -> list[Block]:
        return [{"type": "text", "text": part.text}] if part.text else []

    def _reasoning(self, part: p.Reasoning) -> list[Block]:
        if not (part.text or part.signature) or not self.wants(part):
            return []
        if part.redacted:
            return [{"type": "redacted_thinking", "data": self.signature(part)}]
        text = "" if self.hides_thinking() else part.text
        return [{"type": "thinking", "thinking": text, "signature": self.signature(part)}]

    def _tool_call(self, part: p.ToolCall) -> list[Block]:
        block = self.call_start(part)
        if part.kind == "custom":
            block["input"] = {"input": part.arguments}
        else:
            block["input"], changed = arguments.as_object(part.arguments)
            if changed:
                self.side.notes.add(f"content.{part.name}", changed, dropped=False)
        return [block]

    def _server_call(self, part: p.ServerCall) -> list[Block]:
        block = self.server_call_start(part)
        if block is None:
            return []
        block["input"], _ = arguments.as_object(part.arguments)
        return [block]

    def _raw(self, part: p.ServerResult | p.Opaque) -> list[Block]:
        if part.dialect == NAME and isinstance(part.raw, dict):
            return [part.raw]
        self.side.notes.add("content", "A part that only the upstream's own dialect knows is not shown.")
        return []

    def _audio(self, part: p.Audio) -> list[Block]:
        self.side.notes.add("content", "Audio is given as its transcript.", dropped=not part.transcript)
        return [{"type": "text", "text": part.transcript}] if part.transcript else []

    def _unsayable(self, part: p.Part) -> list[Block]:
        self.side.notes.add("content", f"A part of kind {type(part).__name__} cannot be said in this dialect.")
        return []


def foreign_citation(citation: p.Citation) -> Block:
    """A source that another vendor named; it cannot be sent back to Anthropic (3.1 rule 3)."""
    if citation.dialect == NAME and citation.raw is not None:
        return citation.raw
    return {
        "type": "web_search_result_location",
        "url": citation.url or "",
        "title": citation.title,
        "cited_text": citation.cited_text or "",
        "encrypted_index": "",
    }


def _cited(part: p.Text) -> list[Block]:
    """Text split at the borders of citations that come with offsets; without any, one block."""
    whole: Block = {"type": "text", "text": part.text}
    own = [c for c in part.citations if c.dialect == NAME or c.start is None or c.end is None]
    placed = sorted((c for c in part.citations if c not in own), key=lambda c: (c.start or 0, c.end or 0))
    if own:
        return [{**whole, "citations": [foreign_citation(c) for c in part.citations]}]
    if not placed:
        return [whole]
    return _split(part.text, placed)


def _split(text: str, placed: list[p.Citation]) -> list[Block]:
    blocks: list[Block] = []
    at = 0
    for citation in placed:
        start, end = max(at, citation.start or 0), min(len(text), citation.end or 0)
        if start >= end:  # empty, or inside the one before: the source joins that block
            if blocks and "citations" in blocks[-1]:
                blocks[-1]["citations"].append({**foreign_citation(citation), "cited_text": blocks[-1]["text"]})
            continue
        if start > at:
            blocks.append({"type": "text", "text": text[at:start]})
        span = text[start:end]
        blocks.append({"type": "text", "text": span, "citations": [{**foreign_citation(citation), "cited_text": span}]})
        at = end
    if at < len(text):
        blocks.append({"type": "text", "text": text[at:]})
    return blocks


_WRITERS: dict[type, Callable[[AnswerWriter, Any], list[Block]]] = {
    p.Text: AnswerWriter._text,
    p.Refusal: AnswerWriter._refusal,
    p.Reasoning: AnswerWriter._reasoning,
    p.ToolCall: AnswerWriter._tool_call,
    p.ServerCall: AnswerWriter._server_call,
    p.ServerResult: AnswerWriter._raw,
    p.Opaque: AnswerWriter._raw,
    p.Audio: AnswerWriter._audio,
    p.Image: AnswerWriter._unsayable,
    p.Document: AnswerWriter._unsayable,
    p.ToolResult: AnswerWriter._unsayable,
    p.SearchResult: AnswerWriter._unsayable,
}
