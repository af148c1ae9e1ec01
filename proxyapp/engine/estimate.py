"""How many tokens a prompt has, roughly and at once: four bytes of text a token, media by their size.

Four bytes of UTF-8 are near a token in most languages and in code; what is left is the model's own, and is learned from
the history as a factor per upstream and model (`Factors`). Measured answers are not needed for a first number.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable, Mapping

from msgspec import Struct

from proxyapp.dialects import jsonio
from proxyapp.ir import parts as p
from proxyapp.ir.request import Request, Tool

Factors = Mapping[tuple[str, str], float]
"""(upstream, its model) -> by how much its own counts differ from the weights here."""

_BYTES_PER_TOKEN = 4
_PER_TURN = 4
_PER_TOOL = 8
_MEDIUM = 1_600
"""An image or a page whose size is not known: the most Anthropic takes for an image of usual size."""
_LEAST_IMAGE = 85
_PIXELS_PER_TOKEN = 750
_BYTES_PER_PAGE = 60_000
_AUDIO_BYTES_PER_TOKEN = 500
_HEADER = 64 * 1024
"""Base64 characters looked at for an image's size."""


class Weight(Struct, frozen=True):
    """A prompt's tokens as reckoned here, before any factor."""

    text: int
    media: int = 0

    @property
    def total(self) -> int:
        return self.text + self.media


def tokens(weight: Weight, factor: float = 1.0) -> int:
    """The estimate: the factor is learned on texts and says nothing of media."""
    return max(round(weight.text * factor) + weight.media, 1)


def weigh(request: Request) -> Weight:
    """The weight of a request."""
    size = _texts(text.text for text in request.system)
    size += sum(_tool(tool) for tool in request.tools)
    size += sum(len(jsonio.encode(tool.raw)) for tool in request.server_tools)
    if request.format is not None and request.format.schema is not None:
        size += len(jsonio.encode(request.format.schema))
    fixed = _PER_TURN * len(request.turns) + _PER_TOOL * len(request.tools)
    media = 0
    for turn in request.turns:
        for part in turn.parts:
            text, medium = _part(part)
            size, media = size + text, media + medium
    return Weight(size // _BYTES_PER_TOKEN + fixed, media)


def _tool(tool: Tool) -> int:
    schema = tool.schema if tool.schema is not None else tool.grammar
    return _texts((tool.name, tool.description or "")) + (len(jsonio.encode(schema)) if schema else 0)


def _texts(texts: Iterable[str]) -> int:
    return sum(len(text) if text.isascii() else len(text.encode(errors="replace")) for text in texts)


def _part(part: p.Part) -> tuple[int, int]:
    """Bytes of text, and tokens of media."""
    match part:
        case p.ToolResult():
            inner = [_part(each) for each in part.parts]
            return sum(text for text, _ in inner), sum(medium for _, medium in inner)
        case p.Document():
            return _document(part)
        case p.Image():
            return 0, _image(part.source)
        case p.Audio():
            return 0, _bytes_of(part.source) // _AUDIO_BYTES_PER_TOKEN
    return _words(part), 0


def _words(part: p.Part) -> int:
    match part:
        case p.Text() | p.Refusal() | p.Reasoning():
            return _texts((part.text,))
        case p.ToolCall() | p.ServerCall():
            return _texts((part.name, part.arguments))
        case p.SearchResult():
            return _texts((part.title, part.source, *part.texts))
        case p.ServerResult() | p.Opaque():
            return len(jsonio.encode(part.raw))
    return 0


def _document(part: p.Document) -> tuple[int, int]:
    around = _texts((part.title or "", part.context or ""))
    if part.source.kind == "text":
        return around + _texts((part.source.data,)), 0
    if (part.source.mime or "").startswith("text/"):
        return around + _bytes_of(part.source), 0
    return around, _MEDIUM * max(_bytes_of(part.source) // _BYTES_PER_PAGE, 1)


def _bytes_of(source: p.Source) -> int:
    return len(source.data) * 3 // 4 if source.kind == "base64" else 0


def _image(source: p.Source) -> int:
    size = image_size(source.data) if source.kind == "base64" else None
    if size is None:
        return _MEDIUM
    return min(max(size[0] * size[1] // _PIXELS_PER_TOKEN, _LEAST_IMAGE), _MEDIUM)


def image_size(data: str) -> tuple[int, int] | None:
    """Width and height of a PNG, GIF, JPEG or WebP in base64; None when its head does not tell."""
    try:
        head = base64.b64decode(data[:_HEADER])
    except (binascii.Error, ValueError):
        return None
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack_from(">II", head, 16)
        if head.startswith((b"GIF87a", b"GIF89a")):
            return struct.unpack_from("<HH", head, 6)
        if head.startswith(b"\xff\xd8"):
            return _jpeg(head)
        if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            return _webp(head)
    except (struct.error, IndexError):
        return None
    return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """From the frame header, whose place is told by the lengths of the segments before it."""
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        at += 2 + struct.unpack_from(">H", head, at + 2)[0]
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    form = head[12:16]
    if form == b"VP8X" and len(head) >= 30:
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if form == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    if form == b"VP8L":
        bits = struct.unpack_from("<I", head, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
    return None
