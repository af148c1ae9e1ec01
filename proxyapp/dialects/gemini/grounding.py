"""Sources of an answer: `groundingMetadata` and `citationMetadata` to and from citations.

Offsets on this wire are bytes of UTF-8, in the IR characters (reference/translation.md 3.1 rule 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proxyapp.dialects.gemini.tables import NAME
from proxyapp.ir.parts import Citation, Text

Raw = dict[str, Any]


# --- from an upstream


def citations_in(candidate: Raw, text: str, bases: dict[int, int]) -> list[Citation]:
    """The sources of `text`. `bases`: where the parts of the candidate begin in it, in bytes."""
    data = text.encode()
    found = [*_grounded(candidate.get("groundingMetadata"), data, bases)]
    recited = candidate.get("citationMetadata")
    if isinstance(recited, dict):
        listed = recited.get("citationSources") or recited.get("citations")
        for source in listed if isinstance(listed, list) else []:
            if isinstance(source, dict) and source.get("uri"):
                start, end = _span(source, data, 0)
                found.append(_citation(source, data, start, end))
    return found


def _grounded(raw: Any, data: bytes, bases: dict[int, int]) -> Iterator[Citation]:
    if not isinstance(raw, dict):
        return
    chunks = [_source(chunk) for chunk in _list(raw.get("groundingChunks"))]
    for support in _list(raw.get("groundingSupports")):
        segment = support.get("segment") if isinstance(support, dict) else None
        if not isinstance(segment, dict):
            continue
        start, end = _span(segment, data, bases.get(_int(segment.get("partIndex")), 0))
        for index in _list(support.get("groundingChunkIndices")):
            if isinstance(index, int) and 0 <= index < len(chunks) and chunks[index]:
                yield _citation(chunks[index], data, start, end)


def _source(chunk: Any) -> Raw:
    """A chunk is named after its kind: `web`, `retrievedContext`, `maps`, `image`."""
    inner = next((value for value in chunk.values() if isinstance(value, dict)), {}) if isinstance(chunk, dict) else {}
    return inner


def _span(segment: Raw, data: bytes, base: int) -> tuple[int, int]:
    start, end = base + _int(segment.get("startIndex")), base + _int(segment.get("endIndex"))
    said = segment.get("text")
    if isinstance(said, str) and said and data[start:end] != said.encode():
        place = data.find(said.encode())  # counted otherwise than documented: the words themselves decide
        if place >= 0:
            return place, place + len(said.encode())
    return min(start, len(data)), min(max(start, end), len(data))


def _citation(source: Raw, data: bytes, start: int, end: int) -> Citation:
    url, title = source.get("uri") or source.get("sourceUri"), source.get("title")
    return Citation(
        url=url if isinstance(url, str) else None,
        title=title if isinstance(title, str) else None,
        cited_text=data[start:end].decode("utf-8", "ignore") or None,
        start=len(data[:start].decode("utf-8", "ignore")),
        end=len(data[:end].decode("utf-8", "ignore")),
        dialect=NAME,
    )


def _int(value: Any) -> int:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# --- to a caller


class Grounding:
    """Gathers the sources of an answer while its texts are written; `metadata` at the end."""

    def __init__(self) -> None:
        self._chunks: list[Raw] = []
        self._supports: list[Raw] = []

    def add(self, part: Text, part_index: int) -> None:
        """`part_index`: its place among the parts of the content."""
        for citation in part.citations:
            if citation.url:
                start = 0 if citation.start is None else citation.start
                end = len(part.text) if citation.end is None else citation.end
                self._support(part.text, start, end, self._chunk(citation), part_index)

    def _chunk(self, citation: Citation) -> int:
        chunk = {"web": {"uri": citation.url, "title": citation.title or citation.url}}
        if chunk not in self._chunks:
            self._chunks.append(chunk)
        return self._chunks.index(chunk)

    def _support(self, text: str, start: int, end: int, chunk: int, part_index: int) -> None:
        segment: Raw = {"startIndex": len(text[:start].encode()), "endIndex": len(text[:end].encode())}
        segment = {**({"partIndex": part_index} if part_index else {}), **segment, "text": text[start:end]}
        for support in self._supports:
            if support["segment"] == segment:
                support["groundingChunkIndices"].append(chunk)
                return
        self._supports.append({"segment": segment, "groundingChunkIndices": [chunk]})

    def metadata(self) -> Raw | None:
        if not self._supports:
            return None
        return {"groundingChunks": self._chunks, "groundingSupports": self._supports}
