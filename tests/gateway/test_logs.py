"""Lines of the log: one shape, and nothing in it that looks like a key."""

import io
import json
import logging
import logging.config
import time

import pytest
import structlog

from gateway import logs
from gateway.redaction import redact, redact_text

SECRETS = {
    "sk-dg-abcDEF123456789": "sk-dg-***",
    "sk-ant-api03-abcDEF_123-456": "sk-ant-***",
    "AIzaSyA1234567890abcdefg": "AIza***",
    "Authorization: Bearer abc.def-ghi": "Authorization: Bearer ***",
    "x-api-key: 0123abcd": "x-api-key: ***",
    '{"x-goog-api-key": "0123abcd"}': '{"x-goog-api-key": "***"}',
    "GET /v1beta/models?key=0123abcd&alt=sse": "GET /v1beta/models?key=***&alt=sse",
    "http://user:hunter2@proxy.lan:3128/": "http://user:***@proxy.lan:3128/",
    "postgres://dg:p%40ss@db/x": "postgres://dg:***@db/x",
    "password='hunter22'": "password='***'",
    "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.sig": "token eyJ***",
}


@pytest.mark.parametrize(("text", "masked"), SECRETS.items())
def test_whatever_looks_like_a_key_is_masked(text, masked):
    assert redact_text(text) == masked
    assert redact_text(masked) == masked


@pytest.mark.parametrize(
    "piece", ["x-", "x-a-", "a-", "a.", "a+", "sk-", "bearer+", "api-key", "x-api-", "xai-", "a-b.c+d", "a://", "key= "]
)
def test_no_line_is_long_to_mask(piece):
    """The path of an unknown address is logged. One of 30 KB stopped a worker for 19 seconds, whoever sent it."""
    began = time.process_time()
    redact_text(piece * (60_000 // len(piece)))
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    ["input_tokens=12", "https://api.openai.com/v1", "the sk-factor", "http://host:8000/path@x", "task-1234567 done"],
)
def test_ordinary_text_is_left_alone(text):
    assert redact_text(text) == text


def test_fields_are_masked_by_name_and_depth():
    assert redact({"headers": {"Cookie": "a=b", "accept": "x"}, "list": ["sk-abcdef12345"], "n": 1}) == {
        "headers": {"Cookie": "***", "accept": "x"},
        "list": ["sk-***"],
        "n": 1,
    }


@pytest.fixture
def line():
    """Log with a handler of ours; the JSON line that came out."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**_formatter()))
    root = logging.getLogger()
    root.addHandler(handler)

    def last():
        return json.loads(stream.getvalue().splitlines()[-1])

    yield last
    root.removeHandler(handler)


def _formatter():
    options = logs._formatter(logs._json())
    return {name: value for name, value in options.items() if name != "()"}


def test_a_structlog_line_bears_the_request_id_and_no_secret(line):
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger("dragoman.x").warning("refused", detail="key sk-dg-0123456789abc", password="x")
    event = line()
    assert (event["event"], event["level"], event["request_id"]) == ("refused", "warning", "abc")
    assert event["detail"] == "key sk-dg-***"
    assert event["password"] == "***"
    assert event["timestamp"].endswith("Z")


def test_a_standard_library_line_has_the_same_shape(line):
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        logging.getLogger("django.request").error("Bearer %s", "abcdefgh")
    event = line()
    assert (event["event"], event["request_id"], event["logger"]) == ("Bearer ***", "abc", "django.request")


def test_tracebacks_are_masked_too(line):
    try:
        raise RuntimeError("no such key: sk-ant-0123456789")
    except RuntimeError:
        structlog.get_logger("dragoman.x").exception("failed")
    assert "RuntimeError" in line()["exception"]
    assert "0123456789" not in json.dumps(line())


def test_the_file_is_always_json_lines(tmp_path):
    options = {"level": "INFO", "format": "console", "file": str(tmp_path / "deep" / "x.log")}
    config = logs.dictionary(options)
    handler = logging.handlers.WatchedFileHandler(config["handlers"]["file"]["filename"])
    assert config["handlers"]["file"]["formatter"] == "json"
    assert config["handlers"]["console"]["formatter"] == "console"
    handler.close()


def test_access_lines_of_the_servers_are_off():
    assert not logging.getLogger("uvicorn.access").isEnabledFor(logging.CRITICAL)
    assert not logging.getLogger("gunicorn.access").isEnabledFor(logging.CRITICAL)
