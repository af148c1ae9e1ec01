"""Images, files and audio of Chat messages, read and written. Rules: reference/translation.md section 8."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from proxyapp.dialects.openai_chat.fields import record, text, wrong
from proxyapp.dialects.openai_chat.tables import AUDIO_MIME, MIME_OF_SUFFIX
from proxyapp.ir.parts import Audio, Document, Image, Part, Source

_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*?);base64,", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)
_TEXT_MIMES = {"application/json", "application/xml", "application/yaml"}


def read_image(part: dict[str, Any], path: str) -> Part:
    """An `image_url` part: `{url, detail}` or a bare URL."""
    value = part.get("image_url")
    spec = {"url": value} if isinstance(value, str) else record(part, "image_url", path) or {}
    url = text(spec, "url", f"{path}.image_url")
    if not url:
        raise wrong(f"{path}.image_url.url", "given: a http(s) address or a data URL")
    source = _image_source(url, f"{path}.image_url.url")
    if source.mime == "application/pdf":
        return Document(source=source)
    return Image(source=source, detail=text(spec, "detail", f"{path}.image_url"))


def _image_source(url: str, path: str) -> Source:
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


def read_audio(part: dict[str, Any], path: str) -> Part:
    """An `input_audio` part."""
    spec = record(part, "input_audio", path) or {}
    at = f"{path}.input_audio"
    data = clean_base64(text(spec, "data", at) or "", f"{at}.data")
    word = (text(spec, "format", at) or "wav").lower()
    return Audio(source=Source(kind="base64", data=data, mime=AUDIO_MIME.get(word, f"audio/{word}")))


def read_file(part: dict[str, Any], path: str) -> Part:
    """A `file` part: a provider's file id, or data as a data URL or (seen from clients) as bare base64."""
    spec = record(part, "file", path) or {}
    at = f"{path}.file"
    name = text(spec, "filename", at)
    if file_id := text(spec, "file_id", at):
        return Document(source=Source(kind="file", data=file_id), title=name)
    raw = text(spec, "file_data", at)
    if not raw:
        raise wrong(at, "an object with `file_data` or `file_id`")
    mime, data = data_url(raw, f"{at}.file_data") or ("", clean_base64(raw, f"{at}.file_data"))
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
