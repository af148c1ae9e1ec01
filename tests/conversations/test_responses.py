"""Kept Responses in the database, and what a request makes of them."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from django.utils import timezone

from proxyapp.conversations import responses as kept
from proxyapp.conversations.prune import prune_kept
from proxyapp.conversations.responses import ResponseStore
from proxyapp.dialects.contract import Body, UpstreamSide
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.conversation import ENCRYPTED, Conversation
from proxyapp.errors import BadRequest, BodyTooLarge, PreviousNotFound, StoreAway, Unsupported
from proxyapp.ir.profile import Profile
from proxyapp.models import StoredItem, StoredResponse

ALICE, BOB = 1, 2
MB = 2**20
SEALER = Sealer(b"k" * 32)
SIDE = UpstreamSide(profile=Profile(model_group="openai"), sealer=SEALER, account="up/main")


@pytest.fixture
def store(desk):
    return ResponseStore(desk, 30)


def numbered():
    numbers = count(1)
    return lambda: f"{next(numbers):024}"


def a_message(words: str, name: str = "msg_a", role: str = "assistant", **more: Any) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "id": name, "role": role, "content": [{"type": kind, "text": words}], **more}


def an_answer(name: str, *output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": name, "object": "response", "status": "completed", "store": False, "previous_response_id": None,
        "output": list(output), **more,
    }  # fmt: skip


def a_conversation(store, client: int = ALICE, *, may_keep: bool = True) -> Conversation:
    return Conversation(store, client, SEALER, may_keep=may_keep, new_id=numbered())


async def opened(one: Conversation, most: int = 64 * MB, /, **body: Any) -> dict[str, Any]:
    made = await one.open(Body(json.dumps({"model": "m", **body}).encode()), most)
    return json.loads(made.raw)


async def say(store, words: Any, answer: dict[str, Any], previous: str | None = None, client: int = ALICE, **more):
    """One turn; what the upstream would have been sent."""
    conversation = a_conversation(store, client)
    sent = await opened(conversation, input=words, previous_response_id=previous, **more)
    given = await conversation.settle(conversation.shape(json.dumps(answer).encode()), SIDE)
    return sent, json.loads(given)


# --- turns


async def test_the_next_turn_gets_what_was_said_before_and_the_upstream_keeps_nothing(store):
    first, given = await say(store, "hi", an_answer("resp_1", a_message("hello")))
    assert first["store"] is False
    assert first["input"] == "hi", "the first turn goes out as it came"
    assert given["store"] is True
    sent, given = await say(store, "and now?", an_answer("resp_2", a_message("well", "msg_b")), "resp_1")
    assert "previous_response_id" not in sent
    assert [item["role"] for item in sent["input"]] == ["user", "assistant", "user"]
    assert [item["content"][0]["text"] for item in sent["input"]] == ["hi", "hello", "and now?"]
    assert (given["store"], given["previous_response_id"]) == (True, "resp_1")
    assert (await store.get(ALICE, "resp_2")) == given


async def test_a_conversation_of_fifty_turns_is_whole_and_takes_one_query(store, django_assert_num_queries):
    for number in range(50):
        previous = f"resp_{number - 1}" if number else None
        sent, _ = await say(store, f"q{number}", an_answer(f"resp_{number}", a_message(f"a{number}")), previous)
    texts = [item["content"][0]["text"] for item in sent["input"]]
    assert texts == [word for n in range(49) for word in (f"q{n}", f"a{n}")] + ["q49"]

    def ask():
        with django_assert_num_queries(1):
            return kept._turns(ALICE, "resp_49")

    assert len(await sync_to_async(ask)()) == 50


async def test_conversations_branch(store):
    await say(store, "root", an_answer("resp_r", a_message("r")))
    left, _ = await say(store, "left", an_answer("resp_l", a_message("l")), "resp_r")
    right, _ = await say(store, "right", an_answer("resp_x", a_message("x")), "resp_r")
    again, _ = await say(store, "more", an_answer("resp_m", a_message("m")), "resp_l")
    assert "left" not in json.dumps(right)
    assert "right" not in json.dumps(again)
    assert "left" in json.dumps(again)
    assert left["input"][:2] == right["input"][:2]


async def test_xl_101_a_conversation_goes_on_without_the_instructions_of_its_earlier_turns(store):
    await say(store, "hi", an_answer("resp_1", a_message("yo")), instructions="be a pirate")
    sent, _ = await say(store, "again", an_answer("resp_2", a_message("ok")), "resp_1")
    assert "pirate" not in json.dumps(sent)


async def test_the_same_history_gives_the_same_bytes(store):
    await say(store, "hi", an_answer("resp_1", a_message("hello", made={"b": 1, "a": [1.5, None]})))
    one, two = [(await opened(a_conversation(store), input="x", previous_response_id="resp_1")) for _ in range(2)]
    assert json.dumps(one) == json.dumps(two)
    assert list(one["input"][1]["made"]) == ["b", "a"]


@pytest.mark.parametrize("client", [BOB, 0])
async def test_nobody_else_finds_an_answer(store, client):
    await say(store, "my secret", an_answer("resp_1", a_message("kept")))
    assert await store.get(client, "resp_1") is None
    assert await store.inputs(client, "resp_1") is None
    assert await store.holders(client, ["msg_a"]) == []
    assert not await store.delete(client, "resp_1")
    with pytest.raises(PreviousNotFound, match="resp_1"):
        await opened(a_conversation(store, client), input="x", previous_response_id="resp_1")
    assert await store.get(ALICE, "resp_1") is not None


async def test_xl_102_an_unknown_answer_is_named_as_openai_does(store):
    with pytest.raises(PreviousNotFound) as caught:
        await opened(a_conversation(store), input="x", previous_response_id="resp_none")
    assert caught.value.message == "Previous response with id 'resp_none' not found."
    assert (caught.value.status, caught.value.code) == (400, "previous_response_not_found")
    assert caught.value.param == "previous_response_id"


async def test_the_same_id_twice_continues_the_later_one_and_never_in_a_circle(store):
    await say(store, "first", an_answer("resp_same", a_message("one")))
    await say(store, "second", an_answer("resp_same", a_message("two")), "resp_same")
    sent, _ = await say(store, "third", an_answer("resp_same", a_message("three")), "resp_same")
    texts = [item["content"][0]["text"] for item in sent["input"]]
    assert texts == ["first", "one", "second", "two", "third"]
    assert (await store.get(ALICE, "resp_same"))["output"] == [a_message("three")]
    assert await store.delete(ALICE, "resp_same")
    assert await store.get(ALICE, "resp_same") is None, "an earlier one of that name does not come back"


async def test_two_clients_may_have_the_same_id(store):
    await say(store, "a", an_answer("resp_0", a_message("for alice")))
    await say(store, "b", an_answer("resp_0", a_message("for bob")), client=BOB)
    assert "for alice" in json.dumps(await store.get(ALICE, "resp_0"))
    assert "for bob" in json.dumps(await store.get(BOB, "resp_0"))


async def test_many_turns_at_once_are_all_kept(store):
    await asyncio.gather(*(say(store, f"q{n}", an_answer(f"resp_{n}", a_message("x"))) for n in range(40)))
    assert await StoredResponse.objects.acount() == 40


# --- ends


async def test_a_deleted_turn_breaks_the_conversation_and_leaves_no_hole_in_it(store):
    for number in range(3):
        previous = f"resp_{number - 1}" if number else None
        await say(store, f"q{number}", an_answer(f"resp_{number}", a_message("x")), previous)
    assert await store.delete(ALICE, "resp_1")
    assert not await store.delete(ALICE, "resp_1")
    with pytest.raises(PreviousNotFound):
        await opened(a_conversation(store), input="x", previous_response_id="resp_2")
    assert await store.get(ALICE, "resp_2") is not None
    assert await store.inputs(ALICE, "resp_2") is None
    sent = await opened(a_conversation(store), input="x", previous_response_id="resp_0")
    assert len(sent["input"]) == 3


async def test_what_is_over_is_gone_and_a_conversation_lives_as_long_as_its_last_turn(store):
    await say(store, "old", an_answer("resp_1", a_message("x")))
    await StoredResponse.objects.aupdate(expires_at=timezone.now() + timedelta(days=3))
    await say(store, "new", an_answer("resp_2", a_message("y")), "resp_1")
    ends = [row.expires_at async for row in StoredResponse.objects.order_by("id")]
    assert ends[0] == ends[1] > timezone.now() + timedelta(days=29)
    await StoredResponse.objects.aupdate(expires_at=timezone.now() - timedelta(seconds=1))
    assert await store.get(ALICE, "resp_2") is None
    assert await store.holders(ALICE, ["msg_a"]) == []
    with pytest.raises(PreviousNotFound):
        await opened(a_conversation(store), input="x", previous_response_id="resp_2")
    assert await sync_to_async(prune_kept)(timezone.now(), pause=lambda _: None) == 2
    assert await StoredItem.objects.acount() == 0


# --- what is not kept


@pytest.mark.parametrize(
    ("body", "may_keep"), [({"store": False}, True), ({}, False)], ids=["the caller's wish", "the operator's"]
)
async def test_what_is_not_to_be_kept_is_not_kept_and_the_answer_says_so(store, body, may_keep):
    conversation = a_conversation(store, may_keep=may_keep)
    sent = await opened(conversation, input="x", **body)
    assert sent["store"] is False
    given = await conversation.settle(
        conversation.shape(json.dumps(an_answer("resp_1", a_message("x"))).encode()), SIDE
    )
    assert json.loads(given)["store"] is False
    assert await StoredResponse.objects.acount() == 0


async def test_a_body_that_asks_for_nothing_goes_on_untouched(store):
    raw = b'{"model": "m",  "store": false, "input": [], "previous_response_id": null, "n": 1.0}'
    conversation = a_conversation(store)
    assert (await conversation.open(Body(raw), MB)).raw is raw
    assert conversation.shape(b'{"store": 1}') == b'{"store": 1}'


async def test_without_a_store_nothing_is_kept_and_nothing_found(store):
    conversation = a_conversation(None)
    assert (await opened(conversation, input="x"))["store"] is False
    assert json.loads(conversation.shape(b'{"object": "response"}'))["store"] is False
    with pytest.raises(PreviousNotFound):
        await opened(a_conversation(None), input="x", previous_response_id="resp_1")


@pytest.mark.parametrize(
    ("field", "value"), [("conversation", "conv_1"), ("conversation", {"id": "c"}), ("background", True)]
)
async def test_what_upstreams_would_hold_is_refused(store, field, value):
    with pytest.raises(Unsupported) as caught:
        await opened(a_conversation(store), input="x", **{field: value})
    assert caught.value.param == field


async def test_background_false_and_no_conversation_are_nothing_to_refuse(store):
    assert (await opened(a_conversation(store), input="x", background=False, conversation=None))["background"] is False


async def test_with_the_database_away_the_answer_goes_out_and_says_that_it_is_not_kept(store, monkeypatch):
    def locked(*given):
        raise OperationalError("database is locked")

    monkeypatch.setattr(kept, "_save", locked)
    _, given = await say(store, "x", an_answer("resp_1", a_message("y")))
    assert given["store"] is False
    assert given["output"] == [a_message("y")]
    monkeypatch.setattr(kept, "_turns", locked)
    with pytest.raises(StoreAway) as caught:
        await opened(a_conversation(store), input="x", previous_response_id="resp_1")
    assert caught.value.status == 503


async def test_a_turn_that_is_too_large_is_answered_and_not_kept(store, monkeypatch):
    monkeypatch.setattr(kept, "MOST_BYTES", 2000)
    _, given = await say(store, "x" * 3000, an_answer("resp_1", a_message("y")))
    assert given["store"] is False
    assert await store.get(ALICE, "resp_1") is None


async def test_a_conversation_that_outgrows_a_request_is_refused(store):
    await say(store, "x" * MB, an_answer("resp_1", a_message("y")))
    with pytest.raises(BodyTooLarge):
        await opened(a_conversation(store), MB, input="z", previous_response_id="resp_1")


async def test_what_an_answer_broke_off_in_was_not_said(store):
    half = a_message("ha", "msg_h", status="in_progress")
    await say(store, "x", an_answer("resp_1", a_message("whole", status="completed"), half, status="incomplete"))
    sent = await opened(a_conversation(store), input="go on", previous_response_id="resp_1")
    assert [item["id"] for item in sent["input"][1:-1]] == ["msg_a"]


# --- references


async def test_references_are_replaced_by_what_they_name(store):
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
    await say(store, "x", an_answer("resp_1", a_message("y"), call))
    result = {"type": "function_call_output", "call_id": "call_1", "output": "4"}
    given = [{"type": "item_reference", "id": "msg_a"}, {"id": "fc_1"}, result]
    sent, _ = await say(store, given, an_answer("resp_2", a_message("z", "msg_z")))
    assert sent["input"] == [a_message("y"), call, result]
    assert (await store.inputs(ALICE, "resp_2"))[:2] == [a_message("y"), call]


async def test_references_work_without_keeping_the_next_answer_too(store):
    await say(store, "x", an_answer("resp_1", a_message("y")))
    sent = await opened(a_conversation(store), input=[{"type": "item_reference", "id": "msg_a"}], store=False)
    assert sent["input"] == [a_message("y")]


@pytest.mark.parametrize("item", ['{"id":"msg_none"}', r'{"type":"item\u005freference","id":"msg_none"}'])
async def test_a_reference_is_one_however_it_is_written(store, item):
    """Without `store` the body went on as it was, and so named what the upstream's account holds of others."""
    body = b'{"model":"m","store":false,"input":[{"role":"user","content":"x"},' + item.encode() + b"]}"
    with pytest.raises(BadRequest, match="'msg_none' not found"):
        await a_conversation(store).open(Body(body), 64 * MB)


async def test_items_whose_ids_are_no_texts_harm_no_later_reference(store):
    odd = [a_message("x", ["a"], "user"), a_message("x", {"a": 1}, "user"), a_message("x", 5, "user")]  # type: ignore[arg-type]
    sent, _ = await say(store, odd, an_answer("resp_1", a_message("y"), a_message("z", ["b"])))  # type: ignore[arg-type]
    given = [{"type": "item_reference", "id": "msg_a"}]
    sent = await opened(a_conversation(store), input=given, previous_response_id="resp_1")
    assert sent["input"][-1] == a_message("y")


async def test_xl_033_a_reference_to_nothing_is_a_400_that_names_it(store):
    given = [{"role": "user", "content": "x"}, {"type": "item_reference", "id": "msg_none"}]
    with pytest.raises(BadRequest, match="'msg_none' not found") as caught:
        await opened(a_conversation(store), input=given)
    assert (caught.value.status, caught.value.param) == (400, "input[1].id")


# --- streams


def a_stream(answer: dict[str, Any], end: str = "response.completed", named: bool = True) -> list[bytes]:
    begun = {**answer, "status": "in_progress", "output": []}
    events = [
        {"type": "response.created", "sequence_number": 0, "response": begun},
        {"type": "response.output_text.delta", "sequence_number": 1, "delta": 'a "type":"response.completed" in text'},
        {"type": end, "sequence_number": 2, "response": answer},
    ]
    return [
        (f"event: {event['type']}\n" if named else "").encode() + f"data: {json.dumps(event)}\n\n".encode()
        for event in events
    ]


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
@pytest.mark.parametrize("end", ["response.completed", "response.incomplete", "response.failed"])
async def test_streams_are_kept_by_their_last_event_and_say_so_in_the_first(store, end, named):
    status = end.partition(".")[2]
    await say(store, "hi", an_answer("resp_1", a_message("yo")))
    conversation = a_conversation(store)
    await opened(conversation, input="x", previous_response_id="resp_1", stream=True)
    frames = a_stream(an_answer("resp_2", a_message("y"), status=status), end, named)
    given = [conversation.shape(frame) for frame in frames]
    assert await conversation.settle(given[-1], SIDE) == given[-1]
    assert given[1] == frames[1]
    for frame in (given[0], given[2]):
        told = json.loads(frame.rpartition(b"data: ")[2])["response"]
        assert (told["store"], told["previous_response_id"]) == (True, "resp_1")
    assert (await store.get(ALICE, "resp_2"))["status"] == status


async def test_a_stream_that_ends_otherwise_is_not_kept(store):
    conversation = a_conversation(store)
    await opened(conversation, input="x", stream=True)
    last = b'event: error\ndata: {"type":"error","message":"no"}\n\n'
    assert await conversation.settle(conversation.shape(last), SIDE) == last
    assert await StoredResponse.objects.acount() == 0


async def test_several_frames_in_one_piece_are_each_shaped(store):
    conversation = a_conversation(store)
    await opened(conversation, input="x", stream=True)
    frames = a_stream(an_answer("resp_2", a_message("y")))
    piece = b": comment\n\n" + b"".join(frames)
    assert conversation.shape(piece) == b": comment\n\n" + b"".join(conversation.shape(frame) for frame in frames)


@pytest.mark.parametrize(
    "broken", [b'{"object": ', b'data: {"type":"response.completed","response":{\n\n', b"data: x\n\n"]
)
async def test_what_cannot_be_read_is_left_as_it_is(store, broken):
    conversation = a_conversation(store)
    await opened(conversation, input="x")
    assert conversation.shape(broken) == broken
    assert await conversation.settle(broken, SIDE) == broken


# --- towards the upstream


@pytest.mark.parametrize(
    ("profile", "included"),
    [
        (Profile(metadata=True, reasoning_effort=True), ["file_search_call.results", ENCRYPTED]),
        (Profile(metadata=True, reasoning_effort=False), ["file_search_call.results"]),
        (Profile(reasoning_effort=True), ["file_search_call.results"]),
    ],
    ids=["OpenAI's that reasons", "OpenAI's that does not", "somebody else's"],
)
async def test_reasoning_is_asked_for_where_it_can_come_back(store, profile, included):
    conversation = a_conversation(store)
    raw = json.dumps({"model": "m", "input": "x", "include": ["file_search_call.results"]}).encode()
    body = await conversation.open(Body(raw), MB)
    side = UpstreamSide(profile=profile, sealer=Sealer(b"k" * 32))
    assert conversation.for_upstream(body, side).get("include") == included


async def test_reasoning_is_asked_for_once(store):
    conversation = a_conversation(store)
    raw = json.dumps({"model": "m", "input": "x", "include": [ENCRYPTED]}).encode()
    body = await conversation.open(Body(raw), MB)
    side = UpstreamSide(profile=Profile(metadata=True, reasoning_effort=True), sealer=Sealer(b"k" * 32))
    assert conversation.for_upstream(body, side) is body
