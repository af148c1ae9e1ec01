"""What some Chat answers carry beside text and calls: citations, images, audio."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from proxyapp.dialects.openai_chat import media
from proxyapp.dialects.openai_chat.tables import NAME
from proxyapp.errors import BadRequest
from proxyapp.ir.parts import Audio, Citation, Image, Part, Source


def citation_of(raw: Any) -> Citation | None:
    """An annotation, a bare address (Perplexity's `citations`), or its `search_results`; None for other kinds."""
    if isinstance(raw, str):
        return Citation(url=raw, dialect=NAME)
    if not isinstance(raw, dict):
        return None
    spec = raw.get("url_citation")
    if not isinstance(spec, dict):
        url = None if "type" in raw else _words(raw.get("url"))
        return Citation(url=url, title=_words(raw.get("title")), dialect=NAME) if url else None
    return Citation(
        url=_words(spec.get("url")),
        title=_words(spec.get("title")),
        start=_offset(spec.get("start_index")),
        end=_offset(spec.get("end_index")),
        dialect=NAME,
        raw=raw,
    )


def annotation_of(citation: Citation, start: int, end: int) -> dict[str, Any] | None:
    """A citation for a Chat caller; None when it has no address (Chat knows only addresses).

    `start` and `end` of the text it stands on serve where the citation has no offsets of its own (3.1, rule 3).
    """
    if citation.dialect == NAME and citation.raw is not None:
        return citation.raw
    if not citation.url:
        return None
    spec = {
        "start_index": start if citation.start is None else start + citation.start,
        "end_index": end if citation.end is None else start + citation.end,
        "url": citation.url,
        "title": citation.title or citation.url,
    }
    return {"type": "url_citation", "url_citation": spec}


def image_of(raw: Any) -> Part | None:
    """An image in an answer (OpenRouter's `images`), or None."""
    try:
        part = media.read_image(raw, "images") if isinstance(raw, dict) else None
    except BadRequest:
        return None
    return part if isinstance(part, Image) else None


class AudioPieces:
    """Spoken output in pieces; each piece of data is base64 of its own."""

    def __init__(self) -> None:
        self._data: list[bytes] = []
        self._transcript: list[str] = []
        self._meta: dict[str, Any] = {}

    def take(self, raw: Any) -> None:
        if not isinstance(raw, dict):
            return
        self._meta |= {name: raw[name] for name in ("id", "expires_at") if raw.get(name) is not None}
        self._transcript.append(_words(raw.get("transcript")) or "")
        try:
            self._data.append(base64.b64decode(_words(raw.get("data")) or ""))
        except (binascii.Error, ValueError):
            return

    def whole(self) -> Audio | None:
        if not self._meta and not any(self._data):
            return None
        data = base64.b64encode(b"".join(self._data)).decode()
        transcript = "".join(self._transcript) or None
        return Audio(source=Source(kind="base64", data=data), transcript=transcript, meta={NAME: self._meta})


def _words(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _offset(value: Any) -> int | None:
    return value if isinstance(value, int) else None
