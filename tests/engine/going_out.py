"""The request that goes out for a caller's body, without a server: what the upstream would have got."""

from __future__ import annotations

import json
from typing import Any

from proxyapp.dialects.contract import Body, Peek
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.call import Call
from proxyapp.engine.memory import Memory
from proxyapp.engine.prepare import Preparation
from proxyapp.engine.recollection import Recollection
from proxyapp.engine.roads import Road
from proxyapp.engine.routing import Target
from proxyapp.engine.snapshot import Model
from proxyapp.upstreams.contract import Credential, Outbound, Upstream

KEY = Credential("main", "sk-upstream")


def going_out(
    caller: str, body: dict[str, Any], upstream: Upstream, target: str, model: Model | None = None, **headers: str
) -> tuple[Outbound, Road]:
    """(the request, its road). `target`: the upstream's name of the model."""
    raw = json.dumps(body).encode()

    async def read() -> bytes:
        return raw

    call = Call(
        dialect=DIALECTS[caller],
        request_id="req",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        read_body=read,
        asked=Peek("m", stream=False) if caller == "gemini" else None,
    )
    recollection = Recollection(Memory(), 1, lasting=False)
    asked = model or Model(name="m")
    preparation = Preparation(call, Body(raw), asked, "alice", Sealer(b"k" * 32), 2**20, recollection)
    aim = Target(upstream, target, (KEY,))
    road = preparation.road(aim, KEY)
    return preparation.outbound(road, aim, KEY, stream=False), road
