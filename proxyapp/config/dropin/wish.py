"""What the environment wants to be there, as parts of one declarative `Document`."""

from __future__ import annotations

from msgspec import Struct, field

from proxyapp.config.document import ClientSpec, Document, ModelSpec, ProxyPoolSpec, UpstreamSpec

MARK = "env-"
"""How the names of its upstreams, pools and clients begin."""


class Wish(Struct):
    """What the environment wants to be there."""

    pools: list[ProxyPoolSpec] = field(default_factory=list)
    upstreams: list[UpstreamSpec] = field(default_factory=list)
    models: list[ModelSpec] = field(default_factory=list)
    clients: list[ClientSpec] = field(default_factory=list)
    tokens: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Upstream -> name and first refresh token of each of its OAuth tokens."""
    slots: dict[str, str] = field(default_factory=dict)
    """Names of models that are themselves a variable's value: when it changes, the model is renamed."""
    said: dict[str, str] = field(default_factory=dict)
    """Name of an upstream, model or client -> the variable it comes from, for sentences."""
    example: tuple[str, str] | None = None
    """Path and model of a request that will be answered, for the first start's text."""
    remarks: list[str] = field(default_factory=list)

    def document(self) -> Document:
        return Document(proxy_pools=self.pools, upstreams=self.upstreams, models=self.models, clients=self.clients)

    def names(self, section: str = "") -> list[str]:
        """Of what is wanted, or of one section of it."""
        sections = {"proxy pool": self.pools, "upstream": self.upstreams, "model": self.models, "client": self.clients}
        return [spec.name for word, specs in sections.items() if section in ("", word) for spec in specs]
