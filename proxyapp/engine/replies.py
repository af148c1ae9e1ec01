"""What goes back besides the body: status, headers, and errors in the caller's dialect (contract.md 2)."""

from __future__ import annotations

import math
from urllib.parse import quote

from proxyapp.dialects import jsonio
from proxyapp.engine.call import Call, Reply, Stream
from proxyapp.engine.exchange import Exchange
from proxyapp.errors import GatewayError, UpstreamRefused

_ANTHROPIC = "anthropic-messages"


def answer_headers(call: Call, exchange: Exchange) -> dict[str, str]:
    """Headers of a good answer."""
    headers = base_headers(call, exchange)
    if exchange.upstream:
        headers["x-dragoman-upstream"] = _printable(exchange.upstream)
        headers["x-dragoman-model"] = _printable(exchange.upstream_model)
    if exchange.dropped:
        headers["x-dragoman-dropped"] = _printable(exchange.dropped)[:4000]
    if exchange.estimated:
        headers["x-dragoman-estimated"] = "true"
    return headers


def base_headers(call: Call, exchange: Exchange) -> dict[str, str]:
    """Headers that every reply bears."""
    total = exchange.clock() - exchange.began
    gateway = max(total - exchange.waited, 0.0)
    headers = {
        "x-request-id": call.request_id,
        "server-timing": f"gateway;dur={gateway * 1000:.2f}, upstream;dur={exchange.upstream_seconds * 1000:.2f}",
    }
    if call.dialect.name == _ANTHROPIC:
        headers["request-id"] = call.request_id
    return headers


def stream_reply(call: Call, exchange: Exchange, stream: Stream) -> Reply:
    headers = answer_headers(call, exchange)
    headers["cache-control"] = "no-cache"
    headers["x-accel-buffering"] = "no"
    return Reply(status=200, body=stream, headers=headers, media_type="text/event-stream; charset=utf-8")


def error_reply(call: Call, exchange: Exchange, error: GatewayError) -> Reply:
    """The error in the caller's dialect, booked."""
    status, body = call.dialect.render_error(error, call.request_id)
    out = jsonio.encode(body)
    exchange.client_answer.add(out)
    exchange.finish("error", status=status, error=error)
    headers = answer_headers(call, exchange)
    if error.retry_after is not None:
        headers["retry-after"] = str(max(math.ceil(error.retry_after), 0))
        if call.dialect.name != _ANTHROPIC:
            headers["retry-after-ms"] = str(max(math.ceil(error.retry_after * 1000), 0))
    if status == 429 and not error.retryable and isinstance(error, UpstreamRefused):
        headers["x-should-retry"] = "false"  # a spent quota: both SDKs honour it (reference/translation.md 5.3.8)
    return Reply(status=status, body=out, headers=headers)


_PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def _printable(value: str) -> str:
    """Percent-encoded where it is not plain ASCII (contract.md "Ids and headers")."""
    if value.isascii() and value.isprintable() and "%" not in value:
        return value
    return quote(value, safe=_PRINTABLE)
