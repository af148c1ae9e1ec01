"""Codex by hand: it reads a Responses stream as the released client does, and goes on as its recordings do.

What it needs (reference/clients.md 6 and 7): names of events, numbers in order, every item ended by `output_item.done`,
and `response.completed` with an id and usage. Whatever is missing there ends a turn with an error.
"""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import httpx

Json = dict[str, Any]
RECORDINGS = Path(__file__).resolve().parent.parent / "fixtures" / "corpus" / "clients"
_DELTAS = {
    "response.output_text.delta": "message",
    "response.refusal.delta": "message",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
    "response.function_call_arguments.delta": "function_call",
    "response.custom_tool_call_input.delta": "custom_tool_call",
}
_WHOLE = {"function_call": "arguments", "custom_tool_call": "input"}


class Codex:
    """One session. `recording`: whose headers, tools and settings it has."""

    def __init__(self, url: str, key: str, recording: str, **settings: Any) -> None:
        recorded = json.loads((RECORDINGS / recording).read_text())
        self.url = url + recorded["path"]
        self.headers = {**recorded["headers"], "authorization": f"Bearer {key}"}
        self.body: Json = {**recorded["body"], **settings}
        self.history: list[Json] = self.body["input"][:-1]
        """Without what the recording's user said last."""
        self.ran: list[tuple[str, str]] = []
        """(name with its namespace, arguments or input) of each tool it has run."""
        self._http = httpx.Client(trust_env=False, timeout=20)
        self._count = itertools.count(1)

    def says(self, text: str) -> str:
        """One turn, with as many requests as the model has calls; what the model says last."""
        content = [{"type": "input_text", "text": text}]
        self.history.append({"type": "message", "id": self._id("msg"), "role": "user", "content": content})
        for _ in range(8):
            items = self._request()
            self.history += items
            calls = [item for item in items if "call_id" in item]
            self.history += [self._run(call) for call in calls]
            if not calls:
                return text_of(items)
        raise AssertionError("the model calls without an end")

    def _run(self, call: Json) -> Json:
        name = ".".join(filter(None, [call.get("namespace"), call["name"]]))
        self.ran.append((name, call[_WHOLE[call["type"]]]))
        words = f"{name} is done — ✓"
        if call["type"] == "function_call":
            told: Json = {"type": "function_call_output", "id": self._id("fco"), "output": words}
        else:
            output = [{"type": "input_text", "text": "Script completed\n"}, {"type": "input_text", "text": words}]
            told = {"type": "custom_tool_call_output", "id": self._id("ctco"), "output": output}
        return {**told, "call_id": call["call_id"]}

    def _request(self) -> list[Json]:
        body = {**self.body, "input": copy.deepcopy(self.history)}
        got = self._http.post(self.url, headers=self.headers, json=body)
        assert got.status_code == 200, f"{got.status_code} {got.text}"
        assert got.headers["content-type"].startswith("text/event-stream")
        return [as_kept(item) for item in read(got.text)]

    def _id(self, kind: str) -> str:
        return f"{kind}_00000000-0000-4000-8000-{next(self._count):012d}"


def as_kept(item: Json) -> Json:
    """What goes into its history, as in the recordings: reasoning always has a `content`."""
    if item["type"] == "reasoning":
        kept = {"type": "reasoning", "id": item["id"], "summary": item["summary"], "content": None}
        return {**kept, "encrypted_content": item.get("encrypted_content")}
    return item


def text_of(items: list[Json]) -> str:
    return "".join(
        part.get("text", "") for item in items if item["type"] == "message" for part in item.get("content", [])
    )


def read(stream: str) -> list[Json]:
    """The finished items of a stream; raises AssertionError where Codex would be lost."""
    events = frames(stream)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] == "response.completed", events[-1]
    done: list[Json] = []
    open_item: Json | None = None
    heard = ""
    for event in events:
        kind = event["type"]
        if kind == "response.output_item.added":
            assert open_item is None, "two items are open"
            assert event["output_index"] == len(done)
            open_item, heard = event["item"], ""
        elif kind in _DELTAS:
            assert open_item is not None, f"{kind} outside of an item"
            assert (open_item["type"], open_item["id"]) == (_DELTAS[kind], event["item_id"])
            heard += event["delta"]
        elif kind == "response.output_item.done":
            assert open_item is not None, "an item ended that had not begun"
            check(open_item, event["item"], heard)
            done.append(event["item"])
            open_item = None
    end = events[-1]["response"]
    assert open_item is None
    assert end["id"] == events[0]["response"]["id"]
    assert end["output"] == done
    assert {"input_tokens", "output_tokens", "total_tokens"} <= set(end["usage"])
    return done


def check(begun: Json, item: Json, heard: str) -> None:
    """The finished item is the one that began, and holds what its pieces said."""
    assert {key: begun.get(key) for key in ("id", "type", "call_id", "name", "namespace")} == {
        key: item.get(key) for key in ("id", "type", "call_id", "name", "namespace")
    }
    if item["type"] in _WHOLE:
        assert item[_WHOLE[item["type"]]] == heard
        assert item["call_id"]
    elif item["type"] == "message":
        assert text_of([item]) == heard
    elif item["type"] == "reasoning" and heard:
        assert heard == "".join(part["text"] for part in item["summary"] or item.get("content") or [])


def frames(stream: str) -> list[Json]:
    found = []
    for frame in stream.split("\n\n"):
        lines = [line for line in frame.splitlines() if line and not line.startswith(":")]
        if not lines:
            continue
        fields = dict(line.split(": ", 1) for line in lines)
        data = json.loads(fields["data"])
        assert fields["event"] == data["type"], "an event without its name"
        found.append(data)
    return found
