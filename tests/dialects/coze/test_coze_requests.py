"""What a bot is sent: words in order, with roles and forms that Coze takes; the rest is a Note or a 400."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxyapp.dialects.contract import Body, ClientSide, Profile, UpstreamSide
from proxyapp.dialects.coze import COZE
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import GatewayError, Unsupported
from proxyapp.ir import parts as p
from proxyapp.ir.request import Format, ReasoningSettings, Request, ServerTool, Tool, ToolChoice, Turn
from proxyapp.ir.response import Finish, FinishKind, Response

SEALER = Sealer(b"k" * 32)


def a_side(*, lenient: bool = False, model: str = "bot-42", caller: str = "alice") -> UpstreamSide:
    return UpstreamSide(profile=Profile(), sealer=SEALER, model=model, lenient=lenient, caller=caller)


def user(*parts: Any, path: str = "messages.0") -> Turn:
    return Turn(role="user", parts=[p.Text(text=x) if isinstance(x, str) else x for x in parts], path=path)


def bot(*parts: Any, path: str = "messages.1") -> Turn:
    return Turn(role="assistant", parts=[p.Text(text=x) if isinstance(x, str) else x for x in parts], path=path)


def ask(*turns: Turn, **fields: Any) -> Request:
    return Request(client_dialect="some", model="asked", turns=list(turns) or [user("hi")], **fields)


def rendered(request: Request, side: UpstreamSide | None = None) -> dict[str, Any]:
    return COZE.render_request(request, side or a_side())


def sent(request: Request, side: UpstreamSide | None = None) -> list[tuple[str, str, str, str]]:
    messages = rendered(request, side)["additional_messages"]
    return [(m["role"], m["type"], m["content_type"], m["content"]) for m in messages]


@pytest.mark.parametrize(
    ("model", "bot_id"), [("bot-7533263489985413120", "7533263489985413120"), ("753", "753"), ("bot-bot-1", "bot-1")]
)
def test_a_bots_id_is_what_follows_the_prefix_and_else_the_whole_name(model, bot_id):
    assert rendered(ask(), a_side(model=model))["bot_id"] == bot_id


def test_the_whole_body_of_a_plain_request():
    assert rendered(ask(stream=True)) == {
        "bot_id": "42",
        "user_id": "alice",
        "stream": True,
        "auto_save_history": True,
        "additional_messages": [{"role": "user", "type": "question", "content_type": "text", "content": "hi"}],
    }


@pytest.mark.parametrize(
    ("end_user", "caller", "expected"), [("zoe", "alice", "zoe"), (None, "alice", "alice"), (None, "", "anonymous")]
)
def test_the_user_is_the_callers_word_for_it_and_else_the_client(end_user, caller, expected):
    assert rendered(ask(end_user=end_user), a_side(caller=caller))["user_id"] == expected


def test_system_texts_stand_before_the_next_words_of_the_user_with_a_note():
    request = ask(
        user("one"),
        bot("two"),
        Turn(role="system", parts=[p.Text(text="Now be brief.")], path="messages.2"),
        user("three", path="messages.3"),
        system=[p.Text(text="Be kind."), p.Text(text="Be true.")],
    )
    side = a_side()
    assert sent(request, side) == [
        ("user", "question", "text", "Be kind.\n\nBe true.\n\none"),
        ("assistant", "answer", "text", "two"),
        ("user", "question", "text", "Now be brief.\n\nthree"),
    ]
    assert [(note.path, note.dropped) for note in side.notes.items] == [("system", False)]


def test_a_request_of_system_texts_alone_becomes_the_question():
    request = ask(Turn(role="system", parts=[p.Text(text="Say hi.")]), system=[])
    assert sent(request) == [("user", "question", "text", "Say hi.")]


def test_an_image_by_its_address_is_an_object_string_in_which_the_system_text_stands_first():
    picture = p.Image(source=p.Source(kind="url", data="https://h/p.png"))
    paper = p.Document(source=p.Source(kind="url", data="https://h/p.pdf"), title="p")
    ((_, _, form, content),) = sent(ask(user("what is it?", picture, paper), system=[p.Text(text="Be kind.")]))
    assert form == "object_string"
    assert json.loads(content) == [
        {"type": "text", "text": "Be kind."},
        {"type": "text", "text": "what is it?"},
        {"type": "image", "file_url": "https://h/p.png"},
        {"type": "file", "file_url": "https://h/p.pdf"},
    ]


def test_a_document_that_is_text_is_sent_as_text():
    paper = p.Document(source=p.Source(kind="text", data="All of it."), title="Paper")
    assert sent(ask(user(paper, "sum up")))[0][3] == "Paper\nAll of it.\n\nsum up"


@pytest.mark.parametrize(
    "part",
    [
        p.Image(source=p.Source(kind="base64", data="AAAA", mime="image/png")),
        p.Image(source=p.Source(kind="file", data="file-1")),
        p.Document(source=p.Source(kind="base64", data="AAAA", mime="application/pdf")),
        p.Audio(source=p.Source(kind="base64", data="AAAA", mime="audio/wav")),
    ],
)
def test_bytes_and_foreign_ids_are_refused_naming_the_part(part):
    with pytest.raises(Unsupported, match="by its public address only") as caught:
        rendered(ask(user("look", part)))
    assert caught.value.param == "messages.0.content.1"
    side = a_side(lenient=True)
    assert sent(ask(user("look", part)), side) == [("user", "question", "text", "look")]
    assert side.notes.header() == "messages.0.content.1"


def test_an_answer_that_was_begun_for_the_bot_is_refused():
    with pytest.raises(Unsupported) as caught:
        rendered(ask(user("hi"), bot("Hel")))
    assert caught.value.param == "messages.1"
    assert sent(ask(user("hi"), bot("Hel")), a_side(lenient=True)) == [("user", "question", "text", "hi")]


@pytest.mark.parametrize("turns", [[bot("hi")], [user()], [user("")]])
def test_a_conversation_without_a_user_is_refused_also_when_lenient(turns):
    with pytest.raises(Unsupported):
        rendered(ask(*turns), a_side(lenient=True))


def test_more_messages_than_coze_takes_are_refused_and_the_newest_kept_when_lenient():
    turns = [turn for _ in range(60) for turn in (user("q"), bot("a"))] + [user("last")]
    with pytest.raises(Unsupported, match="100 messages at most, and there are 121"):
        rendered(ask(*turns))
    kept = sent(ask(*turns), a_side(lenient=True))
    assert len(kept) == 100
    assert kept[-1][3] == "last"


def test_reasoning_in_the_history_stays_away_and_says_nothing():
    side = a_side()
    turn = bot(p.Reasoning(text="hm", signature="s", family="anthropic"), "two")
    assert sent(ask(user("one"), turn, user("three")), side)[1][3] == "two"
    assert side.notes.items == []


# --- tools and settings


TOOL = Tool(name="f", schema={"type": "object"})


def test_tools_are_refused_and_dropped_with_a_note_when_lenient():
    with pytest.raises(Unsupported) as caught:
        rendered(ask(tools=[TOOL]))
    assert caught.value.param == "tools"
    side = a_side(lenient=True)
    assert "tools" not in rendered(ask(tools=[TOOL]), side)
    assert side.notes.header() == "tools"


def test_tools_that_may_not_be_called_are_only_noted():
    side = a_side()
    rendered(ask(tools=[TOOL], tool_choice=ToolChoice(mode="none")), side)
    assert side.notes.header() == "tools"


def test_hosted_tools_and_calls_of_the_history_are_refused_by_their_place():
    hosted = ServerTool(kind="web_search", dialect="x", raw={}, path="tools.3")
    call, result = p.ToolCall(id="c", name="f"), p.ToolResult(call_id="c", parts=[p.Text(text="21")])
    for request, path in [
        (ask(server_tools=[hosted]), "tools.3"),
        (ask(user("q"), bot(call), user(result)), "messages.1.content.0"),
    ]:
        with pytest.raises(Unsupported) as caught:
            rendered(request)
        assert caught.value.param == path
    kept = sent(ask(user("q"), bot("So: ", call), user(result)), a_side(lenient=True))
    assert kept[1:] == [
        ("assistant", "answer", "text", "So: "), ("user", "question", "text", "Result of tool call c:\n21"),
    ]  # fmt: skip


def test_settings_that_the_bot_settles_itself_are_noted_in_the_callers_words():
    side = a_side()
    request = ask(
        temperature=0.0, top_p=0.5, top_k=3, max_output=9, stop=["x"], seed=1, frequency_penalty=0.1,
        presence_penalty=0.1, logit_bias={"1": 2.0}, verbosity="low", reasoning=ReasoningSettings(mode="adaptive"),
        service_tier="flex", store=True, words={"max_tokens": "max_completion_tokens"},
    )  # fmt: skip
    body = rendered(request, side)
    assert set(body) == {"bot_id", "user_id", "stream", "auto_save_history", "additional_messages"}
    assert {note.path for note in side.notes.items} == {
        "temperature", "top_p", "top_k", "max_completion_tokens", "stop", "seed", "frequency_penalty",
        "presence_penalty", "logit_bias", "verbosity", "reasoning", "service_tier", "store",
    }  # fmt: skip


def test_several_answers_and_probabilities_are_refused():
    with pytest.raises(Unsupported):
        rendered(ask(n=2), a_side(lenient=True))
    with pytest.raises(Unsupported):
        rendered(ask(logprobs=True))


def test_json_is_asked_for_in_words():
    side = a_side()
    wanted = Format(kind="json_schema", schema={"type": "object"})
    assert sent(ask(format=wanted), side)[0][3] == (
        'Answer with one JSON object and nothing else.\n\nIt must match this JSON Schema:\n{"type":"object"}\n\nhi'
    )
    assert [note.path for note in side.notes.items] == ["format", "system"]
    assert sent(ask(format=Format(kind="text")))[0][3] == "hi"


# --- fields beside


def test_fields_of_coze_go_as_they_came_and_metadata_as_its_own():
    side = a_side()
    extras = {"custom_variables": {"city": "Paris"}, "enable_card": False, "diagnostics": {}, "whatever": 1}
    body = rendered(ask(extras=extras, metadata={"team": "blue"}), side)
    assert (body["custom_variables"], body["enable_card"]) == ({"city": "Paris"}, False)
    assert body["meta_data"] == {"team": "blue"}
    assert side.notes.header() == "whatever"


@pytest.mark.parametrize("name", ["modalities", "responseModalities"])
def test_an_answer_in_sound_or_pictures_is_refused(name):
    with pytest.raises(Unsupported) as caught:
        rendered(ask(extras={name: ["text", "audio"]}), a_side(lenient=True))
    assert caught.value.param == name
    side = a_side()
    rendered(ask(extras={name: ["TEXT"]}), side)
    assert side.notes.items == []


def test_history_is_saved_where_the_answer_is_read_from_it():
    side = a_side()
    assert rendered(ask(extras={"auto_save_history": False}), side)["auto_save_history"] is True
    assert side.notes.header() == "auto_save_history"
    assert rendered(ask(stream=True, extras={"auto_save_history": False}))["auto_save_history"] is False


@pytest.mark.parametrize("where", ["extras", "metadata"])
@pytest.mark.parametrize("named", ["75", "coze-75-99", "coze-75"])
def test_a_conversation_travels_in_the_address_and_only_what_is_new_is_sent(where, named):
    side = a_side()
    request = ask(user("one"), bot("two"), user("three"), user("four"), system=[p.Text(text="Be kind.")])
    getattr(request, where)["conversation_id"] = named
    assert [content for *_, content in sent(request, side)] == ["three", "four"]
    assert side.query == {"conversation_id": "75"}
    assert [(note.path, note.dropped) for note in side.notes.items] == [("messages", False)]


def test_a_conversation_that_begins_has_its_system_texts():
    side = a_side()
    request = ask(user("one"), system=[p.Text(text="Be kind.")], extras={"conversation_id": "75"})
    assert [content for *_, content in sent(request, side)] == ["Be kind.\n\none"]


def test_a_conversation_id_that_is_no_text_is_refused():
    with pytest.raises(Unsupported) as caught:
        rendered(ask(extras={"conversation_id": {"id": 1}}))
    assert caught.value.param == "conversation_id"


def test_the_same_request_is_the_same_bytes():
    request = ask(user("one"), bot("two"), user("three"), metadata={"b": "1", "a": "2"})
    assert json.dumps(rendered(request)) == json.dumps(rendered(request))


def test_nobody_speaks_coze_to_the_gateway():
    side = ClientSide(sealer=SEALER)
    answer = Response(finish=Finish(kind=FinishKind.END))
    asked = ask()
    for attempt in (
        lambda: COZE.peek(Body(b"{}")),
        lambda: COZE.parse_request({}, side),
        lambda: COZE.render_response(answer, asked, side),
        lambda: COZE.encoder(asked, side),
        lambda: COZE.render_error(GatewayError("x"), "1"),
        lambda: COZE.patch(Body(b"{}"), "m", a_side()),
        lambda: COZE.tap(Body(b"{}")),
        lambda: COZE.glimpse(b"{}"),
    ):
        with pytest.raises(Unsupported, match="spoken to upstreams alone"):
            attempt()
