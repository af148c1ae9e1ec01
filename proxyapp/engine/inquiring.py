"""Asks upstreams whether they are there and take their keys: one question for each key, as requests would go out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from msgspec import Struct, structs

from proxyapp.engine.credentials import has_key_header
from proxyapp.engine.exits import Exits
from proxyapp.engine.prepare import headers_for, kind_of
from proxyapp.engine.record import AttemptRecord
from proxyapp.engine.routing import KEYLESS_KINDS, Target
from proxyapp.engine.snapshot import Snapshot
from proxyapp.errors import GatewayError
from proxyapp.upstreams.contract import Credential, Outbound, Sending, Timeouts, Upstream
from proxyapp.upstreams.inquiries import Finding, finding, inquiry

AT_ONCE = 16
"""Questions that run beside each other."""


class Asked(Struct, frozen=True):
    """One question and what came of it."""

    upstream: str
    key: str
    """Name of the key or token; "" = none."""
    is_up: bool
    status: int | None
    """None = no answer."""
    seconds: float
    sentence: str


async def ask_all(snapshot: Snapshot, upstreams: list[Upstream], exits: Exits, *, seconds: float) -> list[Asked]:
    """Every key of every upstream, in their order; each question may take `seconds`. Raises nothing."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(upstream: Upstream, credential: Credential | None) -> Asked:
        async with gate:
            return await _ask(snapshot, upstream, credential, exits, seconds)

    pairs = [(upstream, credential) for upstream in upstreams for credential in _credentials(upstream)]
    return list(await asyncio.gather(*(one(*pair) for pair in pairs)))


def _credentials(upstream: Upstream) -> Iterator[Credential | None]:
    every = (*upstream.credentials, *upstream.tokens)
    yield from every or (None,)


async def _ask(
    snapshot: Snapshot, upstream: Upstream, credential: Credential | None, exits: Exits, seconds: float
) -> Asked:
    key = credential.name if credential else ""
    if credential is None and upstream.token_trouble:
        return Asked(upstream.name, "", False, None, 0.0, f"It has no access token. {upstream.token_trouble}")
    if credential is None and not _may_go_without(upstream):
        return Asked(upstream.name, "", False, None, 0.0, "It has no key.")
    patient = structs.replace(upstream, timeouts=Timeouts(seconds, seconds, seconds, seconds))
    target = Target(patient, "", (credential,) if credential else (), pools=snapshot.pools)
    began = time.monotonic()
    status: int | None = None
    try:
        async with asyncio.timeout(seconds):
            status, found = await _answer(target, credential, exits, seconds)
    except TimeoutError:
        found = Finding(False, f"No answer within {seconds:g} s.")
    except GatewayError as error:
        found = Finding(False, str(error))
    return Asked(upstream.name, key, found.is_up, status, time.monotonic() - began, found.sentence)


def _may_go_without(upstream: Upstream) -> bool:
    return upstream.kind in KEYLESS_KINDS or upstream.allow_caller_keys or has_key_header(upstream)


async def _answer(target: Target, credential: Credential | None, exits: Exits, seconds: float) -> tuple[int, Finding]:
    kind = kind_of(target)
    question = inquiry(kind, target.upstream)
    profile = kind.profile(target.upstream, question.model)
    sending = Sending(dialect=question.dialect, model=question.model, profile=profile)
    headers = headers_for(target, credential, sending)
    outbound = Outbound(question.method, question.url, headers, question.body)
    answer = await exits.open(outbound, target, credential, AttemptRecord(upstream=target.upstream.name))
    try:
        deadline = asyncio.get_running_loop().time() + seconds
        body = await answer.read_all(target.upstream.timeouts, deadline)
    finally:
        answer.close()
    has_key = credential is not None or has_key_header(target.upstream)
    return answer.status, finding(target.upstream, answer.status, body, with_key=has_key)
