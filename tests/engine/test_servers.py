"""Servers that copy Chat Completions, each as strict as its makers: what Messages and Chat callers send reaches them in
a form that they take, and what they answer is read. The address is a relay's, so that the server is known by its host.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.engine.conftest import a_body, a_call, a_snapshot, an_upstream, ask
from tests.fakes import answers
from tests.fakes.upstream import Script, Seen, answer_json, answer_sse

CHAT, MESSAGES = "openai-chat", "anthropic-messages"
callers = pytest.mark.parametrize("dialect", [CHAT, MESSAGES])
both_forms = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
Json = dict[str, Any]


def at(upstream: Any, host: str, model: str = "m") -> Any:
    """A snapshot whose one upstream is known as the server of that host."""
    return a_snapshot(an_upstream("up", f"{upstream.url}/https://{host}"), model=model)


def a_loop(dialect: str, call_id: str = "toolu_01AbCdEfGhIjKl", thought: str = "Hm.", tail: bool = True) -> Json:
    """A conversation with a tool call, its result and, in the same turn, more of the user's words."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    if dialect == CHAT:
        call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": '{"city":"Paris"}'}}
        messages: list[Json] = [
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": "go", "name": "zoe"},
            {"role": "assistant", "content": None, "reasoning_content": thought, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call_id, "content": "21"},
        ]
        tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
        more = {"tools": tools, "tool_choice": "required", "seed": 7, "user": "zoe"}
    else:
        call = {"type": "tool_use", "id": call_id, "name": "f", "input": {"city": "Paris"}}
        thinking = {"type": "thinking", "thinking": thought, "signature": "c2ln"}
        result = {"type": "tool_result", "tool_use_id": call_id, "content": "21"}
        messages = [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [thinking, call]},
            {"role": "user", "content": [result, *([{"type": "text", "text": "and?"}] if tail else [])]},
        ]
        more = {"system": "Be kind.", "tools": [{"name": "f", "input_schema": schema}], "tool_choice": {"type": "any"},
                "metadata": {"user_id": "zoe"}}  # fmt: skip
    if tail and dialect == CHAT:
        messages.append({"role": "user", "content": "and?"})
    return {"messages": messages, **more}


# --- Mistral


MISTRAL_TOP = {
    "model", "messages", "temperature", "top_p", "max_tokens", "stream", "stop", "random_seed", "response_format",
    "tools", "tool_choice", "presence_penalty", "frequency_penalty", "n", "prediction", "parallel_tool_calls",
    "prompt_mode", "safe_prompt", "reasoning_effort",
}  # fmt: skip
MISTRAL_KEYS = {
    "system": {"role", "content"}, "user": {"role", "content"}, "tool": {"role", "content", "tool_call_id", "name"},
    "assistant": {"role", "content", "tool_calls", "prefix"},
}  # fmt: skip
MISTRAL_AFTER = {"tool": {"assistant", "tool"}}


def mistral(seen: Seen) -> Script:
    """Refuses what Mistral refuses; answers in its form: content in parts, calls without index."""
    body, wrong = seen.body, []
    wrong += [f"extra_forbidden body.{name}" for name in body if name not in MISTRAL_TOP]
    before = ""
    for number, message in enumerate(body["messages"]):
        role = message["role"]
        wrong += [f"extra_forbidden messages.{number}.{name}" for name in message
                  if name not in MISTRAL_KEYS.get(role, set())]  # fmt: skip
        ids = [call["id"] for call in message.get("tool_calls", [])] + [message.get("tool_call_id", "a" * 9)]
        wrong += [f"tool call id {one}" for one in ids if not re.fullmatch("[a-zA-Z0-9]{9}", one)]
        if role not in MISTRAL_AFTER.get(before, {role}):
            wrong.append(f"Unexpected role '{role}' after role '{before}'")
        before = role
    if body.get("tool_choice") not in (None, "auto", "none", "any"):
        wrong.append("tool_choice")
    if before == "assistant" and not body["messages"][-1].get("prefix"):
        wrong.append("Expected last role User or Tool (or Assistant with prefix True)")
    if wrong:
        detail = {"detail": [{"type": "extra_forbidden", "msg": one} for one in wrong]}
        return answer_json({"object": "error", "message": detail, "type": "invalid_request_error"}, 422)
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    content = [thinking, {"type": "text", "text": "Hello."}]
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    if body.get("stream"):
        pieces = [answers.chunk({"role": "assistant", "content": [thinking]}),
                  answers.chunk({"content": [{"type": "text", "text": "Hello."}]}),
                  answers.chunk({"content": ""}, "stop", usage=usage), b"data: [DONE]\n\n"]  # fmt: skip
        return answer_sse(pieces)
    whole = answers.whole(CHAT)
    whole["choices"][0]["message"] = {"role": "assistant", "content": content}
    return answer_json({**whole, "usage": usage})


@callers
@both_forms
async def test_mistral_takes_a_tool_loop_of_any_caller(make_engine, upstream, dialect, stream):
    upstream.default = mistral
    engine = make_engine(at(upstream, "api.mistral.ai/v1"))
    outcome = await ask(engine, a_call(dialect, a_body(stream, **a_loop(dialect))))
    assert outcome.status == 200, outcome.raw
    roles = [message["role"] for message in upstream.last.body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert upstream.last.body["tool_choice"] == "any"
    assert upstream.last.body.get("random_seed") == (7 if dialect == CHAT else None)
    assert b"Hello." in outcome.raw
    assert (outcome.row.fresh_input, outcome.row.output) == (9, 4)
    if dialect == MESSAGES:
        assert b"thinking" in outcome.raw


@callers
async def test_mistral_goes_on_with_an_answer_that_was_begun(make_engine, upstream, dialect):
    upstream.default = mistral
    messages = [{"role": "user", "content": "go"}, {"role": "assistant", "content": "Once"}]
    outcome = await ask(make_engine(at(upstream, "api.mistral.ai")), a_call(dialect, a_body(messages=messages)))
    assert outcome.status == 200, outcome.raw
    assert upstream.last.body["messages"][-1] == {"role": "assistant", "content": "Once", "prefix": True}


@callers
async def test_mistrals_own_words_on_what_it_refuses_reach_the_caller(make_engine, upstream, dialect):
    upstream.default = mistral
    body = a_body(**a_loop(dialect), whatever_new=1) if dialect == CHAT else a_body(**a_loop(dialect), top_k=3)
    outcome = await ask(make_engine(at(upstream, "api.mistral.ai")), a_call(dialect, body))
    if dialect == CHAT:  # a field nobody here has heard of is the upstream's to judge
        assert outcome.status == 422
        assert "extra_forbidden" in outcome.json["error"]["message"]
    else:
        assert outcome.status == 200
        assert "top_k" in outcome.reply.headers["x-dragoman-dropped"]


# --- DeepSeek


def deepseek(seen: Seen) -> Script:
    """In thinking mode every turn with calls must bring its reasoning; `developer` is no role."""
    body = seen.body
    for message in body["messages"]:
        if message["role"] not in ("system", "user", "assistant", "tool"):
            return answer_json({"error": {"message": f"unknown variant `{message['role']}`"}}, 422)
        if message.get("tool_calls") and "reasoning_content" not in message:
            words = "The `reasoning_content` in the thinking mode must be passed back to the API."
            return answer_json({"error": {"message": words, "type": "invalid_request_error"}}, 400)
    return answer_json(answers.whole(CHAT))


@callers
async def test_deepseek_gets_the_reasoning_of_its_turns_with_calls_back(make_engine, upstream, dialect):
    upstream.default = deepseek
    engine = make_engine(at(upstream, "api.deepseek.com"))
    outcome = await ask(engine, a_call(dialect, a_body(**a_loop(dialect))))
    assert outcome.status == 200, outcome.raw
    assistant = next(m for m in upstream.last.body["messages"] if m["role"] == "assistant")
    assert assistant["reasoning_content"] == "Hm."


@pytest.mark.parametrize(
    ("asked", "thinking", "effort"),
    [
        ({"thinking": {"type": "disabled"}}, "disabled", None),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}, "enabled", "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "enabled", "low"),
    ],
)
async def test_deepseeks_switch_follows_a_messages_caller(make_engine, upstream, asked, thinking, effort):
    upstream.default = deepseek
    outcome = await ask(
        make_engine(at(upstream, "api.deepseek.com")), a_call(MESSAGES, {**a_body(**asked), "max_tokens": 5000})
    )
    assert outcome.status == 200, outcome.raw
    assert upstream.last.body["thinking"] == {"type": thinking}
    assert upstream.last.body.get("reasoning_effort") == effort


# --- OpenRouter


@callers
@both_forms
async def test_openrouters_error_inside_a_200_is_told_with_its_cause(make_engine, upstream, dialect, stream):
    raw = json.dumps({"error": {"message": "Overloaded", "type": "overloaded_error"}})
    error = {"code": 502, "message": "Provider returned error", "metadata": {"provider_name": "Acme", "raw": raw}}
    beats = b": OPENROUTER PROCESSING\n\n" * 2
    upstream.default = (
        answer_sse([beats, b"data: " + json.dumps({"error": error}).encode() + b"\n\n", b"data: [DONE]\n\n"])
        if stream
        else answer_json({"error": error})
    )
    outcome = await ask(make_engine(at(upstream, "openrouter.ai/api/v1")), a_call(dialect, a_body(stream)))
    assert outcome.status == 502
    assert outcome.json["error"]["message"] == "Provider returned error (Acme: Overloaded)"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain words", "Provider returned error (Acme: plain words)"),
        ({"message": "an object"}, "Provider returned error (Acme: an object)"),
        ({"error": "a text"}, "Provider returned error (Acme: a text)"),
        ("", "Provider returned error (Acme)"),
        (None, "Provider returned error (Acme)"),
        ([1], "Provider returned error (Acme)"),
        ("x" * 9000, f"Provider returned error (Acme: {'x' * 500})"),
    ],
)
async def test_whatever_the_cause_looks_like_it_is_words_of_bounded_length(make_engine, upstream, raw, expected):
    error = {"code": 429, "message": "Provider returned error", "metadata": {"provider_name": "Acme", "raw": raw}}
    upstream.default = answer_json({"error": error}, 429)
    outcome = await ask(make_engine(at(upstream, "openrouter.ai")), a_call(CHAT, a_body()))
    assert (outcome.status, outcome.json["error"]["message"]) == (429, expected)


@callers
async def test_openrouters_finish_of_error_after_content_is_no_stop(make_engine, upstream, dialect):
    error = {"code": "server_error", "message": "Provider disconnected unexpectedly"}
    last = answers.chunk({"content": ""}, "error", error=error)
    upstream.default = answer_sse([answers.chunk({"role": "assistant", "content": "So far"}), last], pause=0.05)
    outcome = await ask(make_engine(at(upstream, "openrouter.ai")), a_call(dialect, a_body(True)))
    assert outcome.row.outcome == "partial"
    assert b"Provider disconnected unexpectedly" in outcome.raw
    assert b"message_stop" not in outcome.raw


async def test_openrouters_reasoning_comes_back_as_it_made_it(make_engine, upstream):
    """Two turns: what it sent in `reasoning_details`, through a Messages caller, is in the next request unchanged."""
    detail = {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}
    whole = answers.whole(CHAT, "")
    call = {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    whole["choices"][0] |= {"finish_reason": "tool_calls"}
    whole["choices"][0]["message"] |= {"reasoning": "Hm.", "reasoning_details": [detail], "tool_calls": [call]}
    upstream.then(answer_json(whole), answer_json(answers.whole(CHAT)))
    engine = make_engine(at(upstream, "openrouter.ai/api/v1"))
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    wanted = {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 5000, "tools": tools}
    asked = {**a_body(), **wanted}
    first = await ask(engine, a_call(MESSAGES, asked))
    assert upstream.last.body["reasoning"] == {"max_tokens": 2048}
    engine.books.ended.clear()
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "21"}
    turns = [*asked["messages"], {"role": "assistant", "content": first.json["content"]},
             {"role": "user", "content": [result]}]  # fmt: skip
    second = await ask(engine, a_call(MESSAGES, {**asked, "messages": turns}))
    assert second.status == 200
    assert upstream.last.body["messages"][1]["reasoning_details"] == [detail]


# --- Groq, xAI, Perplexity, LM Studio, Ollama


@callers
async def test_groq_gets_no_fields_that_it_refuses_and_its_usage_is_found(make_engine, upstream, dialect):
    pieces = answers.stream(CHAT)
    pieces[-2] = answers.chunk({}, None, x_groq={"usage": {"prompt_tokens": 9, "completion_tokens": 4}})
    upstream.default = answer_sse(pieces)
    engine = make_engine(at(upstream, "api.groq.com/openai/v1", "qwen/qwen3-32b"))
    body = a_body(True, "qwen/qwen3-32b", **a_loop(dialect))
    outcome = await ask(engine, a_call(dialect, {**body, **({"logit_bias": {"1": 2}} if dialect == CHAT else {})}))
    assert outcome.row.outcome == "ok", outcome.raw
    sent = upstream.last.body
    assert upstream.last.path == "/https://api.groq.com/openai/v1/chat/completions"
    assert sent["reasoning_format"] == "parsed"
    assert "logit_bias" not in sent
    assert not any({"name", "reasoning_content"} & set(message) for message in sent["messages"])
    assert (outcome.row.fresh_input, outcome.row.output) == (9, 4)


@callers
@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (answers.chunk({"content": ""}, x_groq={"id": "req_1", "error": "over capacity"}), "over capacity"),
        (b'data: {"object":"error","message":"the engine died","type":"x","code":500}\n\n', "the engine died"),
    ],
    ids=["groq", "vllm"],
)
@pytest.mark.parametrize("begun", [True, False])
async def test_a_stream_that_stops_with_an_error_of_the_servers_own_form(
    make_engine, upstream, dialect, frame, said, begun
):
    head = [answers.chunk({"role": "assistant", "content": "So far"})] if begun else []
    upstream.default = answer_sse([*head, frame, b"data: [DONE]\n\n"], pause=0.05)
    outcome = await ask(make_engine(at(upstream, "api.groq.com/openai/v1")), a_call(dialect, a_body(True)))
    assert outcome.row.outcome == ("partial" if begun else "error")
    assert said in outcome.raw.decode()
    assert b"message_stop" not in outcome.raw


async def test_sources_that_come_after_the_end_are_told_as_lost(make_engine, upstream):
    pieces = answers.stream(CHAT)
    usage = json.loads(pieces[-2][6:])
    pieces[-2] = b"data: " + json.dumps({**usage, "citations": ["https://h/a", "https://h/b"]}).encode() + b"\n\n"
    upstream.default = answer_sse(pieces)
    outcome = await ask(make_engine(at(upstream, "api.x.ai", "grok-4")), a_call(MESSAGES, a_body(True, "grok-4")))
    assert [path for path, _, _ in outcome.row.notes] == ["annotations"]


@callers
async def test_grok_that_thinks_gets_no_stop(make_engine, upstream, dialect):
    upstream.default = answer_json(answers.whole(CHAT))
    engine = make_engine(at(upstream, "api.x.ai", "grok-4"))
    stop = {"stop": ["x"], "reasoning_effort": "high"} if dialect == CHAT else {"stop_sequences": ["x"]}
    outcome = await ask(engine, a_call(dialect, a_body(model="grok-4", **stop)))
    assert outcome.status == 200
    assert "stop" not in upstream.last.body
    named = "stop" if dialect == CHAT else "stop_sequences"
    assert outcome.reply.headers["x-dragoman-dropped"] == named


@callers
async def test_perplexity_gets_turns_in_turn_and_its_sources_arrive(make_engine, upstream, dialect):
    answer = answers.whole(CHAT, "<think>\nHm.\n</think>\n\nBig.[1]")
    found = [{"title": "A page", "url": "https://h/a", "date": "2026-01-01"}]
    upstream.default = answer_json({**answer, "citations": ["https://h/a"], "search_results": found})
    messages = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    engine = make_engine(at(upstream, "api.perplexity.ai", "sonar-reasoning"))
    outcome = await ask(engine, a_call(dialect, a_body(model="sonar-reasoning", messages=messages)))
    assert upstream.last.path == "/https://api.perplexity.ai/chat/completions"
    assert [message["role"] for message in upstream.last.body["messages"]] == ["user"]
    assert upstream.last.body["messages"][0]["content"] == "a\n\nb"
    if dialect == MESSAGES:
        thought, text = outcome.json["content"]
        assert (thought["type"], thought["thinking"], text["text"]) == ("thinking", "Hm.", "Big.[1]")
        assert [(c["url"], c["title"]) for c in text["citations"]] == [("https://h/a", "A page")]


@callers
async def test_lm_studio_is_not_told_a_tools_name(make_engine, upstream, dialect):
    upstream.default = answer_json(answers.whole(CHAT))
    body = a_loop(dialect)
    tool = body["tools"][0]
    other = json.loads(json.dumps(tool).replace('"name": "f"', '"name": "g"'))
    named = {"type": "function", "function": {"name": "g"}} if dialect == CHAT else {"type": "tool", "name": "g"}
    engine = make_engine(at(upstream, "localhost:1234/v1"))
    asked = a_body(**{**body, "tools": [tool, other], "tool_choice": named})
    outcome = await ask(engine, a_call(dialect, asked))
    assert outcome.status == 200
    assert upstream.last.body["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in upstream.last.body["tools"]] == ["g"]


async def test_lm_studio_gets_no_picture_by_its_address(make_engine, upstream):
    """Fetching is off here: the caller is told, and nothing is sent."""
    picture = {"type": "image", "source": {"type": "url", "url": "https://h/p.png"}}
    messages = [{"role": "user", "content": [picture]}]
    engine = make_engine(at(upstream, "localhost:1234"))
    outcome = await ask(engine, a_call(MESSAGES, a_body(messages=messages)))
    assert outcome.status == 400
    assert "DRAGOMAN_FETCH_MEDIA" in outcome.json["error"]["message"]
    assert upstream.seen == []


async def test_a_model_of_ollama_that_does_not_think_is_not_told_to(make_engine, upstream):
    upstream.default = answer_json(answers.whole(CHAT))
    engine = make_engine(at(upstream, "localhost:11434/v1", "llama3:8b"))
    body = {**a_body(model="llama3:8b"), "max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    outcome = await ask(engine, a_call(MESSAGES, body))
    assert "reasoning_effort" not in upstream.last.body
    assert "thinking" in outcome.reply.headers["x-dragoman-dropped"]


async def test_what_the_operator_says_of_a_model_wins(make_engine, upstream):
    from proxyapp.engine.snapshot import Model, Route

    upstream.default = answer_json(answers.whole(CHAT))
    profile = {"reasoning_form": "template", "reasoning_effort": False, "renamed": {"seed": "random_seed"}}
    models = {"m": Model(name="m", routes=(Route("up", "m"),), profile=profile)}
    snapshot = a_snapshot(an_upstream("up", upstream.url), models=models)
    body = {**a_body(), "max_tokens": 5000, "thinking": {"type": "disabled"}}
    await ask(make_engine(snapshot), a_call(MESSAGES, body))
    assert upstream.last.body["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False}
