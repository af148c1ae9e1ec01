"""The way out of a request: directly, or through a proxy of the pool that its credential, model or upstream names."""

from __future__ import annotations

from proxyapp.engine.health import Health
from proxyapp.engine.record import AttemptRecord
from proxyapp.engine.routing import Target
from proxyapp.engine.transport import Answer, Transport
from proxyapp.errors import NoHealthyUpstream
from proxyapp.upstreams.contract import Credential, Outbound


class Exits:
    """One a worker: the connections, and what is known of the proxies."""

    def __init__(self, transport: Transport, health: Health) -> None:
        self.transport = transport
        self.health = health

    async def open(
        self,
        outbound: Outbound,
        target: Target,
        credential: Credential | None,
        record: AttemptRecord | None = None,
        session: str = "",
    ) -> Answer:
        """Sends the request and waits for the answer's head. `record` learns which proxy it was. Raises as
        `Transport.open`, and NoHealthyUpstream where the pool has no way out."""
        pool = target.pool(credential)
        if pool is not None:
            # Never around a proxy that the operator asked for.
            raise NoHealthyUpstream(
                f"The upstream {target.upstream.name} is set to go through a proxy pool, which this version cannot "
                "do yet.",
                upstream=target.upstream.name,
            )
        return await self.transport.open(outbound, target.upstream.name, target.upstream.timeouts)
