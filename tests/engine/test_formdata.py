"""Forms as clients write them, and as nobody should: read without a fault, changed in one place alone."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyapp.engine.formdata import FormData
from proxyapp.errors import BadRequest

names = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), min_size=1, max_size=12)
contents = st.binary(max_size=200)


def written(parts: list[tuple[str, bytes, bool]], boundary: str = "b0undary") -> bytes:
    out = b""
    for name, content, is_file in parts:
        file = b'; filename="f"' if is_file else b""
        head = b'Content-Disposition: form-data; name="%s"%s' % (name.encode(), file)
        out += b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head, content)
    return out + b"--%s--\r\n" % boundary.encode()


@given(st.lists(st.tuples(names, contents, st.booleans()), max_size=8), st.text(max_size=20))
def test_only_the_field_that_is_changed_is_another(parts: list[tuple[str, bytes, bool]], value: str) -> None:
    kind = "multipart/form-data; boundary=b0undary"
    form = FormData(written(parts), kind)
    raw = form._raw
    assert [(f.name, raw[f.start : f.end], f.is_file) for f in form.fields] == parts
    changed = FormData(form.with_text("model", value), kind)
    plain = [number for number, (name, _, is_file) in enumerate(parts) if name == "model" and not is_file]
    expected = list(parts)
    if plain:
        expected[plain[0]] = ("model", value.encode(), False)
    else:
        expected.insert(0, ("model", value.encode(), False))
    assert changed._raw == written(expected)
    assert changed.text("model") == value


@given(st.binary(max_size=300), st.text(max_size=60))
def test_whatever_comes_is_read_or_refused(raw: bytes, kind: str) -> None:
    for content_type in (kind, "multipart/form-data; boundary=x"):
        for body in (raw, b"--x\r\n" + raw, b"--x\r\n\r\n\r\n" + raw + b"\r\n--x--"):
            try:
                form = FormData(body, content_type)
            except BadRequest:
                continue
            form.described()
            form.with_text("model", "m")


@pytest.mark.parametrize(
    "boundary", ["plain", "----WebKitFormBoundary7MA4YWxk", "with 'marks' (and) spaces", "a=b:c?d"]
)
def test_boundaries_are_taken_bare_and_quoted(boundary: str) -> None:
    raw = written([("model", b"m", False)], boundary)
    assert FormData(raw, f'multipart/form-data; charset=utf-8; boundary="{boundary}"').text("model") == "m"
    if " " not in boundary:
        assert FormData(raw, f"Multipart/Form-Data;BOUNDARY={boundary}").text("model") == "m"


def test_what_a_client_library_writes_is_read() -> None:
    files = {"file": ("Grüße.mp3", b"\xff\xfb\r\n--no boundary\r\n" * 50, "audio/mpeg")}
    request = httpx.Request("POST", "http://h", data={"model": "m", "stream": "true"}, files=files)
    form = FormData(request.read(), request.headers["content-type"])
    assert (form.text("model"), form.text("stream"), form.text("file")) == ("m", "true", None)


def test_text_before_the_first_part_is_passed_over() -> None:
    raw = b"A preamble.\r\n" + written([("model", b"m", False)])
    form = FormData(raw, "multipart/form-data; boundary=b0undary")
    assert form.with_text("model", "other") == raw.replace(b"\r\n\r\nm\r\n", b"\r\n\r\nother\r\n")


MODEL = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
END = b"--x--\r\n"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (MODEL + MODEL.replace(b"\nm\r", b"\nother\r") + END, "boundary=x"),
        (MODEL + MODEL.replace(b'"model"', b'"model"; filename="a"') + END, "boundary=x"),
        (MODEL + MODEL.replace(b'name="model"', b"name*=utf-8''model") + END, "boundary=x"),
        (MODEL + MODEL.replace(b'"model"', b'"mod\\el"') + END, "boundary=x"),
        (MODEL + MODEL.replace(b' name="model"', b'\r\n name="model"') + END, "boundary=x"),
        (MODEL + MODEL.replace(b"name=", b'a="; name=file"; name=') + END, "boundary=x"),
        (MODEL + MODEL.replace(b'"model"', b'"file";\r\n name="model"') + END, "boundary=x"),
        (
            MODEL + MODEL.replace(b"Content", b'Content-Disposition: form-data; name="file"\r\nContent') + END,
            "boundary=x",
        ),
        (MODEL + MODEL.replace(b"model", b"a").replace(b"\nm\r", MODEL.replace(b"\r\n", b"\n")) + END, "boundary=x"),
        (MODEL + b"--x--ly\r\n" + MODEL + END, "boundary=x"),
        (MODEL + END, "boundary=x; boundary=y"),
        (MODEL + END, 'a="; boundary=x"; boundary=y'),
    ],
)
def test_a_form_that_others_could_read_otherwise_is_refused(raw: bytes, kind: str) -> None:
    """The model that was checked was the first; servers that take the last, or another spelling, ran that one."""
    assert FormData(MODEL + END, "multipart/form-data; boundary=x").text("model") == "m"
    with pytest.raises(BadRequest):
        FormData(raw, f"multipart/form-data; {kind}")
