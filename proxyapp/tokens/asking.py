"""One refresh over HTTP: through the upstream's proxy pool, with the gateway's own client, bounded in time and size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from django.conf import settings
from msgspec import structs

from proxyapp.config.build import build
from proxyapp.engine.exits import Exits
from proxyapp.engine.health import Health
from proxyapp.engine.routing import Target
from proxyapp.engine.snapshot import ProxyPool, Timeouts, Upstream
from proxyapp.engine.transport import Transport, may_have_arrived, trusting
from proxyapp.errors import NoHealthyUpstream, UpstreamBroken, UpstreamFault, UpstreamTimeout, UpstreamUnreachable
from proxyapp.upstreams.contract import Outbound
from proxyapp.upstreams.oauth import Asking, Grant, RefreshFailed, outbound, read_answer

SECONDS = 30.0
"""For one refresh in all, proxies that have to be tried included."""
TIMEOUTS = Timeouts(connect=10.0, first_byte=SECONDS, idle=SECONDS, total=SECONDS)
MOST_BYTES = 2**20


Answered = tuple[int, Mapping[str, str], bytes]
"""Status, headers, body."""


def ask(asking: Asking, upstream: str) -> Grant:
    """What the token server gives. `upstream` names whose proxy pool is the way out. To be called in a thread without
    an event loop. Raises RefreshFailed; django.db.Error when the configuration cannot be read."""
    status, headers, body = send(outbound(asking), upstream)
    return read_answer(asking, status, headers, body, time.time())


def send(request: Outbound, upstream: str) -> Answered:
    """A token server's answer to one request. As `ask`."""
    snapshot, _ = build()
    found = snapshot.upstreams.get(upstream)
    if found is None:
        raise RefreshFailed("not_configured", f"The upstream {upstream} is switched off or cannot be used as it is set")
    return asyncio.run(_send(request, found, snapshot.pools))


async def _send(request: Outbound, upstream: Upstream, pools: Mapping[str, ProxyPool]) -> Answered:
    transport = Transport(max_answer_bytes=MOST_BYTES, tls=trusting(settings.DRAGOMAN_CA_FILE))
    target = Target(structs.replace(upstream, timeouts=TIMEOUTS), "", (), pools=pools)
    try:
        async with asyncio.timeout(SECONDS):
            return await _answer(request, target, Exits(transport, Health()))
    except TimeoutError:
        raise _unanswered(f"did not finish its answer within {SECONDS:g} s") from None
    except UpstreamFault as error:
        raise _failure(error) from error
    except ValueError:  # yarl, for an address that passes our check and has no meaning all the same
        raise RefreshFailed("not_configured", "The token URL cannot be used") from None
    finally:
        await transport.close()


async def _answer(request: Outbound, target: Target, exits: Exits) -> Answered:
    deadline = asyncio.get_running_loop().time() + SECONDS
    answer = await exits.open(request, target, None)
    try:
        return answer.status, answer.headers, await answer.read_all(TIMEOUTS, deadline)
    finally:
        answer.close()


def _failure(error: UpstreamFault) -> RefreshFailed:
    """The transport speaks of the upstream; here it was the token server."""
    if isinstance(error, UpstreamTimeout):
        return _unanswered(f"did not answer within {SECONDS:g} s")
    if isinstance(error, UpstreamBroken):
        return RefreshFailed("unreadable", "The token server's answer cannot be read to its end", is_unsure=True)
    if isinstance(error, NoHealthyUpstream):
        return RefreshFailed("unreachable", error.message.rstrip("."))
    if isinstance(error, UpstreamUnreachable) and may_have_arrived(error):
        return _unanswered("closed the connection without an answer")
    why = "There is no connection to the token server" if error.__cause__ else error.message.rstrip(".")
    return RefreshFailed("unreachable", why)


def _unanswered(how: str) -> RefreshFailed:
    return RefreshFailed("unanswered", f"The token server {how}", is_unsure=True)
