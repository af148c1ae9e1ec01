"""What messages and tool outputs hold, as parts: a string, or a list of typed content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proxyapp.dialects.openai.fields import as_record, record, text, wrong
from proxyapp.dialects.openai.media import clean_base64, image_source, inline_file
from proxyapp.dialects.openai_responses.tables import NAME
from proxyapp.ir.parts import Audio, Document, Image, Opaque, Part, Refusal, Source, Text

_AUDIO_MIME = {"wav": "audio/wav", "mp3": "audio/mpeg"}


def read_content(value: Any, path: str) -> list[Part]:
    """The parts of a message's `content` or of a call's `output`; none when it is null. Raises BadRequest."""
    if value is None:
        return []
    if isinstance(value, str):
        return [Text(text=value)]
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise wrong(path, "a string or a list of content")
    return [_part(item, f"{path}.{index}") for index, item in enumerate(value)]


def read_texts(value: Any, path: str) -> list[Text]:
    """The content of a system or developer message, which may hold text only. Blank texts are left out."""
    texts = []
    for index, part in enumerate(read_content(value, path)):
        if not isinstance(part, Text):
            raise wrong(f"{path}.{index}", "a text: only user messages may hold others")
        if part.text:
            texts.append(part)
    return texts


def _part(item: Any, path: str) -> Part:
    if isinstance(item, str):
        return Text(text=item)
    spec = as_record(item, path)
    word = text(spec, "type", path)
    if not word:
        raise wrong(f"{path}.type", "given")
    read = _READERS.get(word)
    part = Opaque(dialect=NAME, raw=spec) if read is None else read(spec, path)
    if point := record(spec, "prompt_cache_breakpoint", path):
        part.cache = text(point, "ttl", f"{path}.prompt_cache_breakpoint") or "30m"
    return part


def _text(spec: dict[str, Any], path: str) -> Part:
    value = text(spec, "text", path)
    if value is None:
        raise wrong(f"{path}.text", "a string")
    notes = spec.get("annotations")
    return Text(text=value, meta={NAME: {"annotations": notes}} if isinstance(notes, list) and notes else {})


def _refusal(spec: dict[str, Any], path: str) -> Part:
    return Refusal(text=text(spec, "refusal", path) or "")


def _image(spec: dict[str, Any], path: str) -> Part:
    detail = text(spec, "detail", path)
    if file_id := text(spec, "file_id", path):
        return Image(source=Source(kind="file", data=file_id), detail=detail)
    value = spec.get("image_url")
    if isinstance(value, dict):  # Chat's form, sent here by some clients
        detail = detail or text(value, "detail", f"{path}.image_url")
        value = text(value, "url", f"{path}.image_url")
    if not isinstance(value, str) or not value:
        raise wrong(f"{path}.image_url", "given: a http(s) address or a data URL")
    source = image_source(value, f"{path}.image_url")
    if source.mime == "application/pdf":
        return Document(source=source)
    return Image(source=source, detail=detail)


def _file(spec: dict[str, Any], path: str) -> Part:
    name = text(spec, "filename", path)
    if file_id := text(spec, "file_id", path):
        return Document(source=Source(kind="file", data=file_id), title=name)
    if url := text(spec, "file_url", path):
        return Document(source=Source(kind="url", data=url), title=name)
    raw = text(spec, "file_data", path)
    if not raw:
        raise wrong(path, "an object with `file_data`, `file_url` or `file_id`")
    return inline_file(raw, name, f"{path}.file_data")


def _audio(spec: dict[str, Any], path: str) -> Part:
    inner = record(spec, "input_audio", path) or {}
    data = clean_base64(text(inner, "data", f"{path}.input_audio") or "", f"{path}.input_audio.data")
    word = (text(inner, "format", f"{path}.input_audio") or "wav").lower()
    return Audio(source=Source(kind="base64", data=data, mime=_AUDIO_MIME.get(word, f"audio/{word}")))


_READERS: dict[str, Callable[[dict[str, Any], str], Part]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "summary_text": _text,
    "reasoning_text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "computer_screenshot": _image,
    "input_file": _file,
    "input_audio": _audio,
}
