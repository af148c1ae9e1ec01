"""Azure OpenAI: Chat Completions and Responses under addresses of its own. Facts: reference/upstreams.md 5.2.

Three ways to write the same request, told by the base URL (see `place_of`): with the deployment in the path and an
api-version, the newer v1 form with the deployment as the body's model, and Foundry's own inference address.
"""

from __future__ import annotations

import functools
import re
from enum import Enum
from typing import NamedTuple
from urllib.parse import parse_qs, quote, urlencode

import msgspec

from proxyapp.errors import NoHealthyUpstream
from proxyapp.ir.profile import Profile
from proxyapp.upstreams import profiles
from proxyapp.upstreams.contract import Sending, Upstream
from proxyapp.upstreams.openai import OPERATIONS, PATHS, OpenAI
from proxyapp.upstreams.urls import without_endpoint

DEFAULT_VERSION = "2025-04-01-preview"
"""For addresses with a date: the newest one, which has reasoning models and Responses. What came after is v1."""
INFERENCE_VERSION = "2024-05-01-preview"
"""For Foundry's inference address."""
_UNDATED = ("v1", "preview", "latest")
"""Words for `api_version` that ask for the v1 form; the last two also go into the address."""
_USAGE_IN_STREAMS = "2024-09-01"
"""The first version that knows `stream_options` (the vendor's list of changes)."""

_DEPLOYMENT = re.compile(r"^(?P<root>.*?/openai)/deployments(?:/(?P<name>[^/]+))?")
_V1 = re.compile(r"^(?P<root>.*?/openai)/v1$")
_DEPLOYED = OPERATIONS - {"images/variations", "moderations", "responses/input_tokens"}
"""What a deployment offers beside inference (the official SDK's list of deployment paths)."""
_TOKEN = re.compile(r"^eyJ[\w-]+\.[\w-]+\.[\w-]*$")
"""An Entra token is a JWT; keys are letters and digits."""


class Style(Enum):
    """Ways to write an address."""

    DEPLOYMENT = "…/openai/deployments/{deployment}/chat/completions?api-version=…"
    V1 = "…/openai/v1/chat/completions"
    INFERENCE = "…/models/chat/completions?api-version=…"


class Place(NamedTuple):
    """What a base URL and `api_version` say together."""

    style: Style
    root: str
    """Up to `/openai`; of the inference address up to `/models`."""
    deployment: str = ""
    """The one in the address: all requests go to it, whatever a route's model is called."""
    version: str = ""


@functools.lru_cache(maxsize=256)
def place_of(base_url: str, api_version: str | None) -> Place:
    """The base URL as people write it: the resource, `/openai`, `/openai/v1`, `/openai/deployments/{name}`, the full
    endpoint that the portal shows, with its `?api-version=`. `api_version` wins over the address."""
    base, _, query = base_url.partition("?")
    version = api_version or parse_qs(query).get("api-version", [""])[0]
    base = base.rstrip("/")
    if base.endswith(("/models", "/models/chat/completions")):
        return Place(Style.INFERENCE, base.removesuffix("/chat/completions"), version=version or INFERENCE_VERSION)
    base = without_endpoint(base)
    if found := _DEPLOYMENT.match(base):
        return Place(Style.DEPLOYMENT, found["root"], found["name"] or "", version or DEFAULT_VERSION)
    if found := _V1.match(base):
        return Place(Style.V1, found["root"], version=version)
    root = base if base.endswith("/openai") else f"{base}/openai"
    if version and version not in _UNDATED:
        return Place(Style.DEPLOYMENT, root, version=version)
    return Place(Style.V1, root, version=version)


class Azure(OpenAI):
    """As OpenAI, at the operator's resource. A key goes out as `api-key`, an Entra token as a bearer token."""

    name = "azure"

    def dialect(self, upstream: Upstream, model: str, caller: str) -> str:
        """As OpenAI where the address is of the v1 form; others are Chat's unless `api` says otherwise: many versions
        and models there have no Responses."""
        place = place_of(upstream.base_url or "", upstream.api_version)
        return super().dialect(upstream, model, caller if place.style is Style.V1 else "")

    def url(self, upstream: Upstream, model: str, *, dialect: str, stream: bool) -> str:
        return self._address(upstream, model, PATHS[dialect])

    def operation_url(self, upstream: Upstream, model: str, operation: str) -> str | None:
        place = place_of(upstream.base_url or "", upstream.api_version)
        offered = {"embeddings"} if place.style is Style.INFERENCE else _DEPLOYED
        if operation in offered or (operation == "responses/input_tokens" and place.style is Style.V1):
            return self._address(upstream, model, f"/{operation}")
        return None

    def _address(self, upstream: Upstream, model: str, path: str) -> str:
        if not upstream.base_url:
            raise NoHealthyUpstream(f"The upstream {upstream.name} has no base_url.", upstream=upstream.name)
        place = place_of(upstream.base_url, upstream.api_version)
        dated = "?" + urlencode({"api-version": place.version})
        if place.style is Style.INFERENCE:
            return f"{place.root}{path}{dated}"
        if place.style is Style.V1:
            return f"{place.root}/v1{path}{dated if place.version in _UNDATED[1:] else ''}"
        if path == PATHS["openai-responses"]:  # at the resource; its deployment is the body's model
            return f"{place.root}{path}{dated}"
        deployment = place.deployment or quote(model, safe="")
        return f"{place.root}/deployments/{deployment}{path}{dated}"

    def headers(self, upstream: Upstream, secret: str | None, sending: Sending) -> dict[str, str]:
        headers = super().headers(upstream, None, sending)
        if secret and _TOKEN.match(secret):
            headers["authorization"] = f"Bearer {secret}"
        elif secret:
            headers["api-key"] = secret
        return headers

    def profile(self, upstream: Upstream, model: str) -> Profile:
        """OpenAI's, by whatever of a model's name is in the deployment's name, else in the route's model."""
        place = place_of(upstream.base_url or "", upstream.api_version)
        profile = _told_by(place.deployment) or _told_by(model)
        if place.style is Style.INFERENCE:  # models of all makers
            return profile or profiles.look_up(profiles.COMPATIBLE, model.lower(), profiles.COMPATIBLE_DEFAULT)
        profile = profile or profiles.AZURE_DEFAULT
        if place.style is Style.V1:
            return profile
        # What came late is refused by dated versions ("Unrecognized request argument supplied").
        in_stream = place.version >= _USAGE_IN_STREAMS
        return msgspec.structs.replace(profile, metadata=False, custom_tools=False, usage_in_stream=in_stream)


def _told_by(name: str) -> Profile | None:
    """What a name tells of the model behind it, if anything."""
    return next((profile for pattern, profile in profiles.AZURE if pattern.search(name.lower())), None)
