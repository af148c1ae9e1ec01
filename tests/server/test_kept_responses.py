"""Kept Responses with the official SDK, real workers and strict upstreams of each dialect behind them."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.fakes import strict_chat, strict_messages, strict_responses
from tests.fakes.gateway import KEY, RunningGateway
from tests.fakes.strict_chat import StrictChat
from tests.fakes.strict_messages import StrictMessages
from tests.fakes.strict_responses import StrictResponses
from tests.fakes.upstream import ScriptedUpstream
from tests.server.test_process import until

pytestmark = pytest.mark.slow

BOBS = "sk-dg-bob-0123456789abcdefghijklmnopqrstuvwxyz"
OTHERS = "sk-dg-alice-two-6789abcdefghijklmnopqrstuvwxyz"
MODELS = {"gpt-5.2": "openai", "gpt-4o": "openai", "deepseek-chat": "chatty", "claude-opus-4-7": "anthropic"}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
    "strict": True,
}


@dataclass
class House:
    """A gateway and what is behind it."""

    gateway: RunningGateway
    servers: dict[str, ScriptedUpstream]
    strict: dict[str, Any]
    clients: list[openai.OpenAI] = field(default_factory=list)

    def client(self, key: str = KEY) -> openai.OpenAI:
        made = openai.OpenAI(api_key=key, base_url=f"{self.gateway.url}/v1", max_retries=0)
        self.clients.append(made)
        return made

    @property
    def refused(self) -> list[str]:
        return [words for one in self.strict.values() for words in one.refused]


def document(servers: dict[str, ScriptedUpstream]) -> dict[str, Any]:
    def upstream(name: str, kind: str, key: str, **more: Any) -> dict[str, Any]:
        url = servers[name].url
        return {
            "name": name,
            "kind": kind,
            "base_url": url,
            "keys": [{"name": "k", "value": key}],
            "retries": 0,
            **more,
        }

    return {
        "upstreams": [
            upstream("openai", "openai", strict_responses.KEY, api="responses"),
            upstream("chatty", "openai_compatible", strict_chat.KEY),
            upstream("anthropic", "anthropic", strict_messages.KEY),
        ],
        "models": [{"name": name, "routes": [{"upstream": up, "model": name}]} for name, up in MODELS.items()],
        "clients": [
            {"name": "alice", "keys": [{"name": "a", "value": KEY}, {"name": "b", "value": OTHERS}]},
            {"name": "bob", "keys": [{"name": "a", "value": BOBS}]},
        ],
    }


def built(directory: Path, **environment: str) -> House:
    servers = {name: ScriptedUpstream() for name in ("openai", "chatty", "anthropic")}
    strict = {"openai": StrictResponses(), "chatty": StrictChat(), "anthropic": StrictMessages()}
    for name, server in servers.items():
        server.default = strict[name]
    gateway = RunningGateway(directory, **environment)
    gateway.manage("bootstrap")
    gateway.apply(document(servers))
    return House(gateway.start(bootstrap=False), servers, strict)


def torn_down(house: House) -> None:
    for client in house.clients:
        client.close()
    house.gateway.kill()
    for server in house.servers.values():
        server.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Two workers, for all tests that leave the server as it is."""
    made = built(tmp_path_factory.mktemp("kept"), WEB_CONCURRENCY="2")
    yield made
    torn_down(made)


@pytest.fixture
def house(shared: House) -> House:
    for name, server in shared.servers.items():
        server.seen.clear()
        shared.strict[name].refused.clear()
    return shared


@pytest.fixture
def another(tmp_path: Path) -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def build(**environment: str) -> House:
        made.append(built(tmp_path, **environment))
        return made[-1]

    yield build
    for one in made:
        torn_down(one)


def say(client: openai.OpenAI, model: str, words: Any, previous: str | None = None, *, stream: bool = False, **more):
    if not stream:
        return client.responses.create(model=model, input=words, previous_response_id=previous, **more)
    with client.responses.stream(model=model, input=words, previous_response_id=previous, **more) as events:
        for _ in events:
            pass
        return events.get_final_response()


def test_every_upstream_goes_on_from_a_kept_answer(house):
    one = house
    client = one.client()
    for model, up in MODELS.items():
        for stream in (False, True):
            first = say(client, model, "hello", stream=stream)
            assert first.store is True
            assert first.previous_response_id is None
            second = say(client, model, "mirror", first.id, stream=stream)
            assert second.previous_response_id == first.id
            sent = one.servers[up].last.raw.decode()
            assert "lo there, Zoë" in sent
            assert "previous_response_id" not in sent
            assert '"store":true' not in sent
            kept = client.responses.retrieve(second.id)
            assert kept.output_text == second.output_text
            assert kept.id == second.id
            assert kept.store is True
    assert not one.refused


def test_tools_and_thinking_go_on_by_the_answers_id_alone(house):
    one = house
    client = one.client()
    for model in ("gpt-5.2", "claude-opus-4-7"):
        for stream in (False, True):
            settings: dict[str, Any] = {"tools": [WEATHER], "reasoning": {"effort": "medium", "summary": "auto"}}
            first = say(client, model, "ponder", stream=stream, **settings)
            calls = [item for item in first.output if item.type == "function_call"]
            assert len(calls) == 2
            results = [{"type": "function_call_output", "call_id": call.call_id, "output": "7"} for call in calls]
            second = say(client, model, results, first.id, stream=stream, **settings)
            assert "7; 7" in second.output_text
            third = say(client, model, "hello", second.id, stream=stream, **settings)
            assert third.output_text
    assert not one.refused
    assert not one.strict["openai"].forgotten, "the reasoning came back with the calls"


def test_references_to_items_are_resolved(house):
    one = house
    client = one.client()
    first = say(client, "claude-opus-4-7", "hello")
    given = [
        {"role": "user", "content": "hello"},
        {"type": "item_reference", "id": first.output[-1].id},
        {"role": "user", "content": "mirror"},
    ]
    assert "lo there, Zoë" in say(client, "deepseek-chat", given).output_text
    with pytest.raises(openai.BadRequestError, match="not found"):
        say(one.client(BOBS), "deepseek-chat", given)


def test_a_client_sees_its_own_answers_alone_over_all_its_keys(house):
    one = house
    alice, also_alice, bob = one.client(), one.client(OTHERS), one.client(BOBS)
    mine = say(alice, "deepseek-chat", "hello")
    assert also_alice.responses.retrieve(mine.id).id == mine.id
    assert say(also_alice, "deepseek-chat", "more", mine.id).previous_response_id == mine.id
    for attempt in (
        lambda: bob.responses.retrieve(mine.id),
        lambda: bob.responses.delete(mine.id),
        lambda: bob.responses.input_items.list(mine.id),
        lambda: bob.responses.cancel(mine.id),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            attempt()
        assert caught.value.code == "response_not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        say(bob, "deepseek-chat", "go on", mine.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")
    with pytest.raises(openai.AuthenticationError):
        one.client("sk-dg-nobody").responses.retrieve(mine.id)
    with pytest.raises(openai.BadRequestError, match="synchronous"):
        alice.responses.cancel(mine.id)
    assert alice.responses.retrieve(mine.id).id == mine.id


def test_deleting_takes_an_answer_away_in_every_worker_at_once(house):
    one = house
    for _ in range(4):
        client = one.client()  # a connection of its own, to either worker
        answer = say(client, "deepseek-chat", "hello")
        client.responses.delete(answer.id)
        for _ in range(4):
            with pytest.raises(openai.NotFoundError):
                one.client().responses.retrieve(answer.id)
            with pytest.raises(openai.BadRequestError):
                say(one.client(), "deepseek-chat", "go on", answer.id)


def test_input_items_are_listed_from_the_beginning_in_pages(house):
    one = house
    client = one.client()
    answer = None
    for number in range(4):
        answer = say(client, "gpt-4o", f"hello {number}", answer.id if answer else None)
    found = list(client.responses.input_items.list(answer.id, limit=2, order="asc"))
    assert [item.role for item in found] == ["user", "assistant"] * 3 + ["user"]
    assert [item.content[0].text for item in found][::2] == [f"hello {n}" for n in range(4)]
    assert len({item.id for item in found}) == 7
    page = client.responses.input_items.list(answer.id, limit=3)
    assert [item.id for item in page.data] == [item.id for item in reversed(found)][:3]
    assert page.has_more
    for wrong in ({"limit": 0}, {"limit": 101}, {"order": "up"}, {"after": "msg_none"}):
        with pytest.raises(openai.BadRequestError):
            client.responses.input_items.list(answer.id, **wrong)


def test_a_killed_server_has_lost_no_answer(another):
    one = another()
    answers = [say(one.client(), model, "hello", stream=True) for model in MODELS]
    one.gateway.stop(signal.SIGKILL)
    one.gateway.start(bootstrap=False)
    for model, answer in zip(MODELS, answers, strict=True):
        assert say(one.client(), model, "mirror", answer.id).previous_response_id == answer.id
    assert not one.refused


def test_many_conversations_at_once_stay_apart(house):
    one = house

    def talk(number: int) -> str:
        client = one.client(KEY if number % 2 else BOBS)
        answer = None
        for turn in range(4):
            answer = say(client, "deepseek-chat", f"hello {number}-{turn}", answer.id if answer else None)
        return say(client, "deepseek-chat", f"mirror {number}", answer.id).output_text

    with ThreadPoolExecutor(8) as pool:
        for number, heard in enumerate(pool.map(talk, range(24))):
            said = [f"hello {number}-{turn}" for turn in range(4)]
            assert all(words in heard for words in said)
            assert heard.count("hello ") == 4


def test_an_answer_that_is_not_kept_says_so(another):
    one = another(HISTORY_BODIES="none")
    client = one.client()
    for stream in (False, True):
        answer = say(client, "gpt-5.2", "hello", stream=stream)
        assert answer.store is False
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(answer.id)
        with pytest.raises(openai.BadRequestError):
            say(client, "gpt-5.2", "go on", answer.id)
    with sqlite3.connect(f"file:{one.gateway.data / 'dragoman.sqlite3'}?mode=ro", uri=True) as connection:
        assert connection.execute("select count(*) from proxyapp_storedresponse").fetchone() == (0,)


def test_codexs_own_way_passes_untouched(house):
    one = house
    client = one.client()
    body = {"model": "gpt-5.2", "store": False, "include": ["reasoning.encrypted_content"], "input": "hello"}
    answer = client.responses.create(**body)
    assert one.servers["openai"].last.body == body
    assert answer.store is False


def test_what_openai_would_hold_is_refused(house):
    one = house
    client = one.client()
    with pytest.raises(openai.BadRequestError, match="background"):
        client.responses.create(model="gpt-5.2", input="hello", background=True)
    with pytest.raises(openai.BadRequestError, match="conversation"):
        client.responses.create(model="gpt-5.2", input="hello", conversation="conv_1")
    assert one.servers["openai"].seen == []


def test_answers_go_out_while_the_database_takes_nothing(another):
    one = another()
    client = one.client()
    first = say(client, "deepseek-chat", "hello")
    other = sqlite3.connect(one.gateway.data / "dragoman.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for stream in (False, True):
        answer = say(client, "deepseek-chat", "hello", stream=stream)
        assert "lo there, Zoë" in answer.output_text
        assert answer.store is False, "it could not be kept, and says so"
    other.execute("ROLLBACK")
    other.close()
    assert until(lambda: say(client, "deepseek-chat", "hello").store is True)
    assert say(client, "deepseek-chat", "mirror", first.id).previous_response_id == first.id
    assert "cannot be reached" in one.gateway.log()
    assert "can be reached again" in one.gateway.log()
