"""IR parts as parts of an upstream's contents, a small function a part kind (reference/translation.md 1.2, 7.5, 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects import arguments, jsonio, proofs
from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.gemini import media
from proxyapp.dialects.gemini.numbers import is_exact
from proxyapp.dialects.gemini.tables import FAMILY, NAME
from proxyapp.dialects.gemini.toolset import qualified
from proxyapp.ir import parts as p

Part = dict[str, Any]

UNKNOWN_TOOL = "unknown_tool"


class Renderer:
    """Renders parts for one request. Calls and results are paired by the conversation."""

    def __init__(self, side: UpstreamSide, names: dict[str, str]) -> None:
        self.side = side
        self.names = names

    def parts(self, part: p.Part, path: str, *, role: str) -> list[Part]:
        """None, one or several. Raises Unsupported for media that cannot be sent."""
        return _KINDS[type(part)](self, part, path, role)

    def proof(self, part: p.Reasoning) -> str | None:
        """The signature that this upstream gave for it, if it did."""
        return proofs.sendable(part, self.side, family=FAMILY)

    def _text(self, part: p.Text | p.Refusal, path: str, role: str) -> list[Part]:
        return [{"text": part.text}] if part.text else []

    def _reasoning(self, part: p.Reasoning, path: str, role: str) -> list[Part]:
        """Thoughts go back with their proof alone (6.4); the conversation puts it onto the part that follows."""
        return [{"text": part.text, "thought": True}] if part.text and self.proof(part) else []

    def _medium(self, part: p.Image | p.Document | p.Audio, path: str, role: str) -> list[Part]:
        if role == "model" and part.source.kind == "file":  # Chat's `audio.id`
            return self._lost(path, "A medium that only its provider holds")
        about = "\n".join(word for word in (_title(part), getattr(part, "context", None)) if word)
        if isinstance(part, p.Document) and part.citations:
            self.side.drop(f"{path}.citations", "Google's models do not cite documents they are given.")
        return [*([{"text": about}] if about else []), media.render(part, path, self.side)]

    def _search_result(self, part: p.SearchResult, path: str, role: str) -> list[Part]:
        return [{"text": "\n".join([part.title, part.source, *part.texts])}]

    def _server_call(self, part: p.ServerCall, path: str, role: str) -> list[Part]:
        if part.dialect != NAME:
            return self._lost(path, f"A call of another provider's hosted tool `{part.name}`")
        return [dict(part.meta[NAME])] if part.meta.get(NAME) else []

    def _server_result(self, part: p.ServerResult, path: str, role: str) -> list[Part]:
        return [part.raw] if part.dialect == NAME else self._lost(path, "A result of another provider's hosted tool")

    def _opaque(self, part: p.Opaque, path: str, role: str) -> list[Part]:
        if part.dialect == NAME and isinstance(part.raw, dict):
            return [part.raw]
        return self._lost(path, "A part of a kind that this provider does not know")

    def _lost(self, path: str, what: str) -> list[Part]:
        self.side.drop(path, f"{what} was left out of the history.")
        return []

    def _elsewhere(self, part: p.Part, path: str, role: str) -> list[Part]:
        raise AssertionError("tool calls and results are rendered by the conversation")

    # --- calls and results

    def call(self, part: p.ToolCall, path: str) -> Part:
        """A `functionCall` part. A custom tool's free text is wrapped as its function's one argument (7.7)."""
        if part.kind == "custom":
            args: dict[str, Any] = {"input": part.arguments}
        else:
            args, changed = arguments.as_object(part.arguments)
            if changed:
                self.side.drop(path, changed, dropped=False)
        call = {"id": part.id, "name": self.names[qualified(part.name, part.namespace)], "args": args}
        return {"functionCall": {key: value for key, value in call.items() if value != ""}}

    def result(self, part: p.ToolResult, name: str, path: str) -> tuple[Part, list[Part]]:
        """The `functionResponse` part, and what has to stand beside it: media, on models that take none inside."""
        words: list[str] = []
        pieces: list[Part] = []
        for index, inner in enumerate(part.parts):
            for piece in self.parts(inner, f"{path}.content.{index}", role="user"):
                if list(piece) == ["text"]:
                    words.append(piece["text"])
                else:
                    pieces.append(piece)
        response: Part = {"id": part.call_id, "name": name, "response": _response(words, is_error=part.is_error)}
        if not part.call_id:
            del response["id"]
        inside = [piece for piece in pieces if self.side.profile.tool_media and "inlineData" in piece]
        beside = [piece for piece in pieces if piece not in inside]
        if inside:
            response["parts"] = inside
        label = [{"text": f"Attachment to the result of the call of `{name}` ({part.call_id}):"}] if beside else []
        return {"functionResponse": response}, [*label, *beside]


def _response(words: list[str], *, is_error: bool) -> dict[str, Any]:
    """7.5: an object as it is, other text as `output`, a failure as `error`. An object with numbers that a double
    cannot hold stays text: ids of 64 bits would come out as others."""
    text = "\n".join(words)
    if is_error:
        return {"error": text}
    value = jsonio.try_object(text) if len(words) == 1 and text.lstrip().startswith("{") else None
    return value if value and is_exact(value) else {"output": text}


def _title(part: p.Part) -> str | None:
    return part.title if isinstance(part, p.Document) and part.source.kind == "text" else None


_KINDS: dict[type, Callable[[Renderer, Any, str, str], list[Part]]] = {
    p.Text: Renderer._text,
    p.Refusal: Renderer._text,
    p.Reasoning: Renderer._reasoning,
    p.Image: Renderer._medium,
    p.Document: Renderer._medium,
    p.Audio: Renderer._medium,
    p.SearchResult: Renderer._search_result,
    p.ServerCall: Renderer._server_call,
    p.ServerResult: Renderer._server_result,
    p.Opaque: Renderer._opaque,
    p.ToolCall: Renderer._elsewhere,
    p.ToolResult: Renderer._elsewhere,
}
