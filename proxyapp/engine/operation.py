"""What operations beside inference have in common: nothing is recalled for them, nothing of their answers is kept."""

from __future__ import annotations

from typing import Generic

from proxyapp.engine.attempts import R
from proxyapp.engine.routing import Target
from proxyapp.errors import UpstreamFault


class Operation(Generic[R]):
    """The part of `attempts.Preparing` that has nothing to do here."""

    operation = ""

    async def recall(self, target: Target) -> None:
        return None

    def mends(self, error: UpstreamFault) -> bool:
        return False

    async def settle(self, road: R, last: bytes) -> bytes:
        return last
