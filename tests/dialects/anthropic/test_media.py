"""Images and documents on their way to an upstream."""

from __future__ import annotations

import base64

import pytest

from proxyapp.dialects.anthropic.media import render_document, render_image
from proxyapp.errors import Unsupported
from proxyapp.ir.parts import Document, Image, Source

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()
WEBP = base64.b64encode(b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 16).decode()
PDF = base64.b64encode(b"%PDF-1.7 etc. etc. etc.").decode()
WORDS = base64.b64encode("grüße".encode()).decode()


def inline(data: str, mime: str | None = None) -> Source:
    return Source(kind="base64", data=data, mime=mime)


@pytest.mark.parametrize(
    ("source", "mime"),
    [
        (inline(PNG, "image/jpeg"), "image/png"),
        (inline(PNG), "image/png"),
        (inline(WEBP, "image/png"), "image/webp"),
        (inline("AAAA", "image/jpg"), "image/jpeg"),
        (inline("AAAA", "IMAGE/GIF"), "image/gif"),
        (inline("A", "image/gif"), "image/gif"),
        (Source(kind="url", data=f"data:image/gif;base64,{PNG}"), "image/png"),
        (Source(kind="url", data=f"DATA:;BASE64,{PNG}"), "image/png"),
    ],
)
def test_the_bytes_decide_the_type_of_an_image(source: Source, mime: str) -> None:
    rendered = render_image(Image(source=source), "p", own=False)
    assert (rendered["type"], rendered["media_type"]) == ("base64", mime)


@pytest.mark.parametrize("mime", ["image/svg+xml", "image/heic", "image/avif", "image/tiff", "image/bmp", None])
def test_other_images_are_refused_by_name(mime: str | None) -> None:
    with pytest.raises(Unsupported) as caught:
        render_image(Image(source=inline("AAAA", mime)), "messages.0.content.1", own=True)
    assert caught.value.param == "messages.0.content.1"


def test_a_file_id_belongs_to_its_provider() -> None:
    part = Image(source=Source(kind="file", data="file_1"))
    assert render_image(part, "p", own=True) == {"type": "file", "file_id": "file_1"}
    with pytest.raises(Unsupported):
        render_image(part, "p", own=False)
    document = Document(source=Source(kind="file", data="file_1"))
    assert render_document(document, "p", own=True) == ("document", {"type": "file", "file_id": "file_1"})
    with pytest.raises(Unsupported):
        render_document(document, "p", own=False)


@pytest.mark.parametrize(
    ("source", "title", "expected"),
    [
        (inline(PDF, "application/octet-stream"), None, ("document", "base64", "application/pdf")),
        (inline("AAAA"), "paper.PDF", ("document", "base64", "application/pdf")),
        (inline(PNG, "application/octet-stream"), None, ("image", "base64", "image/png")),
        (inline(WORDS, "text/markdown; charset=utf-8"), None, ("document", "text", "text/plain")),
        (inline(WORDS), None, ("document", "text", "text/plain")),
        (Source(kind="text", data="words"), None, ("document", "text", "text/plain")),
        (Source(kind="url", data="data:text/plain,a%20b"), None, ("document", "text", "text/plain")),
    ],
)
def test_documents_are_pdf_text_or_pictures(source: Source, title: str | None, expected: tuple[str, str, str]) -> None:
    kind, rendered = render_document(Document(source=source, title=title), "p", own=False)
    assert (kind, rendered["type"], rendered["media_type"]) == expected


def test_text_of_a_document_is_decoded() -> None:
    assert render_document(Document(source=inline(WORDS, "text/plain")), "p", own=False)[1]["data"] == "grüße"
    percent = Document(source=Source(kind="url", data="data:text/plain,a%20b"))
    assert render_document(percent, "p", own=False)[1]["data"] == "a b"


def test_a_document_address_stays_one() -> None:
    part = Document(source=Source(kind="url", data="https://x.example/a.pdf"))
    assert render_document(part, "p", own=False) == ("document", {"type": "url", "url": "https://x.example/a.pdf"})


@pytest.mark.parametrize("mime", ["application/msword", "text/plain"])
def test_other_documents_are_refused_by_name(mime: str) -> None:
    binary = base64.b64encode(b"\xff\xfe\xfd").decode()
    with pytest.raises(Unsupported) as caught:
        render_document(Document(source=inline(binary, mime)), "messages.2.content.0", own=False)
    assert caught.value.param == "messages.2.content.0"
