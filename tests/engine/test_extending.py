"""A kind and a dialect of one's own take an entry in a registry each, and no edit elsewhere: CONTRIBUTING.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from proxyapp.dialects.anthropic import ANTHROPIC
from proxyapp.dialects.registry import DIALECTS
from proxyapp.upstreams.anthropic import Anthropic
from proxyapp.upstreams.contract import Upstream
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

    def dialect(self, upstream: Upstream, caller: str) -> str:
        return Dialect.name


async def test_a_dialect_and_its_kind_are_served_once_they_are_registered(make_engine, upstream, monkeypatch):
    monkeypatch.setitem(DIALECTS, Dialect.name, Dialect())
    monkeypatch.setitem(KINDS, "example", Kind())
    upstream.default = answer_json(MESSAGE)
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, kind="example")))
    outcome = await ask(engine, a_call("openai-chat", a_body()))
    assert outcome.json["choices"][0]["message"]["content"] == "Hello."
    assert upstream.last.body["messages"][0]["content"] == [{"type": "text", "text": "hi"}]
