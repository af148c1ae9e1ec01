"""Endpoint addresses from a base URL as people write it.

With or without the version segment, or as the full endpoint; also when a relay's URL carries another URL in its
path (`https://relay.example/https://api.anthropic.com`): only what follows the innermost `://` is looked at.
"""

from __future__ import annotations

import functools
import re

_VERSION = re.compile(r"^v\d+(?:(?:alpha|beta|preview)\d*)?$")
_ENDPOINTS = (
    "/chat/completions",
    "/messages/count_tokens",
    "/messages",
    "/responses",
    "/completions",
    "/embeddings",
    "/models",
)


@functools.lru_cache(maxsize=1024)
def endpoint(base_url: str, path: str, *, version: str = "v1") -> str:
    """`base_url` + version + `path` (which begins with `/`), nothing doubled; a query string stays at the end."""
    base, mark, query = base_url.partition("?")
    base = base.rstrip("/")
    bare = without_endpoint(base)
    if bare == base and not _has_version(base):
        bare = f"{base}/{version}"
    return f"{bare}{path}{mark}{query}"


def without_endpoint(base: str) -> str:
    """The address without the endpoint's own path at its end, where it has one."""
    for known in _ENDPOINTS:
        if base.endswith(known):
            return base.removesuffix(known)
    return base


def _has_version(base: str) -> bool:
    innermost = base.rsplit("://", 1)[-1]
    return any(_VERSION.match(segment) for segment in innermost.split("/")[1:])
