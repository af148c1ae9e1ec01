"""Media by address: fetched when the operator allows it, from public addresses alone, and only what they should be."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from proxyapp.engine.media import Fetcher, as_source, is_private
from proxyapp.engine.serve import serve
from proxyapp.errors import BadRequest
from proxyapp.ir import parts as p
from tests.engine.conftest import a_call, a_snapshot, an_upstream, ask, collect
from tests.fakes import answers
from tests.fakes.upstream import Script, ScriptedUpstream, answer_json, answer_text, hang, reset

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
PDF = b"%PDF-1.7 and so on"


def file(data: bytes, kind: str = "image/png", status: int = 200, **headers: str) -> Script:
    return Script(status, {"content-type": kind, **headers}, [data])


def by_address(url: str, kind: str = "document") -> dict[str, Any]:
    content = [{"type": "text", "text": "Look."}, {"type": kind, "source": {"type": "url", "url": url}}]
    return {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}


def fetching(make_engine, snapshot, **rules: Any):
    """An engine that may ask loopback, where the test's own server is."""
    engine = make_engine(snapshot, fetch_media=True)
    engine.fetcher = Fetcher(engine.transport, **{"forbids": lambda host: False, "ports": None, **rules})
    return engine


def chat(upstream: ScriptedUpstream, **profile: Any):
    upstream.default = answer_json(answers.whole("openai-chat"))
    snapshot = a_snapshot(an_upstream("up", upstream.url))
    model = msgspec.structs.replace(snapshot.models["m"], profile=profile)
    return msgspec.structs.replace(snapshot, models={"m": model})


async def test_a_document_by_address_reaches_a_chat_server_with_its_bytes(make_engine, upstream, second_upstream):
    second_upstream.then(file(PDF, "application/pdf"))
    engine = fetching(make_engine, chat(upstream))
    done = await ask(engine, a_call("anthropic-messages", by_address(f"{second_upstream.url}/a.pdf")))
    assert done.status == 200
    sent = upstream.last.body["messages"][0]["content"][1]["file"]["file_data"]
    assert base64.b64decode(sent.partition(",")[2]) == PDF
    asked = second_upstream.last
    assert (asked.method, asked.path, asked.raw) == ("GET", "/a.pdf", b"")
    assert not {"authorization", "cookie", "x-api-key"} & asked.headers.keys()


async def test_an_image_goes_by_address_unless_the_models_profile_says_otherwise(
    make_engine, upstream, second_upstream
):
    url = f"{second_upstream.url}/a.png"
    await ask(fetching(make_engine, chat(upstream)), a_call("anthropic-messages", by_address(url, "image")))
    assert upstream.last.body["messages"][0]["content"][1]["image_url"]["url"] == url
    second_upstream.then(file(PNG, "application/octet-stream"))
    engine = fetching(make_engine, chat(upstream, image_urls=False))
    await ask(engine, a_call("anthropic-messages", by_address(url, "image")))
    sent = upstream.last.body["messages"][0]["content"][1]["image_url"]["url"]
    assert sent == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


async def test_a_text_by_address_is_read_and_media_inside_tool_results_too(make_engine, upstream, second_upstream):
    second_upstream.default = file("Grüße".encode(), "text/plain; charset=utf-8")
    document = by_address(f"{second_upstream.url}/a.txt")["messages"][0]["content"][1]
    body = by_address(f"{second_upstream.url}/a.txt")
    body["tools"] = [{"name": "look", "input_schema": {"type": "object"}}]
    body["messages"] += [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [document]}]},
    ]
    done = await ask(fetching(make_engine, chat(upstream)), a_call("anthropic-messages", body))
    assert done.status == 200
    assert upstream.last.raw.decode().count("Grüße") == 2
    assert len(second_upstream.seen) == 1  # the same address is asked once


async def test_what_was_fetched_serves_all_attempts(make_engine, upstream, second_upstream):
    second_upstream.then(file(PDF, "application/pdf"))
    snapshot = chat(upstream)
    upstream.then(answer_json({"error": {"message": "busy"}}, 503))
    again = {"up": msgspec.structs.replace(snapshot.upstreams["up"], retries=1)}
    engine = fetching(make_engine, msgspec.structs.replace(snapshot, upstreams=again))
    done = await ask(engine, a_call("anthropic-messages", by_address(f"{second_upstream.url}/a.pdf")))
    assert (done.status, len(upstream.seen), len(second_upstream.seen)) == (200, 2, 1)


async def test_switched_off_it_is_a_400_that_says_what_to_set(make_engine, upstream, second_upstream):
    engine = make_engine(chat(upstream))
    done = await ask(engine, a_call("anthropic-messages", by_address(f"{second_upstream.url}/a.pdf")))
    assert done.status == 400
    assert "DRAGOMAN_FETCH_MEDIA=1" in done.json["error"]["message"]
    assert (upstream.seen, second_upstream.seen) == ([], [])


async def test_switched_off_a_lenient_model_goes_on_without_it(make_engine, upstream, second_upstream):
    snapshot = chat(upstream)
    lenient = msgspec.structs.replace(snapshot.models["m"], lenient=True)
    engine = make_engine(msgspec.structs.replace(snapshot, models={"m": lenient}))
    done = await ask(engine, a_call("anthropic-messages", by_address(f"{second_upstream.url}/a.pdf")))
    assert (done.status, second_upstream.seen) == (200, [])
    assert done.reply.headers["x-dragoman-dropped"]


async def test_nothing_is_fetched_for_an_upstream_that_loads_it_itself(make_engine, upstream, second_upstream):
    upstream.default = answer_json(answers.whole("anthropic-messages"))
    engine = fetching(make_engine, a_snapshot(an_upstream("up", upstream.url, "anthropic-messages")))
    url = f"{second_upstream.url}/a.pdf"
    await ask(engine, a_call("anthropic-messages", by_address(url)))
    assert upstream.last.body["messages"][0]["content"][1]["source"] == {"type": "url", "url": url}
    content = [{"type": "image_url", "image_url": {"url": url}}]
    chat_body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    await collect(await serve(engine, a_call("openai-chat", chat_body)))
    assert upstream.last.body["messages"][0]["content"][0]["source"] == {"type": "url", "url": url}
    assert second_upstream.seen == []


async def test_a_copy_of_anthropics_server_that_loads_nothing_gets_the_bytes(make_engine, upstream, second_upstream):
    second_upstream.then(file(PNG))
    upstream.default = answer_json(answers.whole("anthropic-messages"))
    snapshot = a_snapshot(an_upstream("up", upstream.url, "anthropic-messages"))
    model = msgspec.structs.replace(snapshot.models["m"], profile={"image_urls": False})
    engine = fetching(make_engine, msgspec.structs.replace(snapshot, models={"m": model}))
    content = [{"type": "image_url", "image_url": {"url": f"{second_upstream.url}/a.png"}}]
    chat_body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    await collect(await serve(engine, a_call("openai-chat", chat_body)))
    source = upstream.last.body["messages"][0]["content"][0]["source"]
    assert source == {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}


PRIVATE = [
    "http://127.0.0.1/x",
    "http://localhost/x",
    "http://localhost./x",
    "http://127.1/x",
    "http://2130706433/x",
    "http://0x7f.0.0.1/x",
    "http://[::1]/x",
    "http://[::ffff:127.0.0.1]/x",
    "http://[64:ff9b::7f00:1]/x",
    "http://[2002:7f00:1::]/x",
    "http://10.1.2.3/x",
    "http://172.16.0.1/x",
    "http://192.168.1.1/x",
    "http://100.64.0.1/x",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1%25lo]/x",
    "http://[fd00::1]/x",
    "http://0.0.0.0/x",
    "http://224.0.0.1/x",
    "http://user:pass@93.184.216.34/x",
    "http://93.184.216.34:8080/x",
    "http://93.184.216.34:22/x",
    "http://93.184.216.34:99999/x",
    "http:///x",
]


@pytest.mark.parametrize("url", PRIVATE)
async def test_xl_215_a_private_address_is_refused(make_engine, upstream, url):
    engine = make_engine(chat(upstream), fetch_media=True)
    done = await ask(engine, a_call("anthropic-messages", by_address(url)))
    assert (done.status, done.json["error"]["type"]) == (400, "invalid_request_error")
    assert done.json["error"]["message"].startswith("The document at messages.0 could not be fetched: ")
    assert upstream.seen == []


@pytest.mark.parametrize("port", ["", ":80"])
async def test_an_address_of_this_machine_is_never_connected_to(make_engine, upstream, second_upstream, port):
    """By number it is refused at once, by name once it was resolved; whatever the port."""
    engine = make_engine(chat(upstream), fetch_media=True)
    engine.fetcher = Fetcher(engine.transport, ports=None)
    for host in ("127.0.0.1", "localhost", "127.1"):
        url = f"http://{host}:{second_upstream.port}/a.pdf"
        assert (await serve(engine, a_call("anthropic-messages", by_address(url)))).status == 400
    assert second_upstream.seen == []


async def test_a_redirect_is_followed_but_not_to_a_private_address(make_engine, upstream, second_upstream):
    here = second_upstream.url
    second_upstream.then(file(b"moved", status=302, location="/b.pdf"), file(PDF, "application/pdf"))
    engine = fetching(make_engine, chat(upstream))
    assert (await ask(engine, a_call("anthropic-messages", by_address(f"{here}/a.pdf")))).status == 200
    assert [seen.path for seen in second_upstream.seen] == ["/a.pdf", "/b.pdf"]

    second_upstream.then(file(b"moved", status=302, location="http://169.254.169.254/latest/"))
    engine = fetching(make_engine, chat(upstream), forbids=lambda host: host != "127.0.0.1" and is_private(host))
    done = await ask(engine, a_call("anthropic-messages", by_address(f"{here}/a.pdf")))
    assert (done.status, "not allowed" in done.json["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (file(PDF, "application/pdf", 404), "status 404"),
        (file(b"<html>", "text/html"), "it is no document"),
        (file(PNG), "it is no document, its type is image/png"),
        (file(b"\x01\x02", "application/octet-stream"), "its type is not known"),
        (file(PDF * 200, "application/pdf"), "larger than"),
        (file(PDF, "application/pdf", **{"content-encoding": "gzip"}), "compressed"),
        (file(b"moved", status=302, location="file:///etc/passwd"), "not allowed"),
        (file(b"moved", status=302), "redirected too often"),
        (reset(), "no connection"),
        (hang(), "no answer within"),
        (Script(200, {"content-type": "application/pdf"}, [PDF], end="cut"), "lost"),
        (Script(200, {"content-type": "application/pdf"}, [PDF], end="hang"), "no answer within"),
    ],
)
async def test_what_cannot_be_had_is_a_400_that_names_the_part_and_why(
    make_engine, upstream, second_upstream, said, why
):
    second_upstream.default = said
    engine = fetching(make_engine, chat(upstream), most=1000, seconds=0.5)
    done = await ask(engine, a_call("anthropic-messages", by_address(f"{second_upstream.url}/a.pdf")))
    assert done.status == 400
    assert why in done.json["error"]["message"]
    assert done.json["error"]["message"].startswith("The document at messages.0 could not be fetched: ")
    assert upstream.seen == []


async def test_only_so_many_media_are_fetched(make_engine, upstream, second_upstream):
    second_upstream.default = file(PDF, "application/pdf")
    body = by_address(f"{second_upstream.url}/0.pdf")
    more = [by_address(f"{second_upstream.url}/{n}.pdf")["messages"][0]["content"][1] for n in range(1, 21)]
    body["messages"][0]["content"] += more
    done = await ask(fetching(make_engine, chat(upstream)), a_call("anthropic-messages", body))
    assert (done.status, second_upstream.seen) == (400, [])


def test_bytes_are_told_by_their_beginning_and_then_by_what_was_declared() -> None:
    image = p.Image(source=p.Source(kind="url", data="u"))
    webp = b"RIFF\0\0\0\0WEBPVP8 "
    assert as_source(image, "text/plain", webp).mime == "image/webp"
    assert as_source(image, "image/png", b"\xff\xd8\xff\xe0").mime == "image/jpeg"
    assert as_source(p.Audio(source=image.source), "audio/wav", b"RIFF\0\0\0\0WAVE").mime == "audio/wav"
    with pytest.raises(BadRequest):
        as_source(image, "audio/wav", b"RIFF\0\0\0\0WAVE")


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "example.org", "::ffff:93.184.216.34"])
def test_public_addresses_and_names_are_not_private(address: str) -> None:
    assert not is_private(address)


async def test_a_web_page_is_no_text(make_engine, upstream, second_upstream):
    second_upstream.then(answer_text("<html>secret</html>"))
    engine = fetching(make_engine, chat(upstream))
    done = await ask(engine, a_call("anthropic-messages", by_address(f"{second_upstream.url}/a")))
    assert done.status == 400
    assert "secret" not in done.raw.decode()


@pytest.mark.parametrize("place", ["address", "redirect"])
async def test_an_address_that_cannot_be_read_is_a_400_and_no_fault_of_ours(
    make_engine, upstream, second_upstream, place
):
    engine = fetching(make_engine, chat(upstream))
    url = "http://xn--/a.pdf"
    if place == "redirect":
        url = f"{second_upstream.url}/a.pdf"
        second_upstream.then(file(b"", status=302, location="http://[::1"))
    done = await ask(engine, a_call("anthropic-messages", by_address(url)))
    assert (done.status, done.row.error) == (400, "invalid_request")
    assert "cannot be read" in done.json["error"]["message"]
    assert upstream.seen == []
