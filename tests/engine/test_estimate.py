"""The reckoning of tokens: texts by their bytes, images by their size, everything of a request looked at."""

from __future__ import annotations

import base64
import struct

import pytest

from proxyapp.engine.estimate import image_size, tokens, weigh
from proxyapp.ir import parts as p
from proxyapp.ir.request import Format, Request, ServerTool, Tool, Turn


def png(width: int, height: int) -> str:
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08"
    ).decode()


def jpeg(width: int, height: int) -> str:
    app = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF" + b"\0" * 10
    frame = b"\xff\xc2" + struct.pack(">HBHH", 17, 8, height, width) + b"\0" * 20
    return base64.b64encode(b"\xff\xd8" + app + frame).decode()


def gif(width: int, height: int) -> str:
    return base64.b64encode(b"GIF89a" + struct.pack("<HH", width, height) + b"\0" * 8).decode()


def webp(form: bytes, rest: bytes) -> str:
    return base64.b64encode(b"RIFF\0\0\0\0WEBP" + form + rest).decode()


@pytest.mark.parametrize(
    "data",
    [
        png(640, 480),
        jpeg(640, 480),
        gif(640, 480),
        webp(b"VP8X", b"\0" * 8 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
        webp(b"VP8 ", b"\0" * 10 + struct.pack("<HH", 640, 480)),
        webp(b"VP8L", b"\0" * 4 + b"\x2f" + struct.pack("<I", 639 | 479 << 14)),
    ],
)
def test_the_size_of_an_image_is_in_its_head(data: str) -> None:
    assert image_size(data) == (640, 480)


@pytest.mark.parametrize(
    "data", ["", "!!!!", "AAAA", png(1, 1)[:20], jpeg(1, 1)[:24], webp(b"VP8X", b""), webp(b"VP9 ", b"\0" * 20), "é"]
)
def test_an_image_whose_head_does_not_tell_has_no_size(data: str) -> None:
    assert image_size(data) is None


def of(*parts: p.Part) -> Request:
    return Request(client_dialect="x", model="m", turns=[Turn(role="user", parts=list(parts))])


def test_texts_weigh_a_quarter_of_their_bytes() -> None:
    words = weigh(of(p.Text(text="word " * 100))).text - weigh(of()).text
    assert words == 125
    assert weigh(of(p.Text(text="语" * 100))).text - weigh(of()).text == 75
    assert weigh(of(p.Text(text="\ud800 half a pair"))).text > 0


def test_an_image_weighs_by_its_size_within_bounds() -> None:
    def image(kind: str, data: str) -> int:
        return weigh(of(p.Image(source=p.Source(kind=kind, data=data)))).media

    assert image("base64", png(750, 750)) == 750
    assert image("base64", png(10, 10)) == 85
    assert image("base64", png(60_000, 60_000)) == image("url", "https://h/x.png") == image("base64", "AAAA") == 1600


def test_documents_weigh_by_pages_and_texts_by_their_words() -> None:
    pdf = p.Document(source=p.Source(kind="base64", data="A" * 400_000, mime="application/pdf"))
    text = p.Document(source=p.Source(kind="text", data="word " * 100, mime="text/plain"), title="t")
    assert weigh(of(pdf)).media == 5 * 1600
    assert weigh(of(text)).media == 0
    assert weigh(of(text)).text >= 125


def test_every_kind_of_part_weighs_something() -> None:
    nothing = weigh(of()).total
    for part in (
        p.ToolCall(id="1", name="look", arguments='{"q": "something"}'),
        p.ToolResult(call_id="1", parts=[p.Text(text="found it"), p.Image(source=p.Source(kind="url", data="u"))]),
        p.Reasoning(text="let me think"),
        p.Refusal(text="I will not"),
        p.SearchResult(source="s", title="t", texts=["something found"]),
        p.ServerResult(call_id="1", dialect="x", raw={"result": "something"}),
        p.Opaque(dialect="x", raw={"any": "thing"}),
        p.Audio(source=p.Source(kind="base64", data="A" * 10_000)),
    ):
        assert weigh(of(part)).total > nothing


def test_tools_the_answers_form_and_the_system_prompt_weigh_too() -> None:
    request = of(p.Text(text="hi"))
    bare = weigh(request).total
    request.tools = [Tool(name="look", description="Looks.", schema={"type": "object"})]
    tooled = weigh(request).total
    request.server_tools = [ServerTool(kind="web_search", dialect="x", raw={"type": "web_search", "of": "long" * 20})]
    hosted = weigh(request).total
    request.format = Format(kind="json_schema", schema={"type": "object", "properties": {"a": {"type": "string"}}})
    shaped = weigh(request).total
    request.system = [p.Text(text="Be brief, and be it now.")]
    assert bare < tooled < hosted < shaped < weigh(request).total


def test_a_factor_is_for_texts_alone_and_there_is_always_a_token() -> None:
    weight = weigh(of(p.Text(text="word " * 80), p.Image(source=p.Source(kind="base64", data=png(750, 750)))))
    assert tokens(weight, 2.0) - tokens(weight) == weight.text
    assert tokens(weigh(Request(client_dialect="x", model="m"))) == 1
