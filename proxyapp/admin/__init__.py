"""Console pages of the product, mirroring the models."""

from proxyapp.admin import proxies, routes, upstreams  # noqa: F401 - registered on import
