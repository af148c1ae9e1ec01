"""What every recorded request is held to, of exchanges and of agents. As in `checks`: AssertionError, or losses."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import pytest

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body
from proxyapp.dialects.registry import DIALECTS
from proxyapp.errors import BadRequest
from proxyapp.ir.notes import Notes
from proxyapp.ir.profile import Profile
from tests.corpus import asking, losses, roads, schemas
from tests.corpus.checks import Losses, patched
from tests.corpus.exchanges import GEMINI, MESSAGES, MODEL, Agent, Exchange
from tests.corpus.readers import ASK

Json = dict[str, Any]
Asking = Exchange | Agent


def own(asker: Asking) -> Json:
    """The recorded body, for the model `m`."""
    assert asker.body is not None
    return asker.body if asker.dialect == GEMINI else {**asker.body, "model": MODEL}


def is_stream(asker: Asking) -> bool:
    return asker.stream if isinstance(asker, Exchange) else bool(asker.body.get("stream"))


def forwarded(asker: Asking) -> Losses:
    """In its own dialect a request is the caller's, but for the model and the documented patches."""
    asked = own(asker)
    side = roads.upstream_side(asker.dialect, Profile())
    sent = json.loads(DIALECTS[asker.dialect].patch(Body(json.dumps(asked).encode()), side.model, side))
    assert sent == patched(asker.dialect, asked, side.model)
    foreign = {field for field in sent if (asker.dialect, field) in schemas.FOREIGN_FIELDS}
    schemas.used |= {(asker.dialect, "", field) for field in foreign}
    if not foreign & set(schemas.NOT_HELD):
        known = {field: value for field, value in sent.items() if field not in foreign}
        fault = schemas.fault(asker.dialect, schemas.REQUEST[asker.dialect], known)
        assert fault is None, fault
    return set()


def translated(asker: Asking, to: str, profile: Profile) -> Losses:
    """For an upstream of another dialect: it means the same, keeps to the specification, and is always the same."""
    body = own(asker)
    if refusal := refused(asker, to):
        return check_refusal(asker, to, profile, refusal)
    raw, notes = rendered(asker, to, profile)
    assert rendered(asker, to, profile)[0] == raw, "the same request gave other bytes"
    sent = json.loads(raw)
    fault = schemas.fault(to, schemas.REQUEST[to], sent)
    assert fault is None, fault
    want, got = ASK[asker.dialect](body), ASK[to](sent)
    if GEMINI in (asker.dialect, to):
        want.stream = got.stream = is_stream(asker)  # it stands in the address
    if to == MESSAGES and want.limit is None:
        want.limit = profile.max_output  # 2.4.1 rule 2: Messages demands a limit, so the model's own most
    return compared(to, want, got, notes)


def rendered(asker: Asking, to: str, profile: Profile) -> tuple[bytes, Notes]:
    side = roads.upstream_side(to, profile)
    client = roads.asked_side(asker.dialect, is_stream(asker))
    request = DIALECTS[asker.dialect].parse_request(own(asker), client)
    return jsonio.encode(DIALECTS[to].render_request(request, side)), side.notes


def refused(asker: Asking, to: str) -> str:
    tags = asker.tags if isinstance(asker, Exchange) else frozenset()
    return next((word for dialect, word in losses.REFUSED if dialect in (to, "") and word in {asker.id, *tags}), "")


def check_refusal(asker: Asking, to: str, profile: Profile, word: str) -> Losses:
    field, reason = losses.REFUSED.get((to, word)) or losses.REFUSED["", word]
    with pytest.raises(BadRequest) as caught:
        rendered(asker, to, profile)
    assert caught.value.param == field
    return {reason}


def compared(to: str, want: asking.Asked, got: asking.Asked, notes: Notes) -> Losses:
    """Every difference is in the table, of the kind that the table allows, and said in a Note where one is due."""
    lost = set()
    if {name for name in got.tools if name not in want.tools} and not want.tools:
        assert any(item[1] == "call" for item in want.items)
        assert got.choice == "none"
        lost.add(losses.REQUESTS[to, "tools"][0])
        got.tools, got.choice = {}, want.choice
    _take_free_tools(want, got)
    if [_joined(item) for item in want.items] == [_joined(item) for item in got.items] and want.items != got.items:
        lost.add(losses.REQUESTS[to, "results"][0])
        got.items = want.items
    for name in asking.Asked.__dataclass_fields__:
        one, two = getattr(want, name), getattr(got, name)
        if one != two:
            row = (to, "strict tools" if (to, name) == (MESSAGES, "tools") else name)
            assert row in losses.REQUESTS, f"{name}: {one!r} became {two!r}"
            (_schemas if (to, name) == (GEMINI, "schema") else _ALLOWED[name])(one, two)
            reason, path = losses.REQUESTS[row]
            assert not path or any(re.search(path, note.path) for note in notes.items), f"no Note says {name}"
            lost.add(reason)
    return lost


def _take_free_tools(want: asking.Asked, got: asking.Asked) -> None:
    """A tool that takes free text is one elsewhere, or takes it as its only argument, `input` (7.7)."""
    for name in set(want.free) - set(got.free):
        words, schema = got.tools.pop(name)
        assert words.startswith(want.free[name])
        assert shape(schema)["properties"] == {"input": {"kind": "string"}}
        got.free[name] = want.free[name]


def _schema(one: Json, two: Json) -> None:
    assert _opened(one) == _opened(two)


def _opened(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_opened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: _opened(v) for k, v in schema.items() if not (k == "additionalProperties" and v is False)}


def _tools(one: dict[str, Any], two: dict[str, Any]) -> None:
    """The same tools, and of their schemas what `shape` keeps."""
    assert {name: (words, shape(schema)) for name, (words, schema) in one.items()} == {
        name: (words, shape(schema)) for name, (words, schema) in two.items()
    }


def shape(schema: Json) -> Any:
    """Names, kinds and what is required, all the way down; references are followed."""
    return _shape(schema, schema, 0)


def _shape(node: Any, root: Json, depth: int) -> Any:
    if not isinstance(node, dict) or depth > 12:
        return None
    while "$ref" in node:
        node = functools.reduce(lambda inner, step: inner[step], node["$ref"].removeprefix("#/").split("/"), root)
    kinds = node.get("type")
    kind = next((one for one in kinds if one != "null"), None) if isinstance(kinds, list) else kinds
    told: Json = {"kind": kind.lower() if kind else "object" if depth == 0 else None}
    if node.get("properties"):
        told["properties"] = {name: _shape(inner, root, depth + 1) for name, inner in node["properties"].items()}
        told["required"] = sorted(set(node.get("required") or []) & set(node["properties"]))
    if isinstance(node.get("items"), dict) and node["items"]:
        told["items"] = _shape(node["items"], root, depth + 1)
    return told


def _schemas(one: Json, two: Json) -> None:
    assert shape(one) == shape(two)


def _stop(one: list[str], two: list[str]) -> None:
    assert two == [text for text in one if text.strip()]


def _sampling(one: Json, two: Json) -> None:
    assert two.items() <= one.items()


def _items(one: list[asking.Item], two: list[asking.Item]) -> None:
    """Only system texts changed, each into a user text that holds all of it."""
    assert len(one) == len(two)
    for before, after in zip(one, two, strict=True):
        if before != after:
            assert (before[0], after[0]) == ("system", "user")
            assert after[2].endswith(before[2])


def _joined(item: asking.Item) -> asking.Item:
    """A result without the line ends that may stand between its texts."""
    return (*item[:3], item[3].replace("\n", "")) if item[1] == "result" else item


def _thinks(one: bool | None, two: bool | None) -> None:
    assert (one, two) in ((True, None), (None, True), (False, None))


def _limit(one: int, two: int) -> None:
    assert two < one


def _choice(one: Any, two: Any) -> None:
    assert (one, two) == (None, "validated") or (one, two) == ("auto", "validated")


def _hosted(one: list[str], two: list[str]) -> None:
    assert set(two) < set(one)


def _thoughts(one: int, two: int) -> None:
    assert two == 0


_ALLOWED = {
    "schema": _schema,
    "tools": _tools,
    "stop": _stop,
    "limit": _limit,
    "choice": _choice,
    "hosted": _hosted,
    "sampling": _sampling,
    "items": _items,
    "thinks": _thinks,
    "thoughts": _thoughts,
}
