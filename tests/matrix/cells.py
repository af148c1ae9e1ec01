"""What becomes of each feature on its way from a caller to an upstream, found by doing it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body, ClientSide, Peek, UpstreamSide
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.errors import BadRequest
from proxyapp.ir.notes import Note
from proxyapp.upstreams.contract import Upstream
from proxyapp.upstreams.registry import KINDS
from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES, SPOKEN
from tests.matrix.features import FEATURES, Feature, before, body

Json = dict[str, Any]
SEALER = Sealer(b"k" * 32)


@dataclass(frozen=True)
class Column:
    """An upstream with a model that can do most."""

    title: str
    kind: str
    dialect: str
    model: str
    api: str | None = None


COLUMNS = tuple(
    column
    for column in (
        Column("OpenAI, Chat", "openai", CHAT, "gpt-6.1-sol", "chat"),
        Column("compatible", "openai_compatible", CHAT, "a-model"),
        Column("OpenAI, Responses", "openai", RESPONSES, "gpt-6.1-sol", "responses"),
        Column("Anthropic", "anthropic", MESSAGES, "claude-opus-5-5"),
        Column("Gemini", "gemini", GEMINI, "gemini-3.5-pro"),
        Column("Coze", "coze", "coze", "bot-7"),
    )
    if column.kind in KINDS and column.dialect in DIALECTS
)


@dataclass(frozen=True)
class Cell:
    """What becomes of one feature."""

    word: str
    """`=` as it is; yes; changed; dropped; refused; unsaid (has no effect on the answer and no counterpart)."""
    notes: tuple[Note, ...] = field(default=())


def cell(feature: Feature, caller: str, column: Column) -> Cell:
    if caller == column.dialect:
        return _passed_on(feature, caller, column)
    try:
        without, usual = _sent(Feature("", {}), before(feature, caller), caller, column)
        with_it, notes = _sent(feature, body(feature, caller), caller, column)
    except BadRequest as error:
        return Cell("refused", (Note(error.param or "", error.message),))
    fresh = tuple(note for note in notes if note not in usual)
    if fresh:
        return Cell("dropped" if any(note.dropped for note in fresh) else "changed", fresh)
    return Cell("yes" if with_it != without or feature.stream else "unsaid")


def _passed_on(feature: Feature, caller: str, column: Column) -> Cell:
    """In the same dialect the body is the caller's own."""
    raw = json.dumps(body(feature, caller)).encode()
    sent = json.loads(DIALECTS[caller].patch(Body(raw), column.model, _side(column)))
    asked = {**body(feature, caller), "model": column.model}
    assert all(sent[name] == value or name == "stream_options" for name, value in asked.items() if name in sent)
    return Cell("=")


def _sent(feature: Feature, asked: Json, caller: str, column: Column) -> tuple[Json, list[Note]]:
    client = ClientSide(sealer=SEALER)
    if caller == GEMINI:
        client.asked = Peek("m", feature.stream)
    request = DIALECTS[caller].parse_request(asked, client)
    side = _side(column)
    side.notes.items.extend(client.notes.items)
    sent = json.loads(jsonio.encode(DIALECTS[column.dialect].render_request(request, side)))
    return sent, side.notes.items


def _side(column: Column) -> UpstreamSide:
    """The column's model, but with sampling: what single models refuse is no matter of dialects."""
    upstream = Upstream(name="up", kind=column.kind, api=column.api)
    profile = msgspec.structs.replace(
        KINDS[column.kind].profile(upstream, column.model), sampling=True, temperature_and_top_p=True
    )
    return UpstreamSide(profile=profile, sealer=SEALER, account="up/main", model=column.model)


def requests() -> dict[str, dict[str, dict[str, Cell]]]:
    """caller -> feature -> title of the column -> cell"""
    return {
        caller: {
            feature.name: {column.title: cell(feature, caller, column) for column in COLUMNS}
            for feature in FEATURES
            if caller in feature.bodies
        }
        for caller in SPOKEN
    }
