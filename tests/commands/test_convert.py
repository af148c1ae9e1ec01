"""`manage.py convert` as the shell sees it: standard input, both outputs, exit status, no setting at all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from proxyapp.dialects.registry import DIALECTS
from proxyapp.engine.convert import SHORT, Converter, Plan, dialect_named, kind_named
from proxyapp.errors import BadRequest
from tests.corpus.exchanges import CHAT, MESSAGES, exchanges
from tests.corpus.losses import NO_ANSWER
from tests.corpus.readers import READ

ROOT = Path(__file__).resolve().parent.parent.parent
HI = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """With nothing in the environment, as in a place where the gateway was never set up."""
    line = command.replace("python manage.py", f"{sys.executable} manage.py")
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "SECRET_KEY": "", "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def convert(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "convert", *options],
        cwd=ROOT, env={"PATH": os.environ["PATH"]}, input=text, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def examples() -> list[tuple[str, str]]:
    """(command, what it prints) of the page."""
    section = (ROOT / "docs/commands.md").read_text().partition("## `convert")[2].partition("\n## ")[0]
    found = []
    for block in re.findall(r"```console\n(.*?)```", section, re.DOTALL):
        for piece in block.split("$ ")[1:]:
            command, _, output = piece.partition("\n")
            found.append((command, output))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("command", "output"), examples(), ids=range(len(examples())))
def test_the_examples_of_the_page_are_true(command, output):
    done = shell(command)
    assert done.stdout + done.stderr == output


def test_the_page_has_examples():
    assert len(examples()) == 5


@pytest.mark.parametrize(
    ("text", "options", "status", "words"),
    [
        ('{"model": "m", "mess', [], 2, "not valid JSON"),
        ('{"model": "m"}', [], 2, "messages"),
        (json.dumps({**HI, "n": 2}), [], 1, "n: This model gives one answer"),
        (json.dumps(HI), ["--to", "mesages"], 2, 'Did you mean "messages"?'),
        (json.dumps(HI), ["--kind", "antropic"], 2, 'Did you mean "anthropic"?'),
        (json.dumps(HI), ["--whole", "--stream"], 2, "not allowed with"),
        ("", ["--response"], 2, "nothing to convert"),
        ("{}", ["--response"], 2, "answer"),
        ('data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n', ["--response"], 2, "ended before"),
        (json.dumps(HI), ["--response", "--request", "/nowhere"], 2, "cannot be read"),
    ],
)
@pytest.mark.slow
def test_what_goes_wrong_is_a_sentence_and_a_status(text, options, status, words):
    done = convert(text, "--from", "chat", "--to", "messages", *options)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("depth", [930, 3000])
def test_what_is_nested_too_deeply_is_said(depth):
    call = '{"functionCall": {"name": "f", "args": ' + '{"a":' * depth + "1" + "}" * depth + "}}"
    answer = '{"candidates": [{"finishReason": "STOP", "content": {"role": "model", "parts": [' + call + "]}}]}"
    done = convert(answer, "--from", "gemini", "--to", "chat", "--response")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 300


@pytest.mark.slow
def test_a_reader_that_has_enough_is_no_fault(tmp_path):
    stream = next(each for each in exchanges(CHAT) if each.stream)
    (tmp_path / "stream").write_bytes(stream.raw * 200)
    command = f"python manage.py convert --response --from chat --to chat < {tmp_path}/stream | head -c 10"
    done = shell(command)
    assert (done.returncode, done.stderr, len(done.stdout)) == (0, "", 10)


@pytest.mark.slow
def test_a_live_stream_comes_out_while_it_runs():
    head = (
        b'data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}\n\n'
    )
    rest = b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    command = [sys.executable, "manage.py", "convert", "--response", "--from", "chat", "--to", "messages"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(head)
        process.stdin.flush()
        seen = b""
        while b'"Hi"' not in seen:
            seen += process.stdout.readline()
        process.stdin.write(rest)
        process.stdin.close()
        assert b"message_stop" in process.stdout.read()


# --- the function


def converted(raw: bytes, source: str, target: str, *, response: bool = True, **more) -> bytes:
    converter = Converter(Plan(source=source, target=target, **more))
    return b"".join(converter.answer([raw])) if response else converter.request(raw)


def test_short_names_lead_to_dialects():
    assert dialect_named("chat") is DIALECTS[CHAT]
    assert dialect_named("messages") is DIALECTS[MESSAGES]
    assert {SHORT[name] for name in SHORT} & set(DIALECTS)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_has_a_kind_that_speaks_it(name):
    assert kind_named("", name).name


def test_the_models_limits_are_kept_to():
    sent = json.loads(converted(json.dumps(HI).encode(), "chat", "messages", response=False, model="claude-3-haiku"))
    assert (sent["model"], sent["max_tokens"]) == ("claude-3-haiku", 4096)


def test_in_the_same_dialect_a_request_is_patched_and_an_answer_left_alone():
    sent = converted(json.dumps({**HI, "unheard_of": 1}).encode(), "chat", "chat", response=False, model="other")
    assert json.loads(sent) == {**HI, "unheard_of": 1, "model": "other"}
    assert converted(b'{"unheard_of": 1}', "chat", "chat") == b'{"unheard_of": 1}'


def test_the_request_asks_for_the_form_that_was_wanted():
    sent = converted(json.dumps(HI).encode(), "chat", "messages", response=False, stream=True)
    assert json.loads(sent)["stream"] is True


@pytest.mark.parametrize("target", [CHAT, MESSAGES])
@pytest.mark.parametrize("dialect", [CHAT, MESSAGES])
def test_an_answer_changes_its_form_and_not_its_meaning(dialect, target):
    answers = [each for each in exchanges(dialect) if each.form == "whole" and each.id not in NO_ANSWER]
    whole = answers[0]
    stream = converted(whole.raw, dialect, target, stream=True)
    folded = json.loads(converted(stream, target, target, stream=False))
    want = READ[target](json.loads(converted(whole.raw, dialect, target)))
    assert READ[target](folded).text == want.text
    assert want.text or want.calls


def test_a_tool_has_its_callers_name_again_when_the_request_is_given():
    tools = [{"name": "a" * 80, "input_schema": {"type": "object"}}]
    asked = json.dumps({**HI, "max_tokens": 9, "tools": tools}).encode()
    name = json.loads(converted(asked, "messages", "chat", response=False))["tools"][0]["function"]["name"]
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    answer = json.dumps({"id": "1", "choices": [{"message": message, "finish_reason": "tool_calls"}]}).encode()
    given = json.loads(converted(answer, "chat", "messages", request=asked))
    assert len(name) == 64
    assert given["content"][0]["name"] == "a" * 80


def test_the_same_input_gives_the_same_output():
    answer = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'
    assert converted(answer, "chat", "messages") == converted(answer, "chat", "messages")


def test_leading_blanks_and_a_byte_order_mark_are_no_part_of_it():
    answer = b'\xef\xbb\xbf\n {"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'
    assert json.loads(converted(answer, "chat", "messages"))["content"][0]["text"] == "Hi"


def test_an_unknown_dialect_is_named_with_the_nearest():
    with pytest.raises(BadRequest, match='Did you mean "anthropic-messages"'):
        dialect_named("anthropic-message")


GEMINI_HI = json.dumps({"contents": [{"parts": [{"text": "Hi"}]}]}).encode()


def test_where_the_model_stands_in_the_address_it_is_told_apart():
    converter = Converter(Plan(source="chat", target="gemini", model="gemini-3-pro", stream=True))
    assert "model" not in json.loads(converter.request(json.dumps(HI).encode()))
    assert converter.address.endswith("/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse")
    converter = Converter(Plan(source="gemini", target="gemini", model="gemini-3-pro"))
    assert json.loads(converter.request(GEMINI_HI)) == json.loads(GEMINI_HI)
    assert converter.address.endswith("gemini-3-pro:generateContent")


def test_a_kind_that_wants_more_in_a_body_gets_it():
    for source, raw in (("chat", json.dumps(HI).encode()), ("gemini", GEMINI_HI)):
        converter = Converter(Plan(source=source, target="gemini", model="gemini-3-pro", kind="factory", stream=True))
        sent = json.loads(converter.request(raw))
        assert (sent["model"], sent["stream"]) == ("gemini-3-pro", True)
        assert "contents" in sent


def test_a_body_without_a_model_needs_one_said():
    with pytest.raises(BadRequest, match="--model"):
        converted(GEMINI_HI, "gemini", "chat", response=False)
    sent = json.loads(converted(GEMINI_HI, "gemini", "chat", response=False, model="gpt-4o", stream=True))
    assert (sent["model"], sent["stream"]) == ("gpt-4o", True)


def test_a_stream_that_came_as_an_array_is_one():
    chunks = [{"candidates": [{"content": {"parts": [{"text": text}]}}]} for text in ("Hel", "lo")]
    chunks[-1]["candidates"][0]["finishReason"] = "STOP"
    out = converted(json.dumps(chunks).encode(), "gemini", "messages", stream=False)
    assert json.loads(out)["content"][0]["text"] == "Hello"
