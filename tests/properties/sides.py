"""Both sides of a translation for models that can do everything, so that what is lost is lost by the dialect."""

from __future__ import annotations

import json
from typing import Any

from proxyapp.dialects import jsonio
from proxyapp.dialects.contract import ClientSide, Peek, UpstreamSide
from proxyapp.dialects.registry import DIALECTS
from proxyapp.dialects.signatures import Sealer
from proxyapp.ir.levels import settings_of
from proxyapp.ir.notes import Notes
from proxyapp.ir.profile import Profile
from proxyapp.ir.request import Request
from tests.corpus.exchanges import CHAT, GEMINI, MESSAGES, RESPONSES

SEALER = Sealer(b"k" * 32)
NOW = 1_790_000_000
_CAN_ALL = {"thinking": "both", "mid_system": True, "custom_tools": True, "developer_role": True, "metadata": True}
PROFILES = {
    CHAT: Profile(**_CAN_ALL, efforts=("minimal", "low", "medium", "high"), stop_max=4),
    RESPONSES: Profile(**_CAN_ALL, efforts=("minimal", "low", "medium", "high")),
    MESSAGES: Profile(**_CAN_ALL, prefill=True, tool_name_limit=128, call_id_limit=128),
    GEMINI: Profile(**_CAN_ALL),
}


def client_side(stream: bool = False, **changes: Any) -> ClientSide:
    return ClientSide(sealer=SEALER, now=NOW, estimate_input=7, asked=Peek("m", stream), **changes)


OPERATORS: dict[str, Any] = {"system_prompt": "Be kind.", "max_output": 100, "level": settings_of("high")}
"""What an operator may set, for `patch`."""


def upstream_side(dialect: str, **changes: Any) -> UpstreamSide:
    return UpstreamSide(
        profile=PROFILES[dialect], sealer=SEALER, account="up/main", model="m", now=NOW, notes=Notes(), **changes
    )


def rendered(dialect: str, request: Request, **changes: Any) -> dict[str, Any]:
    """The upstream's body, as it is read from the wire."""
    raw = jsonio.encode(DIALECTS[dialect].render_request(request, upstream_side(dialect, **changes)))
    return json.loads(raw)


def parsed(dialect: str, body: dict[str, Any], stream: bool = False) -> Request:
    """What an upstream gets is also what a caller may send."""
    side = client_side(stream)
    side.asked = Peek("m", stream) if dialect == GEMINI else None
    return DIALECTS[dialect].parse_request(body, side)
