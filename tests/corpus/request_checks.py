"""What every recorded request is held to, of exchanges and of agents. As in `checks`: AssertionError, or losses."""

from __future__ import annotations

import json
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
    if not foreign & set(schemas.NOT_HELD) and asker.id not in schemas.LOOSE:
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
    return next((word for dialect, word in losses.REFUSED if dialect == to and word in {asker.id, *tags}), "")


def check_refusal(asker: Asking, to: str, profile: Profile, word: str) -> Losses:
    field, reason = losses.REFUSED[to, word]
    with pytest.raises(BadRequest) as caught:
        rendered(asker, to, profile)
    assert caught.value.param == field
    return {reason}


def compared(to: str, want: asking.Asked, got: asking.Asked, notes: Notes) -> Losses:
    """Every difference is in the table, of the kind that the table allows, and said in a Note where one is due."""
    lost = set()
    for name in sorted(want.free.keys() - got.free.keys()):  # free text as a function with one string (7.7)
        told, schema = got.tools.pop(name)
        assert told.startswith(want.free.pop(name))
        assert list(schema["properties"]) == ["input"]
    if {name for name in got.tools if name not in want.tools} and not want.tools:
        assert any(item[1] == "call" for item in want.items)
        assert got.choice == "none"
        lost.add(losses.REQUESTS[to, "tools"][0])
        got.tools, got.choice = {}, want.choice
    if (to, "strict tools") in losses.REQUESTS and want.tools != got.tools and want.tools.keys() == got.tools.keys():
        reason, path = losses.REQUESTS[to, "strict tools"]
        assert any(note.path.startswith(path) and note.path.endswith("parameters") for note in notes.items)
        lost.add(reason)
        got.tools = want.tools
    for name in asking.Asked.__dataclass_fields__:
        one, two = getattr(want, name), getattr(got, name)
        if one != two:
            assert (to, name) in losses.REQUESTS, f"{name}: {one!r} became {two!r}"
            _ALLOWED[name](one, two)
            reason, path = losses.REQUESTS[to, name]
            said = any(note.path.startswith(tuple(path.split("|"))) for note in notes.items)
            assert said or not path, f"no Note says {name}"
            lost.add(reason)
    return lost


def _schema(one: Json, two: Json) -> None:
    assert _opened(one) == _opened(two)


def _opened(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_opened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: _opened(v) for k, v in schema.items() if not (k == "additionalProperties" and v is False)}


def _sampling(one: Json, two: Json) -> None:
    assert two.items() <= one.items()


def _items(one: list[asking.Item], two: list[asking.Item]) -> None:
    """Only system texts changed, each into a user text that holds all of it."""
    assert len(one) == len(two)
    for before, after in zip(one, two, strict=True):
        if before != after:
            assert (before[0], after[0]) == ("system", "user")
            assert after[2].endswith(before[2])


def _thinks(one: bool | None, two: bool | None) -> None:
    assert two is None


def _thoughts(one: int, two: int) -> None:
    assert two == 0


def _hosted(one: list[str], two: list[str]) -> None:
    assert not set(two) - set(one)


_ALLOWED = {
    "hosted": _hosted,
    "schema": _schema,
    "sampling": _sampling,
    "items": _items,
    "thinks": _thinks,
    "thoughts": _thoughts,
}
