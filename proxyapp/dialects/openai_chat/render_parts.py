"""Neutral parts as content parts of a Chat request. Losses: reference/translation.md 7.5 and 8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.openai.media import as_data_url, document_text
from proxyapp.dialects.openai.tables import BREAKPOINT_TTL
from proxyapp.dialects.openai_chat.tables import AUDIO_FORMAT, NAME
from proxyapp.ir import parts as p

Item = dict[str, Any]


class PartRenderer(Struct):
    """Renders the parts of user messages and of tool results for one request."""

    side: UpstreamSide
    is_own: bool
    """The caller speaks Chat too, so file ids and unknown parts are this upstream's own."""

    def items(self, part: p.Part, path: str) -> list[Item]:
        """The content parts of one part: none when it was dropped. Raises Unsupported."""
        render = _RENDERERS.get(type(part))
        if render is None:
            return []
        items = render(self, part, path)
        if items and part.cache:
            self.mark(items[-1], part.cache)
        return items

    def mark(self, item: Item, lifetime: str) -> None:
        """Sets a cache point on an item, where the upstream takes them (else it is dropped: nothing changes)."""
        if self.side.profile.cache_points:
            item["prompt_cache_breakpoint"] = {"mode": "explicit", "ttl": BREAKPOINT_TTL.get(lifetime, "30m")}

    def _text(self, part: Any, path: str) -> list[Item]:
        return [text_item(part.text)]

    def _image(self, part: p.Image, path: str) -> list[Item]:
        if part.source.kind == "file":
            return self._refuse(path, "An image given by file id belongs to another provider; send its bytes.")
        url = part.source.data if part.source.kind == "url" else as_data_url(part.source)
        return [{"type": "image_url", "image_url": {"url": url, **({"detail": part.detail} if part.detail else {})}}]

    def _document(self, part: p.Document, path: str) -> list[Item]:
        if part.citations:
            self.side.drop(f"{path}.citations", "Chat has no citations of documents.")
        words = document_text(part)
        if words is not None:
            return [text_item(words)]
        source = part.source
        if source.kind == "base64":
            name = part.title or "document.pdf"
            file = {"type": "file", "file": {"filename": name, "file_data": as_data_url(source)}}
            return [text_item(part.context), file] if part.context else [file]
        if source.kind == "file" and self.is_own:
            return [{"type": "file", "file": {"file_id": source.data}}]
        why = "by address" if source.kind == "url" else "by a file id of another provider"
        return self._refuse(path, f"Chat takes no document {why}; send its bytes.")

    def _audio(self, part: p.Audio, path: str) -> list[Item]:
        word = AUDIO_FORMAT.get(part.source.mime or "") or (part.source.mime or "").rpartition("/")[2]
        if part.source.kind != "base64" or not word:
            return self._refuse(path, "Chat takes audio as base64 of a named format only.")
        return [{"type": "input_audio", "input_audio": {"data": part.source.data, "format": word}}]

    def _search_result(self, part: p.SearchResult, path: str) -> list[Item]:
        return [text_item("\n".join([part.title, part.source, *part.texts]))]

    def _server(self, part: p.Part, path: str) -> list[Item]:
        self.side.drop(path, "What a hosted tool of another provider did is not sent to this upstream.")
        return []

    def _opaque(self, part: p.Opaque, path: str) -> list[Item]:
        if part.dialect == NAME and isinstance(part.raw, dict):
            return [dict(part.raw)]
        self.side.drop(path, "A part of a kind that only its own provider understands.")
        return []

    def _refuse(self, path: str, sentence: str) -> list[Item]:
        self.side.refuse(path, sentence)
        return []


_RENDERERS: dict[type, Callable[[PartRenderer, Any, str], list[Item]]] = {
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
"""Reasoning has no place in these messages and is left out silently."""


def text_item(text: str) -> Item:
    return {"type": "text", "text": text}


def plain(items: list[Item]) -> str | list[Item]:
    """Content in its simplest form: a string where one text says it all."""
    if not items:
        return ""
    if len(items) == 1 and items[0].keys() == {"type", "text"}:
        return str(items[0]["text"])
    return items
