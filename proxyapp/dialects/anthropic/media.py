"""Images and documents: this wire's `source` objects to and from the IR (reference/translation.md 8)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote

from proxyapp.dialects.anthropic import fields
from proxyapp.dialects.anthropic.tables import IMAGE_TYPES
from proxyapp.errors import Unsupported
from proxyapp.ir.parts import Document, Image, Source

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)
_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_PDF = "application/pdf"
_URL_SAFE = str.maketrans("-_", "+/")


# --- from a caller


def parse_source(value: Any, path: str) -> Source | None:
    """A `source` object; None for a kind not known here. Raises BadRequest for a malformed one."""
    source = fields.mapping(value, path)
    match fields.text(source.get("type"), f"{path}.type"):
        case "base64":
            mime = fields.maybe_text(source.get("media_type"), f"{path}.media_type")
            return Source(kind="base64", data=_standard(fields.text(source.get("data"), f"{path}.data")), mime=mime)
        case "url":
            return Source(kind="url", data=fields.text(source.get("url"), f"{path}.url"))
        case "file":
            return Source(kind="file", data=fields.text(source.get("file_id"), f"{path}.file_id"))
        case "text":
            data = fields.text(source.get("data"), f"{path}.data")
            return Source(kind="text", data=data, mime=source.get("media_type") or "text/plain")
        case "content":
            return Source(kind="text", data=_content_text(source.get("content"), f"{path}.content"), mime="text/plain")
    return None


def _content_text(content: Any, path: str) -> str:
    if isinstance(content, str):
        return content
    blocks = [fields.mapping(block, f"{path}.{index}") for index, block in enumerate(fields.listing(content, path))]
    return "\n\n".join(str(block["text"]) for block in blocks if isinstance(block.get("text"), str))


def _standard(data: str) -> str:
    """Standard alphabet, no line breaks, as the IR has it."""
    if "\n" in data or "\r" in data or " " in data:
        data = "".join(data.split())
    return data.translate(_URL_SAFE) if "-" in data or "_" in data else data


# --- to an upstream


def render_image(part: Image, path: str, *, own: bool) -> dict[str, Any]:
    """An image block's source. Raises Unsupported for formats the upstream has not, and for foreign file ids."""
    source = _from_data_url(part.source)
    match source.kind:
        case "url":
            return {"type": "url", "url": source.data}
        case "base64":
            mime = _sniffed(source.data) or (source.mime or "").lower().replace("image/jpg", "image/jpeg")
            if mime not in IMAGE_TYPES:
                raise Unsupported(f"An image of type {mime or 'unknown'} cannot be sent to this model.", param=path)
            return {"type": "base64", "media_type": mime, "data": source.data}
        case "file" if own:
            return {"type": "file", "file_id": source.data}
    raise Unsupported("A file id of another provider cannot be used with this model.", param=path)


def render_document(part: Document, path: str, *, own: bool) -> tuple[str, dict[str, Any]]:
    """Block type (`document`, or `image` for a picture that came as a file) and its source. Raises Unsupported."""
    source = _from_data_url(part.source)
    match source.kind:
        case "text":
            return "document", _plain(source.data)
        case "url":
            return "document", {"type": "url", "url": source.data}
        case "base64":
            return _inline(source, part.title, path)
        case "file" if own:
            return "document", {"type": "file", "file_id": source.data}
    raise Unsupported("A file id of another provider cannot be used with this model.", param=path)


def _inline(source: Source, title: str | None, path: str) -> tuple[str, dict[str, Any]]:
    mime = _sniffed(source.data) or (source.mime or "").lower().split(";")[0]
    if mime in IMAGE_TYPES:
        return "image", {"type": "base64", "media_type": mime, "data": source.data}
    if mime == _PDF or (not mime and (title or "").lower().endswith(".pdf")):
        return "document", {"type": "base64", "media_type": _PDF, "data": source.data}
    if not mime or mime.startswith("text/") or mime in ("application/json", "application/xml"):
        text = _decoded_text(source.data)
        if text is not None:
            return "document", _plain(text)
    raise Unsupported(f"A document of type {mime or 'unknown'} cannot be sent to this model.", param=path)


def _plain(text: str) -> dict[str, Any]:
    return {"type": "text", "media_type": "text/plain", "data": text}


def _from_data_url(source: Source) -> Source:
    if source.kind != "url" or not (found := _DATA_URL.match(source.data)):
        return source
    data = source.data[found.end() :]
    if ";base64" not in found.group(2).lower():
        return Source(kind="text", data=unquote(data), mime=found.group(1) or "text/plain")
    return Source(kind="base64", data=_standard(data), mime=found.group(1) or None)


def _sniffed(data: str) -> str | None:
    """The type that the first bytes tell: Anthropic checks bytes against `media_type` and answers 400."""
    try:
        head = base64.b64decode(data[:32] + "=" * (-len(data[:32]) % 4))
    except (binascii.Error, ValueError):
        return None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _MAGIC if head.startswith(magic)), None)


def _decoded_text(data: str) -> str | None:
    try:
        return base64.b64decode(data).decode()
    except ValueError:
        return None
