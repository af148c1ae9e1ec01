"""Thinking over turns for callers that drop what they do not know: over real HTTP, with Chat callers of Messages
upstreams, who return nothing of an answer but its text, its calls and their ids."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.dialects.contract import UpstreamSide
from proxyapp.dialects.signatures import Sealer, account_hash
from proxyapp.engine.memory import Gatherer, Kept, Memory, bare_calls, with_memories
from proxyapp.engine.serve import serve
from proxyapp.engine.snapshot import Credential, Model, Route
from proxyapp.ir.fold import unfold
from proxyapp.ir.parts import Reasoning, Text, ToolCall
from proxyapp.ir.profile import Profile
from proxyapp.ir.request import Request, Turn
from proxyapp.ir.response import Finish, FinishKind, Response
from tests.engine.conftest import a_body, a_call, a_key, a_snapshot, an_upstream, collect
from tests.fakes import answers
from tests.fakes.answers import event
from tests.fakes.upstream import Script, answer_json, answer_sse

CHAT, MESSAGES = "openai-chat", "anthropic-messages"
THINKING = {"type": "thinking", "thinking": "Paris, then.", "signature": "c2lnbmF0dXJl" * 5}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
streams = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def calling(*blocks: dict[str, Any], ids: tuple[str, ...] = ("toolu_1",)) -> dict[str, Any]:
    uses = [{"type": "tool_use", "id": call_id, "name": "look", "input": {}} for call_id in ids]
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "up", "content": [*blocks, *uses],
        "stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 5},
    }  # fmt: skip


def as_stream(message: dict[str, Any]) -> list[bytes]:
    frames = [event({"type": "message_start", "message": {**message, "content": [], "stop_reason": None}})]
    for index, block in enumerate(message["content"]):
        kind, deltas = block["type"], []
        if kind == "thinking":
            deltas = [("thinking_delta", "thinking"), ("signature_delta", "signature")]
        elif kind == "text":
            deltas = [("text_delta", "text")]
        empty = {**block, **dict.fromkeys((field for _, field in deltas), "")}
        frames.append(event({"type": "content_block_start", "index": index, "content_block": empty}))
        for name, field in deltas:
            delta = {"type": name, field: block[field]}
            frames.append(event({"type": "content_block_delta", "index": index, "delta": delta}))
        frames.append(event({"type": "content_block_stop", "index": index}))
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {}}
    return [*frames, event(end), event({"type": "message_stop"})]


def said(message: dict[str, Any], stream: bool) -> Script:
    return answer_sse(as_stream(message)) if stream else answer_json(message)


def asked(messages: list[dict[str, Any]], stream: bool = False, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": messages, "tools": [TOOL], "stream": stream, "reasoning_effort": "low", **more}


QUESTION = {"role": "user", "content": "Where?"}


def stripped_turn(raw: bytes) -> dict[str, Any]:
    """The assistant's message as a client builds it that knows nothing but Chat's own fields."""
    if raw.startswith(b"{"):
        message = json.loads(raw)["choices"][0]["message"]
        return {name: message[name] for name in ("role", "content", "tool_calls") if name in message}
    calls: dict[int, dict[str, Any]] = {}
    text = ""
    for line in raw.splitlines():
        if not line.startswith(b"data: {"):
            continue
        delta = json.loads(line[6:])["choices"][0]["delta"]
        text += delta.get("content") or ""
        for piece in delta.get("tool_calls", []):
            call = calls.setdefault(piece["index"], {"id": piece.get("id"), "type": "function", "function": {}})
            for name in ("name", "arguments"):
                call["function"][name] = call["function"].get(name, "") + (piece["function"].get(name) or "")
    return {"role": "assistant", "content": text or None, "tool_calls": list(calls.values())}


def history(turn: dict[str, Any]) -> list[dict[str, Any]]:
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in turn["tool_calls"]]
    return [QUESTION, turn, *results]


async def first_turn(engine, upstream, message=None, stream=False, **call) -> dict[str, Any]:
    upstream.then(said(message or calling(THINKING), stream))
    raw = await collect(await serve(engine, a_call(CHAT, asked([QUESTION], stream), **call)))
    return stripped_turn(raw)


async def second_turn(engine, upstream, turn, **call) -> list[dict[str, Any]]:
    """What the upstream got as its assistant message."""
    upstream.then(answer_json(calling({"type": "text", "text": "Done."}, ids=())))
    reply = await serve(engine, a_call(CHAT, asked(history(turn)), **call))
    assert reply.status == 200, await collect(reply)
    return next(m["content"] for m in upstream.last.body["messages"] if m["role"] == "assistant")


@streams
async def test_thinking_comes_back_for_a_client_that_kept_nothing_of_it(make_engine, upstream, stream):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    turn = await first_turn(engine, upstream, stream=stream)
    assert set(turn) <= {"role", "content", "tool_calls"}
    content = await second_turn(engine, upstream, turn)
    assert content[0] == THINKING
    assert [block["type"] for block in content] == ["thinking", "tool_use"]


async def test_thinking_before_text_comes_back_before_the_text(make_engine, upstream):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    turn = await first_turn(engine, upstream, calling(THINKING, {"type": "text", "text": "I look."}))
    content = await second_turn(engine, upstream, turn)
    assert [block["type"] for block in content] == ["thinking", "text", "tool_use"]


async def test_parallel_calls_share_one_proof_and_the_second_gets_none(make_engine, upstream):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    turn = await first_turn(engine, upstream, calling(THINKING, ids=("toolu_1", "toolu_2")))
    content = await second_turn(engine, upstream, turn)
    assert [block["type"] for block in content] == ["thinking", "tool_use", "tool_use"]


@pytest.mark.parametrize("call_id", ["toolu/strange id", "x" * 150, "toolu_ü"])
async def test_ids_that_no_caller_could_return_as_they_are_find_their_proof(make_engine, upstream, call_id):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    turn = await first_turn(engine, upstream, calling(THINKING, ids=(call_id,)))
    content = await second_turn(engine, upstream, turn)
    assert content[0] == THINKING


async def test_xl_194_the_same_history_gives_the_same_bytes_with_remembered_proofs_too(make_engine, upstream):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    turn = await first_turn(engine, upstream)
    await second_turn(engine, upstream, turn)
    once = upstream.last.raw
    await second_turn(engine, upstream, turn)
    assert upstream.last.raw == once
    assert THINKING["signature"].encode() in once


async def test_a_client_that_returns_its_own_proofs_gets_those_and_no_second_copy(make_engine, upstream):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    upstream.then(answer_json(calling(THINKING)))
    raw = await collect(await serve(engine, a_call(CHAT, asked([QUESTION]))))
    whole = json.loads(raw)["choices"][0]["message"]
    content = await second_turn(engine, upstream, whole)
    assert [block["type"] for block in content] == ["thinking", "tool_use"]


async def test_xl_195_reasoning_text_without_its_proof_is_replaced_by_what_is_remembered(make_engine, upstream):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    turn = await first_turn(engine, upstream)
    content = await second_turn(engine, upstream, {**turn, "reasoning_content": "Paris, then."})
    assert [block["type"] for block in content] == ["thinking", "tool_use"]
    unknown = {**turn, "tool_calls": [{**turn["tool_calls"][0], "id": "toolu_other"}], "reasoning_content": "Paris"}
    content = await second_turn(engine, upstream, unknown)
    assert [block["type"] for block in content] == ["tool_use"]


async def test_what_one_client_left_another_does_not_find(make_engine, upstream):
    snapshot = a_snapshot(an_upstream("up", upstream.url, MESSAGES))
    engine = make_engine(snapshot)
    turn = await first_turn(engine, upstream)
    engine.snapshot = a_snapshot(an_upstream("up", upstream.url, MESSAGES), key=a_key(client_id=2, client="bob"))
    content = await second_turn(engine, upstream, turn)
    assert [block["type"] for block in content] == ["tool_use"]


# --- affinity and failover


def two_keys(url: str):
    keys = (Credential("red", "sk-red"), Credential("blue", "sk-blue"))
    return an_upstream("up", url, MESSAGES, credentials=keys)


@streams
async def test_a_conversation_with_proofs_stays_with_the_key_that_made_them(make_engine, upstream, stream):
    engine = make_engine(a_snapshot(two_keys(upstream.url)))
    used = set()
    for number in range(12):
        turn = await first_turn(engine, upstream, calling(THINKING, ids=(f"toolu_{number}",)), stream)
        maker = upstream.last.headers["x-api-key"]
        content = await second_turn(engine, upstream, turn)
        assert upstream.last.headers["x-api-key"] == maker
        assert content[0] == THINKING
        used.add(maker)
    assert used == {"sk-red", "sk-blue"}, "the first turns are spread as before"


async def test_callers_of_the_same_dialect_stay_with_the_key_too(make_engine, upstream):
    engine = make_engine(a_snapshot(two_keys(upstream.url)))
    for number in range(12):
        thinking = {**THINKING, "signature": f"{number:02}" + "c2lnbmF0dXJl" * 5}
        upstream.default = answer_sse(as_stream(calling(thinking))) if number % 2 else answer_json(calling(thinking))
        body = {"model": "m", "max_tokens": 9, "messages": [QUESTION], "stream": bool(number % 2)}
        await collect(await serve(engine, a_call(MESSAGES, body)))
        maker = upstream.last.headers["x-api-key"]
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
        turns = [{"role": "assistant", "content": calling(thinking)["content"]}, {"role": "user", "content": [result]}]
        await collect(await serve(engine, a_call(MESSAGES, {**body, "messages": [QUESTION, *turns]})))
        assert upstream.last.headers["x-api-key"] == maker
        assert thinking["signature"] in upstream.last.raw.decode()


@streams
async def test_failover_never_shows_one_accounts_proof_to_another(make_engine, upstream, second_upstream, stream):
    snapshot = a_snapshot(an_upstream("up", upstream.url, MESSAGES), an_upstream("two", second_upstream.url, MESSAGES))
    engine = make_engine(snapshot)
    turn = await first_turn(engine, upstream, stream=stream)
    upstream.then(answer_json({"type": "error", "error": {"type": "api_error", "message": "no"}}, 500))
    second_upstream.then(answer_json(calling({"type": "text", "text": "Done."}, ids=())))
    reply = await serve(engine, a_call(CHAT, asked(history(turn))))
    assert reply.status == 200
    assert THINKING["signature"].encode() in upstream.last.raw
    assert THINKING["signature"].encode() not in second_upstream.last.raw
    assert b"Paris, then." not in second_upstream.last.raw


async def test_targets_of_one_priority_are_ordered_by_the_proofs_owner(make_engine, upstream, second_upstream):
    ups = (an_upstream("up", upstream.url, MESSAGES), an_upstream("two", second_upstream.url, MESSAGES))
    routes = (Route("up", "m1"), Route("two", "m1"))
    engine = make_engine(a_snapshot(*ups, models={"m": Model(name="m", routes=routes)}))
    for number in range(10):
        for server in (upstream, second_upstream):
            server.clear()
            server.default = answer_json(calling(THINKING, ids=(f"toolu_{number}",)))
        raw = await collect(await serve(engine, a_call(CHAT, asked([QUESTION]))))
        maker, other = (upstream, second_upstream) if upstream.seen else (second_upstream, upstream)
        await collect(await serve(engine, a_call(CHAT, asked(history(stripped_turn(raw))))))
        assert (len(maker.seen), len(other.seen)) == (2, 0)
        assert THINKING["signature"].encode() in maker.last.raw


@streams
@pytest.mark.parametrize(
    "error",
    [
        {"message": "messages.1.content.0: Invalid `signature` in `thinking` block", "code": None},
        {"message": "messages.1: Invalid `data` in `redacted_thinking` block", "code": None},
        {"message": "cannot be verified", "code": "invalid_encrypted_content"},
    ],
)
async def test_xl_190_a_proof_that_the_upstream_cannot_read_is_left_out_and_sent_again_once(
    make_engine, upstream, stream, error
):
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    turn = await first_turn(engine, upstream)
    no = answer_json({"type": "error", "error": {"type": "invalid_request_error", **error}, **error}, 400)
    upstream.then(no, said(calling({"type": "text", "text": "Done."}, ids=()), stream))
    reply = await serve(engine, a_call(CHAT, asked(history(turn), stream)))
    assert b"Done." in await collect(reply)
    assert [THINKING["signature"].encode() in seen.raw for seen in upstream.seen[-2:]] == [True, False]
    upstream.default = no
    upstream.seen.clear()
    assert (await serve(engine, a_call(CHAT, asked(history(turn))))).status == 400
    assert len(upstream.seen) == 2, "once is enough"


async def test_a_caller_of_the_upstreams_own_dialect_hears_of_its_proofs_itself(make_engine, upstream):
    words = "messages.1.content.0: Invalid `signature` in `thinking` block"
    upstream.default = answer_json({"type": "error", "error": {"type": "invalid_request_error", "message": words}}, 400)
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, MESSAGES)))
    turns = [QUESTION, {"role": "assistant", "content": calling(THINKING)["content"]}, QUESTION]
    reply = await serve(engine, a_call(MESSAGES, {"model": "m", "max_tokens": 9, "messages": turns}))
    assert (reply.status, json.loads(await collect(reply))["error"]["message"]) == (400, words)
    assert len(upstream.seen) == 1


# --- the pieces


SIDE = UpstreamSide(profile=Profile(model_group="claude"), sealer=Sealer(b"k" * 32), account="up/main")
OWNER = {"proof": {"group": "claude", "account": "up/main"}}


def a_proof(word: str = "sig") -> Reasoning:
    return Reasoning(text="hm", signature=word, family="anthropic", meta=OWNER)


def gathered(*parts) -> dict[str, list[Kept]]:
    """By parts and by events, which must agree."""
    whole, streamed = Gatherer(), Gatherer()
    for part in parts:
        whole.part(part)
    for one in unfold(Response(parts=list(parts), finish=Finish(kind=FinishKind.END))):
        streamed.event(one)
    assert whole.found == streamed.found
    return whole.found


def test_a_proof_belongs_to_the_next_call_alone():
    found = gathered(
        a_proof("a"), Text(text="so"), a_proof("b"), ToolCall(id="1", name="f"), ToolCall(id="2", name="f"),
        a_proof("c"), ToolCall(id="3", name="f"), a_proof("d"), Text(text="end"),
    )  # fmt: skip
    signs = {call: [(kept.part.signature, kept.is_near) for kept in kept_list] for call, kept_list in found.items()}
    assert signs == {"1": [("a", False), ("b", True)], "3": [("c", True)]}


def test_accounts_are_remembered_by_their_hash():
    (kept,) = gathered(a_proof(), ToolCall(id="1", name="f"))["1"]
    assert kept.part.meta["proof"] == {"group": "claude", "account": account_hash("up/main")}
    assert kept.part.text == "hm"


def test_redacted_thinking_is_remembered_and_unsigned_is_not():
    redacted = Reasoning(redacted=True, signature="r", family="anthropic", meta=OWNER)
    found = gathered(Reasoning(text="no proof"), redacted, ToolCall(id="1", name="f"))
    assert [(kept.part.signature, kept.part.redacted) for kept in found["1"]] == [("r", True)]


@pytest.mark.parametrize(
    "side",
    [
        UpstreamSide(profile=Profile(model_group="claude"), sealer=Sealer(b"k" * 32), account="up/other"),
        UpstreamSide(profile=Profile(model_group="gpt"), sealer=Sealer(b"k" * 32), account="up/main"),
    ],
    ids=["another account", "another model group"],
)
def test_what_may_not_be_sent_is_not_put_back_at_all(side):
    turn = Turn(role="assistant", parts=[Reasoning(text="kept"), ToolCall(id="1", name="f")])
    request = Request(client_dialect=CHAT, model="m", turns=[turn])
    found = gathered(a_proof(), ToolCall(id="1", name="f"))
    assert with_memories(request, found, side).turns == request.turns
    assert [type(part) for part in with_memories(request, found, SIDE).turns[0].parts] == [Reasoning, ToolCall]


def test_only_calls_without_any_proof_in_their_turn_are_asked_for():
    turns = [
        Turn(role="assistant", parts=[a_proof(), ToolCall(id="1", name="f"), ToolCall(id="2", name="f")]),
        Turn(role="assistant", parts=[Reasoning(text="t"), ToolCall(id="3", name="f")]),
        Turn(role="assistant", parts=[Text(text="t")]),
    ]
    assert bare_calls(Request(client_dialect=CHAT, model="m", turns=turns)) == ["3"]


async def test_a_memory_is_bounded_in_entries_and_bytes_and_forgets_the_oldest():
    memory = Memory(entries=3)
    for number in range(5):
        await memory.keep(1, {f"c{number}": [Kept(a_proof(), True)]}, lasting=True)
    assert list(await memory.recall(1, [f"c{n}" for n in range(5)])) == ["c2", "c3", "c4"]
    small = Memory(size=3000)
    await small.keep(1, {"big": [Kept(a_proof("x" * 2500), True)]}, lasting=True)
    await small.keep(1, {"next": [Kept(a_proof("x" * 2500), True)]}, lasting=True)
    assert list(await small.recall(1, ["big", "next"])) == ["next"]


class CountingShelf:
    """A shelf in a dictionary that counts."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, str], bytes] = {}
        self.asked: list[list[str]] = []
        self.is_away = False

    async def put(self, client, proofs):
        self.rows.update({(client, name): proof for name, proof in proofs.items()})

    async def get(self, client, ids):
        self.asked.append(list(ids))
        found = {name: self.rows[(client, name)] for name in ids if (client, name) in self.rows}
        return None if self.is_away else found


async def test_the_shelf_is_asked_once_and_only_for_what_this_worker_does_not_know():
    shelf = CountingShelf()
    await Memory(shelf).keep(1, {"c1": [Kept(a_proof(), True)]}, lasting=True)
    other = Memory(shelf)
    assert list(await other.recall(1, ["c1", "c2"])) == ["c1"]
    assert list(await other.recall(1, ["c1", "c2"])) == ["c1"]
    assert shelf.asked == [["c1", "c2"]]
    assert await other.recall(2, ["c1"]) == {}


async def test_an_absent_shelf_is_asked_again_later():
    shelf = CountingShelf()
    await Memory(shelf).keep(1, {"c1": [Kept(a_proof(), True)]}, lasting=True)
    other = Memory(shelf)
    shelf.is_away = True
    assert await other.recall(1, ["c1"]) == {}
    shelf.is_away = False
    assert list(await other.recall(1, ["c1"])) == ["c1"]


async def test_what_may_not_last_stays_in_the_worker():
    shelf = CountingShelf()
    memory = Memory(shelf)
    await memory.keep(1, {"c1": [Kept(a_proof(), True)]}, lasting=False)
    assert shelf.rows == {}
    assert list(await memory.recall(1, ["c1"])) == ["c1"]


@pytest.mark.parametrize("length", [40, 41, 42, 43])
async def test_what_looks_like_a_wrapped_envelope_and_is_none_is_no_fault(make_engine, upstream, length):
    upstream.then(answer_json(answers.whole("openai-chat")))
    keys = (Credential("a", "sk-a"), Credential("b", "sk-b"))
    engine = make_engine(a_snapshot(an_upstream("up", upstream.url, credentials=keys)))
    reply = await serve(engine, a_call("openai-chat", a_body(False, note="Z3dyMS4" + "A" * length)))
    assert reply.status == 200
