"""The engine's two roads without sockets: a recorded answer in, the caller's bytes out, in pieces of any size."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from proxyapp.dialects.contract import Body, ClientSide, Peek, UpstreamSide
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.roads import PassThrough, Road, Translation
from proxyapp.errors import GatewayError, UpstreamFault
from proxyapp.ir.profile import Profile
from proxyapp.upstreams.contract import Upstream
from proxyapp.upstreams.registry import KINDS
from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, MODEL, RESPONSES, Exchange

SEALER = Sealer(b"k" * 32)
NOW = 1_790_000_000
MAX_EVENT = 16 * 2**20

# dialect -> (kind, a current model that can do most): what requests are rendered for.
CURRENT = {
    CHAT: ("openai", "gpt-6.1-sol"),
    RESPONSES: ("openai", "gpt-6.1-sol"),
    MESSAGES: ("anthropic", "claude-opus-5-5"),
    GEMINI: ("gemini", "gemini-3.5-pro"),
}


def profile_of(dialect: str, kind: str = "", model: str = "") -> Profile:
    """What a model of that kind can do; without a name, a current one."""
    default_kind, default_model = CURRENT[dialect]
    name = kind or default_kind
    return KINDS[name].profile(Upstream(name="up", kind=name), model or default_model)


def upstream_side(dialect: str, profile: Profile | None = None) -> UpstreamSide:
    return UpstreamSide(
        profile=profile or profile_of(dialect), sealer=SEALER, account="up/main", model="upstream-model", now=NOW
    )


def client_side(**changes: Any) -> ClientSide:
    return ClientSide(**{"sealer": SEALER, "now": NOW, "estimate_input": 7, **changes})


def asked_side(caller: str, stream: bool) -> ClientSide:
    """With what the address tells, where a dialect says model and stream there."""
    return client_side(asked=Peek(MODEL, stream) if caller == GEMINI else None)


def road(caller: str, upstream: str, body: dict[str, Any], *, stream: bool) -> Road:
    """The road of a caller's body to an upstream. Raises BadRequest, Unsupported."""
    client = DIALECTS[caller]
    raw = json.dumps(body).encode()
    if caller == upstream:
        return PassThrough(client, Body(raw), "upstream-model", upstream_side(upstream), MAX_EVENT)
    side = asked_side(caller, stream)
    request = client.parse_request(body, side)
    return Translation((client, side), (DIALECTS[upstream], upstream_side(upstream)), request, MAX_EVENT)


@dataclass
class Given:
    """What a caller got."""

    raw: bytes = b""
    error: GatewayError | None = None
    """The road ended with this; in a stream `raw` ends with its error event."""
    glimpse: Any = None
    sizes: list[int] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


def drive(exchange: Exchange, caller: str, size: int = 0) -> Given:
    """A caller of that dialect gets the recorded answer, fed `size` bytes at a time (0: all at once)."""
    asked = exchange.asked() if caller == exchange.dialect else exchange.asked_by(caller)
    way = road(caller, exchange.dialect, asked, stream=exchange.stream)
    return stream(way, exchange.raw, size) if exchange.stream else whole(way, exchange.raw)


def whole(way: Road, raw: bytes) -> Given:
    try:
        return Given(way.answer(raw), glimpse=way.glimpse)
    except UpstreamFault as error:
        return Given(error=error)


def stream(way: Road, raw: bytes, size: int = 0) -> Given:
    """As `engine.pump` does it: until the road is done or has failed, then the bytes' end."""
    out = []
    for start in range(0, len(raw), size or len(raw) or 1):
        out.append(way.feed(raw[start : start + size] if size else raw))
        if way.error is not None or way.is_done:
            break
    else:
        out.append(way.close())
    if way.error is not None:
        out.append(way.fail(way.error))
    return Given(b"".join(out), way.error, way.glimpse)
