"""IR parts as content blocks of an upstream's messages, a small function a part kind (reference/translation.md 1.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import arguments, proofs
from proxyapp.dialects.anthropic import media
from proxyapp.dialects.anthropic.tables import FAMILY, NAME
from proxyapp.dialects.anthropic.toolset import cache_control, qualified
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.errors import Unsupported
from proxyapp.ir import parts as p

Block = dict[str, Any]


class Renderer:
    """Renders parts for one request. `own`: the caller speaks this dialect too, and wrote what the wire takes."""

    def __init__(self, side: UpstreamSide, names: dict[str, str], *, own: bool) -> None:
        self.side = side
        self.names = names
        self.own = own

    def blocks(self, part: p.Part, path: str, *, role: str) -> list[Block]:
        """None, one or several blocks. Tool results and calls are rendered by the conversation, which pairs them.

        Raises Unsupported for media the wire has not.
        """
        found = _KINDS[type(part)](self, part, path, role)
        if part.cache and found and not isinstance(part, p.Reasoning):  # not allowed on thinking (6.3)
            found[-1] = {**found[-1], "cache_control": cache_control(part.cache)}
        return found

    def _text(self, part: p.Text, path: str, role: str) -> list[Block]:
        if not part.text or (not part.text.strip() and not (self.own and role == "assistant")):
            return []  # blank blocks are refused (2.2); one blank of an assistant is taken (appendix E)
        block: Block = {"type": "text", "text": part.text}
        citations = [c.raw for c in part.citations if c.dialect == NAME and c.raw is not None]
        if citations:
            block["citations"] = citations
        return [block]

    def _refusal(self, part: p.Refusal, path: str, role: str) -> list[Block]:
        return self._text(p.Text(text=part.text), path, role)

    def _reasoning(self, part: p.Reasoning, path: str, role: str) -> list[Block]:
        signature = proofs.sendable(part, self.side, family=FAMILY) if role == "assistant" else None
        if signature is None:
            return []  # foreign or unsigned thinking is nothing to this upstream (6.3)
        if part.redacted:
            return [{"type": "redacted_thinking", "data": signature}]
        return [{"type": "thinking", "thinking": part.text, "signature": signature}]

    def _image(self, part: p.Image, path: str, role: str) -> list[Block]:
        return [{"type": "image", "source": media.render_image(part, path, own=self.own), **part.meta.get(NAME, {})}]

    def _document(self, part: p.Document, path: str, role: str) -> list[Block]:
        kind, source = media.render_document(part, path, own=self.own)
        if kind == "image":
            return [{"type": "image", "source": source}]
        block: Block = {"type": "document", "source": source}
        if part.title:
            block["title"] = part.title
        if part.context:
            block["context"] = part.context
        if part.citations:
            block["citations"] = {"enabled": True}
        return [{**block, **part.meta.get(NAME, {})}]

    def _audio(self, part: p.Audio, path: str, role: str) -> list[Block]:
        if role != "assistant":
            raise Unsupported("This model does not take audio.", param=path)
        self.side.drop(path, "The model's earlier audio is sent as its transcript, if it has one.")
        return self._text(p.Text(text=part.transcript or ""), path, role)

    def _search_result(self, part: p.SearchResult, path: str, role: str) -> list[Block]:
        block: Block = {
            "type": "search_result",
            "source": part.source,
            "title": part.title,
            "content": [{"type": "text", "text": text} for text in part.texts],
        }
        if part.citations:
            block["citations"] = {"enabled": True}
        return [block]

    def _server_call(self, part: p.ServerCall, path: str, role: str) -> list[Block]:
        if part.dialect != NAME:
            return self._lost(path, f"A call of another provider's hosted tool `{part.name}`")
        value, _ = arguments.as_object(part.arguments)
        kept = part.meta.get(NAME, {})
        kind = kept.get("type", "server_tool_use")
        return [{"type": kind, "id": part.id, "name": part.name, "input": value, **kept}]

    def _server_result(self, part: p.ServerResult, path: str, role: str) -> list[Block]:
        return [part.raw] if part.dialect == NAME else self._lost(path, "A result of another provider's hosted tool")

    def _opaque(self, part: p.Opaque, path: str, role: str) -> list[Block]:
        if part.dialect == NAME and isinstance(part.raw, dict):
            return [part.raw]
        return self._lost(path, "A part of a kind that this provider does not know")

    def _lost(self, path: str, what: str) -> list[Block]:
        self.side.drop(path, f"{what} was left out of the history.")
        return []

    def _elsewhere(self, part: p.Part, path: str, role: str) -> list[Block]:
        raise AssertionError("tool calls and results are rendered by the conversation")

    # --- calls and results, paired by the conversation

    def call(self, part: p.ToolCall, wire_id: str, path: str) -> Block:
        """A `tool_use` block. A custom tool's free text is wrapped as its function's one argument (7.7)."""
        if part.kind == "custom":
            value: dict[str, Any] = {"input": part.arguments}
        else:
            value, changed = arguments.as_object(part.arguments)
            if changed:
                self.side.drop(path, changed, dropped=False)
        name = self.names[qualified(part.name, part.namespace)]
        block = {"type": "tool_use", "id": wire_id, "name": name, "input": value, **part.meta.get(NAME, {})}
        return {**block, "cache_control": cache_control(part.cache)} if part.cache else block

    def result(self, part: p.ToolResult, wire_id: str, path: str) -> Block:
        """A `tool_result` block; one plain text as a string, nothing as no content (7.5)."""
        block: Block = {"type": "tool_result", "tool_use_id": wire_id}
        if len(part.parts) == 1 and isinstance(only := part.parts[0], p.Text) and not only.cache:
            if only.text:
                block["content"] = only.text
        elif content := self.result_content(part, path):
            block["content"] = content
        if part.is_error:
            block["is_error"] = True
        block.update(part.meta.get(NAME, {}))
        return {**block, "cache_control": cache_control(part.cache)} if part.cache else block

    def result_content(self, part: p.ToolResult, path: str) -> list[Block]:
        """The result's own parts as blocks."""
        found: list[Block] = []
        for index, inner in enumerate(part.parts):
            found += self.blocks(inner, f"{path}.content.{index}", role="user")
        return found


_KINDS: dict[type, Callable[[Renderer, Any, str, str], list[Block]]] = {
    p.Text: Renderer._text,
    p.Refusal: Renderer._refusal,
    p.Reasoning: Renderer._reasoning,
    p.Image: Renderer._image,
    p.Document: Renderer._document,
    p.Audio: Renderer._audio,
    p.SearchResult: Renderer._search_result,
    p.ServerCall: Renderer._server_call,
    p.ServerResult: Renderer._server_result,
    p.Opaque: Renderer._opaque,
    p.ToolCall: Renderer._elsewhere,
    p.ToolResult: Renderer._elsewhere,
}
