"""Models of the product, by subject."""

from proxyapp.models.config import ConfigVersion
from proxyapp.models.conversations import RememberedProof, StoredItem, StoredResponse
from proxyapp.models.environment import AppliedEnvironment
from proxyapp.models.health import HealthState, HealthVersion
from proxyapp.models.history import RequestAttempt, RequestContent, RequestLog
from proxyapp.models.proxies import Proxy, ProxyPool
from proxyapp.models.routes import ModelConfig, Route
from proxyapp.models.tokens import OAuthToken
from proxyapp.models.upstreams import Upstream, UpstreamKey

__all__ = [
    "AppliedEnvironment",
    "ConfigVersion",
    "HealthState",
    "HealthVersion",
    "ModelConfig",
    "OAuthToken",
    "Proxy",
    "ProxyPool",
    "RememberedProof",
    "RequestAttempt",
    "RequestContent",
    "RequestLog",
    "Route",
    "StoredItem",
    "StoredResponse",
    "Upstream",
    "UpstreamKey",
]
