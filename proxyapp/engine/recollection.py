"""What one request brings back of earlier answers, and what its own answer leaves for later ones.

The bridge between a request and the worker's `Memory`: reasoning proofs by tool call, and the accounts that made them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from proxyapp.dialects.contract import Body, UpstreamSide
from proxyapp.engine import affinity, threads
from proxyapp.engine.memory import Found, Memory, accounts_of, bare_calls, with_memories, without_proofs
from proxyapp.engine.roads import Road
from proxyapp.engine.routing import Plan
from proxyapp.errors import GatewayError, ThreadNotFound, UpstreamFault, UpstreamRefused
from proxyapp.ir.request import Request

_CODE = "invalid_encrypted_content"
"""OpenAI's word for a proof that it cannot read (corner case 190)."""
_WORDS = re.compile(
    r"invalid `?(signature|data)`? in `?(redacted_)?thinking`? block|thought signature is not valid", re.I
)
"""Anthropic's and Gemini's. Heeded on translated roads: the caller of one did not choose the proofs that were sent. A
caller who speaks the upstream's dialect hears them as they are."""


class Recollection:
    """Of one request. `lasting`: its proofs may be kept outside this worker's memory."""

    def __init__(self, memory: Memory, client: int, *, lasting: bool) -> None:
        self._memory = memory
        self._client = client
        self._lasting = lasting
        self._memories: Found = {}
        self._has_looked = False
        self._is_stripped = self._can_strip = self._is_translated = False
        self._has_thread = False
        self.watches = False
        """There is a choice of accounts: whose proofs a pass-through answer bears is noted."""

    async def look_up(self, parse: Callable[[], Request]) -> None:
        """Once: the proofs of calls that came without. A body that cannot be parsed says so elsewhere."""
        if self._has_looked:
            return
        self._has_looked = True
        try:
            bare = bare_calls(parse())
        except GatewayError:
            return
        if bare:
            self._memories = await self._memory.recall(self._client, bare)

    async def thread_holders(self, dialect: str, body: Body) -> list[str]:
        """The account that holds the thread from which this request goes on. Raises ThreadNotFound when it is none of
        this client's."""
        self._has_thread = threads.has_thread(dialect, body)
        name = threads.continued(body) if self._has_thread else None
        if name is None:
            return []
        found = await self._memory.recall(self._client, [name])
        if not found:
            raise ThreadNotFound("No thread was found for `previous_message_id`; send the whole conversation.")
        return accounts_of(found)

    async def prefer(self, plan: Plan, raw: bytes) -> Plan:
        """The plan with the accounts first that made this request's proofs."""
        accounts = affinity.sealed_for(raw) or accounts_of(self._memories) or await self._makers(raw)
        return affinity.prefer(plan, accounts)

    async def _makers(self, raw: bytes) -> list[str]:
        bare = affinity.digests(raw)
        return accounts_of(await self._memory.recall(self._client, bare)) if bare else []

    def enrich(self, request: Request, side: UpstreamSide) -> Request:
        """The request as it may go to this upstream."""
        self._can_strip = self._is_translated = True
        if self._is_stripped:
            return without_proofs(request)
        return with_memories(request, self._memories, side)

    def passes(self, body: Body) -> bool:
        """The caller's own body goes to an upstream of its dialect. True: without the proofs in it."""
        self._is_translated = False
        self._can_strip = b"encrypted_content" in body.raw
        return self._is_stripped

    def strips(self, error: UpstreamFault) -> bool:
        """True once, when an upstream cannot read the proofs that it got: the next try goes without any."""
        if not isinstance(error, UpstreamRefused) or self._is_stripped or not self._can_strip:
            return False
        if error.upstream_code != _CODE and not (self._is_translated and _WORDS.search(error.message)):
            return False
        self._is_stripped = True
        return True

    async def keep(self, road: Road, account: str) -> None:
        """Remembers the proofs of an answer that is complete, and that `account` holds its thread."""
        found = road.found
        if self._has_thread and not road.translated and road.glimpse.id:
            found = {**found, **threads.held_by(road.glimpse.id, account)}
        if found:
            await self._memory.keep(self._client, found, lasting=self._lasting)
