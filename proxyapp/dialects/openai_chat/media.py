"""Images, files and audio of Chat messages, read and written. Rules: reference/translation.md section 8."""

from __future__ import annotations

from typing import Any

from proxyapp.dialects.openai.fields import record, text, wrong
from proxyapp.dialects.openai.media import clean_base64, image_source, inline_file
from proxyapp.dialects.openai_chat.tables import AUDIO_MIME
from proxyapp.ir.parts import Audio, Document, Image, Part, Source
from proxyapp.ir.profile import Profile


def needs_bytes(part: Part, profile: Profile) -> bool:
    """Documents and audio have no form with an address here; images have, and some servers do not load them."""
    return isinstance(part, Document | Audio) or not profile.image_urls


def read_image(part: dict[str, Any], path: str) -> Part:
    """An `image_url` part: `{url, detail}` or a bare URL."""
    value = part.get("image_url")
    spec = {"url": value} if isinstance(value, str) else record(part, "image_url", path) or {}
    url = text(spec, "url", f"{path}.image_url")
    if not url:
        raise wrong(f"{path}.image_url.url", "given: a http(s) address or a data URL")
    source = image_source(url, f"{path}.image_url.url")
    if source.mime == "application/pdf":
        return Document(source=source)
    return Image(source=source, detail=text(spec, "detail", f"{path}.image_url"))


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
    return inline_file(raw, name, f"{at}.file_data")
