"""Console pages of the product, mirroring the models."""

from proxyapp.admin import history, proxies, routes, tokens, upstreams  # noqa: F401 - registered on import
