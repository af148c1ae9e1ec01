"""Which conversation a request belongs to, and the key and route that serve it: the same ones while they are well.

Prompt caches and encrypted reasoning live with one account and server. Weighted rendezvous hashing gives each
conversation its order of accounts: shares stay by weight over all conversations, workers and hosts agree without
talking, and an account that goes out or comes back moves nobody else's conversations.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, TypeVar

import msgspec

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import Body
from proxyapp.engine.routing import Plan, Target
from proxyapp.errors import BodyUnreadable

T = TypeVar("T")

_LONGEST = 200
"""Characters of a word that count, as in the history."""
_TEXT = 16 * 1024
"""Characters of a conversation's beginning that name it where nothing else does."""
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction")
_TURNS = ("messages", "input", "contents")
_items = msgspec.json.Decoder(list[msgspec.Raw])
_LOOKED_AT = 8
"""Turns among which the first of the user must be."""


def is_wanted(plan: Plan) -> bool:
    """Does it matter which conversation the request belongs to: are there several accounts or ways out?"""
    if len(plan.targets) > 1 or len(plan.targets[0].credentials) > 1:
        return True
    return any(pool.sticky for pool in plan.targets[0].pools.values())


def word(body: Body) -> str:
    """A word for the conversation of a request whose headers name none; "" when it has none either, as a first
    question. Raises nothing."""
    try:
        return _hinted(body) or _beginning(body)
    except (BodyUnreadable, RecursionError):  # said elsewhere
        return ""


def steady(plan: Plan, conversation: str) -> Plan:
    """The plan with the routes of one priority, and each one's keys, in the order of this conversation."""
    if not conversation:
        return plan
    targets: list[Target] = []
    for _, same in groupby(plan.targets, key=lambda target: target.priority):
        targets += _ordered(list(same), conversation, lambda target: (_place(target), target.weight))
    return msgspec.structs.replace(plan, targets=tuple(_with_keys(target, conversation) for target in targets))


def _with_keys(target: Target, conversation: str) -> Target:
    keys: list[Any] = []
    for _, same in groupby(target.credentials, key=lambda key: key.is_token):
        some = list(same)
        keys += _ordered(some, conversation, lambda key: (f"{target.upstream.name}/{key.name}", key.weight))
    return msgspec.structs.replace(target, credentials=tuple(keys))


def _place(target: Target) -> str:
    return f"{target.upstream.name}/{target.model}"


def _ordered(items: list[T], conversation: str, about: Callable[[T], tuple[str, int]]) -> list[T]:
    """The largest score first: -weight / ln(u), where u in (0, 1) is drawn by conversation and name."""
    if len(items) == 1:
        return items

    def score(item: T) -> float:
        name, weight = about(item)
        drawn = hashlib.blake2b(f"{conversation}\n{name}".encode(errors="replace"), digest_size=8).digest()
        u = (int.from_bytes(drawn, "big") + 1) / (2**64 + 2)
        return (max(weight, 0) or 0.0001) / -math.log(u)

    return sorted(items, key=score, reverse=True)


# --- out of the body


def _hinted(body: Body) -> str:
    """Fields made to name a conversation. `user` is none: many applications send the same for all."""
    for name in ("prompt_cache_key", "session_id"):
        value = body.get(name)
        if isinstance(value, str) and value:
            return value[:_LONGEST]
    metadata = body.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    # Claude Code: `user_…_account_…_session_…`, later the same as JSON. Other programs mean a person by it.
    return user[-_LONGEST:] if isinstance(user, str) and "session" in user else ""


def _beginning(body: Body) -> str:
    """A digest of the operator's instructions and the user's first words, for a conversation that goes on; "" for one
    that begins: the same first question of many is no conversation, and its keys are shared by weight."""
    name = next((name for name in _TURNS if name in body.top), "")
    turns = _turns(body, name)
    if len(turns) < 2:
        return ""
    first, is_answered = "", False
    for raw in turns[:_LOOKED_AT]:
        turn = jsonio.decode(raw)
        role = turn.get("role") if isinstance(turn, dict) else None
        if not first and role == "user":
            first = _text(turn)
        elif first and role != "user" and role not in ("system", "developer"):
            is_answered = True
    if not (first and is_answered):
        return ""
    system = "\n".join(_text(body.get(each)) for each in _SYSTEM if each in body.top)
    begun = f"{system[:_TEXT]}\0{first[:_TEXT]}"
    return hashlib.blake2b(begun.encode(errors="replace"), digest_size=16).hexdigest()


def _turns(body: Body, name: str) -> list[msgspec.Raw]:
    raw = body.top.get(name)
    try:
        return _items.decode(raw) if raw is not None else []
    except msgspec.DecodeError:  # one text
        return []


def _text(value: Any) -> str:
    """The words in a turn or in instructions, and nothing of what clients move from turn to turn (cache marks)."""
    return "\n".join(_texts(value, 4))


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value[:_TEXT]
    elif isinstance(value, list) and depth:
        for item in value[:_LOOKED_AT]:
            yield from _texts(item, depth - 1)
    elif isinstance(value, dict) and depth:
        for name in ("text", "content", "parts"):
            if name in value:
                yield from _texts(value[name], depth - 1)
