"""Every upstream kind by name. Adding one is a file and a line here."""

from __future__ import annotations

from proxyapp.upstreams.anthropic import Anthropic
from proxyapp.upstreams.azure import Azure
from proxyapp.upstreams.contract import Kind
from proxyapp.upstreams.coze import Coze
from proxyapp.upstreams.demo import Demo
from proxyapp.upstreams.factory import Factory
from proxyapp.upstreams.gemini import Gemini
from proxyapp.upstreams.openai import OpenAI
from proxyapp.upstreams.openai_compatible import OpenAICompatible

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        OpenAI(),
        Azure(),
        OpenAICompatible(),
        Anthropic(),
        Gemini(),
        Coze(),
        Factory(),
        Demo(),
    )
}
