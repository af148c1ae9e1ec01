"""Media: `inlineData` and `fileData` to and from the IR (reference/translation.md 8)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.gemini import fields
from proxyapp.dialects.gemini.tables import MIME_OF_SUFFIX
from proxyapp.errors import Unsupported
from proxyapp.ir import parts as p
from proxyapp.ir.profile import Profile

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)
_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_URL_SAFE = str.maketrans("-_", "+/")
_GOOGLES = ("generativelanguage.googleapis.com", "www.youtube.com", "youtube.com", "youtu.be")
"""Hosts whose addresses the API reads itself: uploaded files and public videos."""
_READABLE = frozenset({"application/json", "application/xml", "application/yaml"})

# --- from a caller


def read_blob(blob: dict[str, Any], path: str) -> p.Part:
    """An `inlineData` object. Raises BadRequest."""
    mime = (fields.text(blob, "mimeType", path) or "").lower()
    data = standard(fields.text(blob, "data", path) or "", f"{path}.data")
    name = fields.text(blob, "displayName", path)
    return as_part(p.Source(kind="base64", data=data, mime=mime or None), mime or sniffed(data) or "", name)


def read_file(spec: dict[str, Any], path: str) -> p.Part:
    """A `fileData` object. Files uploaded to Google are its own ids, other addresses can be read by anybody."""
    uri = fields.text(spec, "fileUri", path)
    if not uri:
        raise fields.wrong(f"{path}.fileUri", "given, as a string that is not empty")
    mime = (fields.text(spec, "mimeType", path) or mime_of_address(uri)).lower()
    kind = "file" if is_googles(uri) or not uri.lower().startswith(("http://", "https://")) else "url"
    return as_part(p.Source(kind=kind, data=uri, mime=mime or None), mime, fields.text(spec, "displayName", path))


def as_part(source: p.Source, mime: str, name: str | None) -> p.Part:
    """Image, audio, or document by the media type. Plain text becomes text of a document; video, which nobody else
    takes, stays a document of its type."""
    if mime.startswith("image/"):
        return p.Image(source=source)
    if mime.startswith("audio/"):
        return p.Audio(source=source)
    if source.kind == "base64" and (mime.startswith("text/") or mime in _READABLE):
        words = _decoded(source.data)
        if words is not None:
            return p.Document(source=p.Source(kind="text", data=words, mime="text/plain"), title=name)
    return p.Document(source=source, title=name)


def standard(data: str, path: str) -> str:
    """Standard alphabet, padded, no line breaks. Raises BadRequest for what is not base64."""
    clean = "".join(data.split()).translate(_URL_SAFE).rstrip("=")
    clean += "=" * (-len(clean) % 4)
    try:
        base64.b64decode(clean, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise fields.wrong(path, "base64") from exc
    return clean


# --- to an upstream


def render(part: p.Image | p.Document | p.Audio, path: str, side: UpstreamSide) -> dict[str, Any]:
    """The `inlineData` or `fileData` part. Raises Unsupported for ids of others and addresses it cannot read."""
    source = _from_data_url(part.source)
    match source.kind:
        case "base64":
            return inline(_mime(part, source), source.data)
        case "text":
            return inline("text/plain", base64.b64encode(source.data.encode()).decode())
        case "url":
            return _by_address(source, path, side)
    raise Unsupported("A file id of another provider cannot be used with this model.", param=path)


def inline(mime: str, data: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime, "data": data}}


def needs_bytes(part: p.Part, profile: Profile) -> bool:
    """Does a part that stands at an address have to be sent with its bytes?"""
    source: p.Source | None = getattr(part, "source", None)
    return source is not None and not (profile.media_urls or is_googles(source.data))


def _by_address(source: p.Source, path: str, side: UpstreamSide) -> dict[str, Any]:
    uri = source.data
    if uri.startswith("gs://") or is_googles(uri) or side.profile.media_urls:
        mime = source.mime or mime_of_address(uri)
        return {"fileData": {**({"mimeType": mime} if mime else {}), "fileUri": uri}}
    raise Unsupported("Google's models do not load media from an address; send the bytes (base64) instead.", param=path)


def _mime(part: p.Image | p.Document | p.Audio, source: p.Source) -> str:
    declared = (source.mime or "").lower().split(";")[0].replace("image/jpg", "image/jpeg")
    found = sniffed(source.data)
    if found and (not declared or isinstance(part, p.Image)):
        return found
    suffix = ((part.title if isinstance(part, p.Document) else None) or "").rpartition(".")[2].lower()
    return declared or MIME_OF_SUFFIX.get(suffix, "application/octet-stream")


def is_googles(uri: str) -> bool:
    try:
        return (urlsplit(uri).hostname or "") in _GOOGLES
    except ValueError:
        return False


def mime_of_address(uri: str) -> str:
    """By the name's ending; "" when it tells nothing."""
    return MIME_OF_SUFFIX.get(uri.partition("?")[0].rpartition(".")[2].lower(), "")


def sniffed(data: str) -> str | None:
    """The type that the first bytes show."""
    try:
        head = base64.b64decode(data[:64])
    except (binascii.Error, ValueError):
        return None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _MAGIC if head.startswith(magic)), None)


def _from_data_url(source: p.Source) -> p.Source:
    if source.kind != "url" or not (found := _DATA_URL.match(source.data)):
        return source
    data = source.data[found.end() :]
    if ";base64" not in found.group(2).lower():
        return p.Source(kind="text", data=unquote(data), mime=found.group(1) or "text/plain")
    return p.Source(kind="base64", data="".join(data.split()).translate(_URL_SAFE), mime=found.group(1) or None)


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data).decode()
    except ValueError:
        return None
