"""Inline data of images and files: data URLs and base64, both ways. Rules: reference/translation.md section 8."""

from __future__ import annotations

import base64
import binascii
import re

from proxyapp.dialects.openai.fields import wrong
from proxyapp.dialects.openai.tables import MIME_OF_SUFFIX
from proxyapp.ir.parts import Document, Image, Part, Source

_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*?);base64,", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)
_TEXT_MIMES = {"application/json", "application/xml", "application/yaml"}


def image_source(url: str, path: str) -> Source:
    """An address or a data URL. Raises BadRequest for anything else."""
    if url.partition(":")[0].lower() in ("http", "https", "gs"):
        return Source(kind="url", data=url)
    found = data_url(url, path)
    if found is None:
        raise wrong(path, "a http(s) address or a base64 data URL")
    mime, data = found
    mime = sniffed(data) or mime
    if not mime:
        raise wrong(path, "a data URL that names its media type")
    return Source(kind="base64", data=data, mime=mime)


def inline_file(raw: str, name: str | None, path: str) -> Part:
    """A file's data, as a data URL or (seen from clients) as bare base64. Raises BadRequest for bad base64."""
    mime, data = data_url(raw, path) or ("", clean_base64(raw, path))
    mime = sniffed(data) or mime or MIME_OF_SUFFIX.get((name or "").rpartition(".")[2].lower(), "application/pdf")
    if mime.startswith("image/"):
        return Image(source=Source(kind="base64", data=data, mime=mime))
    return Document(source=_document_source(data, mime), title=name)


def _document_source(data: str, mime: str) -> Source:
    words = as_text(data) if mime.startswith("text/") or mime in _TEXT_MIMES else None
    if words is None:
        return Source(kind="base64", data=data, mime=mime)
    return Source(kind="text", data=words, mime="text/plain")


def data_url(url: str, path: str) -> tuple[str, str] | None:
    """(media type or "", standard base64) of a data URL; None when it is none. Raises BadRequest for bad base64."""
    match = _DATA_URL.match(url)
    if match is None:
        return None
    mime = match.group(1).strip().lower()
    return "image/jpeg" if mime == "image/jpg" else mime, clean_base64(url[match.end() :], path)


def clean_base64(data: str, path: str) -> str:
    """Standard alphabet, padded, no line breaks. Raises BadRequest when it is not base64, or empty."""
    if not data.isascii():
        raise wrong(path, "base64")
    clean = _BLANKS.sub("", data).translate({45: "+", 95: "/"}).rstrip("=")
    clean += "=" * (-len(clean) % 4)
    try:
        if clean and base64.b64decode(clean, validate=True):
            return clean
    except (binascii.Error, ValueError):
        pass
    raise wrong(path, "base64")


def sniffed(data: str) -> str | None:
    """The media type its first bytes show, for the kinds that upstreams check; None = not one of them."""
    try:
        head = base64.b64decode(data[:64])
    except (binascii.Error, ValueError):
        return None
    for magic, mime in _MAGIC:
        if head.startswith(magic):
            return mime
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def as_text(data: str) -> str | None:
    """Base64 of UTF-8 text as that text; None when it is not."""
    try:
        return base64.b64decode(data).decode()
    except (binascii.Error, ValueError):
        return None


def as_data_url(source: Source) -> str:
    return f"data:{source.mime or 'application/octet-stream'};base64,{source.data}"


def document_text(part: Document) -> str | None:
    """A text document as text under its title; None when it is not text."""
    source = part.source
    if source.kind == "text":
        words: str | None = source.data
    elif source.kind == "base64" and (source.mime or "").startswith("text/"):
        words = as_text(source.data)
    else:
        words = None
    if words is None:
        return None
    head = [line for line in (part.title and f"Document: {part.title}", part.context) if line]
    return "\n".join([*head, words])
