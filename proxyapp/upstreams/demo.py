"""The demo upstream: Messages over HTTP on loopback, served by this very process (`api/demo.py`).

It exists so that a first start has something to translate; its key is derived from the server's secret.
"""

from __future__ import annotations

from proxyapp.ir.profile import Profile
from proxyapp.upstreams.anthropic import Anthropic
from proxyapp.upstreams.contract import Upstream


class Demo(Anthropic):
    """As Anthropic, at an address that `config.build` fills in from HOST and PORT."""

    name = "demo"
    default_base_url = "http://127.0.0.1:8000/_demo"

    def operation_url(self, upstream: Upstream, model: str, operation: str) -> str | None:
        return None

    def profile(self, upstream: Upstream, model: str) -> Profile:
        return Profile(max_output=4096, thinking="both", tool_name_limit=128, call_id_limit=128, model_group="demo")
