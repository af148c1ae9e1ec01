"""Neutral parts as the content of an upstream's items. Losses: reference/translation.md 7.5 and 8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.media import as_data_url, document_text
from proxyapp.dialects.openai.tables import BREAKPOINT_TTL
from proxyapp.dialects.openai_responses.tables import NAME
from proxyapp.ir import parts as p
from proxyapp.ir.profile import Profile

Content = dict[str, Any]


def needs_bytes(part: p.Part, profile: Profile) -> bool:
    """Images and documents have a form with an address; some servers that copy the API load no images."""
    return isinstance(part, p.Image) and not profile.image_urls


class PartRenderer(Struct):
    """Renders the parts of user messages and of tool outputs for one request."""

    side: UpstreamSide
    is_own: bool
    """The caller speaks Responses too, so file ids and unknown parts are this upstream's own."""

    def content(self, part: p.Part, path: str) -> list[Content]:
        """None when the part was dropped. Raises Unsupported."""
        render = _RENDERERS.get(type(part))
        if render is None:
            return []
        made = render(self, part, path)
        if made and part.cache:
            self.mark(made[-1], part.cache)
        return made

    def mark(self, content: Content, lifetime: str) -> None:
        """Sets a cache point, where the upstream takes them (else it is dropped: nothing changes)."""
        if self.side.profile.cache_points:
            content["prompt_cache_breakpoint"] = {"mode": "explicit", "ttl": BREAKPOINT_TTL.get(lifetime, "30m")}

    def _text(self, part: Any, path: str) -> list[Content]:
        return [text_content(part.text)]

    def _image(self, part: p.Image, path: str) -> list[Content]:
        detail = part.detail or "auto"  # required by the official types (corner case 209)
        source = part.source
        if source.kind == "file" and self.is_own:
            return [{"type": "input_image", "file_id": source.data, "detail": detail}]
        if source.kind == "file":
            return self._refuse(path, "An image given by file id belongs to another provider; send its bytes.")
        url = source.data if source.kind == "url" else as_data_url(source)
        return [{"type": "input_image", "image_url": url, "detail": detail}]

    def _document(self, part: p.Document, path: str) -> list[Content]:
        if part.citations:
            self.side.drop(f"{path}.citations", "This upstream has no citations of documents.")
        source = part.source
        words = document_text(part)
        if words is not None:
            return [text_content(words)]
        head = [text_content(part.context)] if part.context else []
        name = {"filename": part.title} if part.title else {}
        if source.kind == "url":
            return [*head, {"type": "input_file", "file_url": source.data}]
        if source.kind == "base64":
            name = name or {"filename": "document.pdf"}
            return [*head, {"type": "input_file", **name, "file_data": as_data_url(source)}]
        if self.is_own:
            return [*head, {"type": "input_file", "file_id": source.data}]
        return self._refuse(path, "A document given by file id belongs to another provider; send its bytes.")

    def _audio(self, part: p.Audio, path: str) -> list[Content]:
        return self._refuse(path, "This upstream takes no audio.")

    def _search_result(self, part: p.SearchResult, path: str) -> list[Content]:
        return [text_content("\n".join([part.title, part.source, *part.texts]))]

    def _server(self, part: p.Part, path: str) -> list[Content]:
        self.side.drop(path, "What a hosted tool of another provider did is not sent to this upstream.")
        return []

    def _opaque(self, part: p.Opaque, path: str) -> list[Content]:
        if part.dialect == NAME and isinstance(part.raw, dict):
            return [dict(part.raw)]
        self.side.drop(path, "A part of a kind that only its own provider understands.")
        return []

    def _refuse(self, path: str, sentence: str) -> list[Content]:
        self.side.refuse(path, sentence)
        return []


_RENDERERS: dict[type, Callable[[PartRenderer, Any, str], list[Content]]] = {
    p.Text: PartRenderer._text,
    p.Refusal: PartRenderer._text,
    p.Image: PartRenderer._image,
    p.Document: PartRenderer._document,
    p.Audio: PartRenderer._audio,
    p.SearchResult: PartRenderer._search_result,
    p.ServerCall: PartRenderer._server,
    p.ServerResult: PartRenderer._server,
    p.Opaque: PartRenderer._opaque,
}


def text_content(text: str) -> Content:
    return {"type": "input_text", "text": text}
