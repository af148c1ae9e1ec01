"""Whole sessions of Codex over every upstream: free-form and namespaced tools, reasoning, several turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.fakes.mind import PATCH, THOUGHT, Answer, Ask, ToolUse
from tests.sdk.codex import Codex, frames
from tests.sdk.conftest import Gateway
from tests.sdk.scenarios import RESPONSES

pytestmark = pytest.mark.slow
NEWEST, OLDER = "codex-04-v1_responses.json", "codex-01-v1_responses.json"
THERE = (
    "openai/gpt-4o",
    "openai/gpt-5.1",
    "compatible/deepseek-chat",
    "anthropic/claude-haiku-4-5",
    "anthropic/claude-opus-4-7",
    "gemini/gemini-2.5-flash",
    "gemini/gemini-3-pro-preview",
    "responses/gpt-5.2",
)
THINKS = {"effort": "medium", "summary": "auto"}


class Script:
    """A mind that says one answer after the other."""

    def __init__(self, *answers: Callable[[Ask], Answer]) -> None:
        self._answers = list(answers)
        self.asked: list[Ask] = []

    def __call__(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        return self._answers.pop(0)(ask)


def calling(tool: str, **arguments: object) -> Callable[[Ask], Answer]:
    """The tool whose name ends so, whatever a namespace has become; with the same words and thoughts each time."""

    def answer(ask: Ask) -> Answer:
        found = [name for name in ask.tools if name.endswith(tool)]
        assert len(found) == 1, (tool, ask.tools)
        return Answer(["Let me ", "see."], [ToolUse(found[0], arguments)], THOUGHT if ask.thinks else [])

    return answer


def saying(*pieces: str) -> Callable[[Ask], Answer]:
    return lambda ask: Answer(list(pieces), thinking=THOUGHT if ask.thinks else [])


@pytest.fixture
def session(gateway: Gateway) -> Iterator[Callable[..., tuple[Codex, Script]]]:
    """Codex, and the mind behind every upstream."""
    minds = {dialect: strict.mind for dialect, strict in gateway.behind.items()}

    def begin(recording: str, there: str, script: Script, **settings: object) -> tuple[Codex, Script]:
        for strict in gateway.behind.values():
            strict.mind = script
        codex = Codex(gateway.url, gateway.key, recording, **settings)
        gateway.serve({codex.body["model"]: there})
        return codex, script

    yield begin
    assert not gateway.refused
    for dialect, mind in minds.items():
        gateway.behind[dialect].mind = mind


@pytest.mark.parametrize("there", [*THERE, "responses/gpt-6.1-sol"])
def test_the_newest_codex_works(session, gateway: Gateway, there: str) -> None:
    gateway.responses.forgotten.clear()
    script = Script(
        calling("exec", input=PATCH),
        calling("sleep", duration_ms=5),
        saying("All ", "done."),
        calling("exec", input="const x = `é`;"),
        saying("Again."),
        saying("Nothing to do — 🎈."),
    )
    codex, _ = session(NEWEST, there, script)
    assert codex.says("patch it, then sleep") == "All done."
    assert codex.says("once more") == "Again."
    assert codex.says("thanks") == "Nothing to do — 🎈."
    names, given = zip(*codex.ran, strict=True)
    assert names == ("functions.exec", "clock.sleep", "functions.exec")
    assert (given[0], json.loads(given[1]), given[2]) == (PATCH, {"duration_ms": 5}, "const x = `é`;")
    assert gateway.responses.forgotten == []


@pytest.mark.parametrize("there", THERE)
def test_an_older_codex_works(session, gateway: Gateway, there: str) -> None:
    script = Script(
        calling("exec_command", cmd="ls -la", workdir="/tmp/ü"),
        calling("spawn_agent", message="help"),
        saying("All done."),
        saying("Bye."),
    )
    codex, _ = session(OLDER, there, script, reasoning=THINKS)
    assert codex.says("look around") == "All done."
    assert codex.says("thanks") == "Bye."
    assert [name for name, _ in codex.ran] == ["exec_command", "multi_agent_v1.spawn_agent"]
    assert json.loads(codex.ran[0][1]) == {"cmd": "ls -la", "workdir": "/tmp/ü"}


@pytest.mark.parametrize("there", THERE)
def test_parallel_calls_of_codex_are_answered_together(session, there: str) -> None:
    def both(ask: Ask) -> Answer:
        uses = [ToolUse("exec_command", {"cmd": cmd}) for cmd in ("ls", "pwd")]
        return Answer(["Both."], uses, THOUGHT if ask.thinks else [], interleaved=True)

    codex, script = session(OLDER, there, Script(both, saying("Fine.")), reasoning=None)
    assert codex.says("two things") == "Fine."
    assert [json.loads(given)["cmd"] for _, given in codex.ran] == ["ls", "pwd"]
    assert script.asked[1].results == ["exec_command is done — ✓"] * 2


@pytest.mark.parametrize("there", ["responses/gpt-6.1-sol"])
def test_codex_reaches_its_own_service_untouched(session, gateway: Gateway, there: str) -> None:
    codex, _ = session(NEWEST, there, Script(saying("Hi.")))
    gateway.servers[RESPONSES].seen.clear()
    codex.says("hello")
    seen = gateway.servers[RESPONSES].last.body
    assert seen == {**codex.body, "input": codex.history[: len(seen["input"])]}


@pytest.mark.parametrize("there", THERE)
def test_a_broken_stream_fails_for_codex(session, gateway: Gateway, there: str) -> None:
    """It passes over a bare `error` event and would wait for the end of the turn."""
    codex, _ = session(OLDER, there, Script(lambda ask: Answer(["So far "], ends="cut")))
    body = {**codex.body, "input": codex.body["input"]}
    got = codex._http.post(codex.url, headers=codex.headers, json=body)
    last = frames(got.text)[-1]
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    assert last["response"]["error"]["message"]
