"""Console pages of the product, mirroring the models."""

from proxyapp.admin import history, proxies, routes, upstreams  # noqa: F401 - registered on import
