"""Sources of a text: this dialect's annotations to and from the IR."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.openai_responses.tables import NAME
from proxyapp.ir.parts import Citation


def citation_of(raw: Any) -> Citation | None:
    """An upstream's annotation; None for what is none. Kinds without an address keep only their own form."""
    if not isinstance(raw, dict):
        return None
    return Citation(
        url=_words(raw.get("url")),
        title=_words(raw.get("title")),
        start=_offset(raw.get("start_index")),
        end=_offset(raw.get("end_index")),
        dialect=NAME,
        raw=raw,
    )


def annotation_of(citation: Citation, length: int) -> dict[str, Any] | None:
    """A citation for a caller; None when it has no address. Without offsets of its own it covers the whole text."""
    if citation.dialect == NAME and citation.raw is not None and citation.raw.get("type") != "url_citation":
        return citation.raw
    if not citation.url:
        return None
    return {
        "type": "url_citation",
        "start_index": 0 if citation.start is None else min(citation.start, length),
        "end_index": length if citation.end is None else min(citation.end, length),
        "url": citation.url,
        "title": citation.title or citation.url,
    }


def _words(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _offset(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
