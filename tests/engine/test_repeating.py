"""Errors of upstreams, without what they repeat of the gateway's own."""

from __future__ import annotations

from proxyapp.engine.repeating import take_out
from proxyapp.engine.routing import Target
from proxyapp.errors import UpstreamRefused
from proxyapp.upstreams.contract import Credential, Upstream


def test_a_key_and_a_token_among_the_headers_are_taken_out_however_they_are_repeated():
    upstream = Upstream(name="up", kind="anthropic", headers={"authorization": "Bearer opaque-token-1"})
    error = UpstreamRefused(
        "No such token: opaque-token-1, nor key-of-ours-1",
        status=400,
        param="Bearer opaque-token-1",
        details={"seen": ["key-of-ours-1"]},
        body=b'{"error": "opaque-token-1"}',
    )
    take_out(error, Target(upstream, "m", ()), Credential("main", "key-of-ours-1"))
    assert error.message == "No such token: [redacted], nor [redacted]"
    assert (error.param, error.details) == ("[redacted]", {"seen": ["[redacted]"]})
    assert error.body == b'{"error": "[redacted]"}'
