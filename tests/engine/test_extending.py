"""A kind and a dialect of one's own take an entry in a registry each, and no edit elsewhere: CONTRIBUTING.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from msgspec import structs

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.registry import DIALECTS
from proxyapp.upstreams.anthropic import Anthropic
from proxyapp.upstreams.contract import Sending, Upstream
from proxyapp.upstreams.registry import KINDS
from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes.upstream import answer_json

GUIDE = Path(__file__).resolve().parent.parent.parent / "CONTRIBUTING.md"
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "Hello."}], "usage": {"input_tokens": 3, "output_tokens": 2},
}  # fmt: skip


def the_example() -> Any:
    """The class in the guide, from its text."""
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert code
    names: dict[str, Any] = {}
    exec(compile(code[1], str(GUIDE), "exec"), names)
    return names["Example"]()


async def test_the_kind_in_the_guide_works_as_it_stands(make_engine, upstream, monkeypatch):
    monkeypatch.setitem(KINDS, "example", the_example())
    upstream.then(answer_json(MESSAGE))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, kind="example")))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert outcome.json["choices"][0]["message"]["content"] == "Hello."
    assert upstream.last.path == "/v1/messages"
    assert upstream.last.headers["authorization"] == "Bearer sk-secret-of-up"
    assert "x-api-key" not in upstream.last.headers


class Dialect(type(ANTHROPIC)):
    """Speaks as Messages does, under a name of its own."""

    name = "example-words"


class Kind(Anthropic):
    name = "example"

    def dialect(self, upstream: Upstream, model: str, caller: str) -> str:
        return Dialect.name


async def test_a_dialect_and_its_kind_are_served_once_they_are_registered(make_engine, upstream, monkeypatch):
    monkeypatch.setitem(DIALECTS, Dialect.name, Dialect())
    monkeypatch.setitem(KINDS, "example", Kind())
    upstream.default = answer_json(MESSAGE)
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, kind="example")))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert outcome.json["choices"][0]["message"]["content"] == "Hello."
    assert upstream.last.body["messages"][0]["content"] == [{"type": "text", "text": "hi"}]


class Addressed(Anthropic):
    """Two dialects, by the model; its headers and the envelope of its bodies say what it was told."""

    name = "addressed"

    def dialect(self, upstream: Upstream, model: str, caller: str) -> str:
        if upstream.api:
            return {"messages": "anthropic-messages", "chat": "openai-chat"}[upstream.api]
        return "openai-chat" if "at-up" in model else "anthropic-messages"

    def url(self, upstream: Upstream, model: str, *, dialect: str, stream: bool) -> str:
        return f"{upstream.base_url}/{dialect}"

    def headers(self, upstream: Upstream, secret: str | None, sending: Sending) -> dict[str, str]:
        told = [sending.dialect, sending.model, sending.profile.provider, str(sending.stream)]
        return {"x-told": " ".join(told), "x-by": sending.request_id, **sending.caller}

    def enclosed(self, upstream: Upstream, sending: Sending, body: bytes) -> bytes:
        return b'{"for": "%s",%s' % (sending.model.encode(), body[1:])


CHAT_ANSWER = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
}  # fmt: skip
SAID = {"x_session_id": "s-1", "anthropic_beta": "b-1", "x_other": "no"}


def an_addressed_engine(make_engine, upstream, monkeypatch, **profile: Any) -> Any:
    monkeypatch.setitem(KINDS, "addressed", Addressed())
    snapshot = a_snapshot(an_upstream("up", upstream.url, kind="addressed"))
    model = structs.replace(snapshot.models["m"], profile=profile)
    return make_engine(structs.replace(snapshot, models={"m": model}))


async def test_a_kind_is_told_the_model_its_profile_and_what_the_caller_says_of_the_conversation(
    make_engine, upstream, monkeypatch
):
    upstream.then(answer_json(CHAT_ANSWER))
    engine = an_addressed_engine(make_engine, upstream, monkeypatch, provider="mill")
    call = a_call("anthropic-messages", a_body(), **SAID)
    await ask(engine, call)
    assert upstream.last.path == "/openai-chat"
    assert upstream.last.headers["x-told"] == "openai-chat m-at-up mill False"
    assert upstream.last.headers["x-by"] == call.request_id
    assert upstream.last.headers["x-session-id"] == "s-1"
    assert {"anthropic-beta", "x-other"}.isdisjoint(upstream.last.headers), "headers of another dialect stay here"
    assert upstream.last.body["for"] == upstream.last.body["model"] == "m-at-up"


async def test_an_operators_choice_of_dialect_for_a_model_goes_before_the_kinds_own(make_engine, upstream, monkeypatch):
    upstream.then(answer_json(MESSAGE))
    engine = an_addressed_engine(make_engine, upstream, monkeypatch, api="messages")
    await ask(engine, a_call("anthropic-messages", a_body(), **SAID))
    assert upstream.last.path == "/anthropic-messages"
    assert upstream.last.headers["x-told"] == "anthropic-messages m-at-up  False"
    assert upstream.last.headers["anthropic-beta"] == "b-1"
