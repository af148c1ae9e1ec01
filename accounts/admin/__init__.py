"""Console pages of who may call, and who may sign in."""

from accounts.admin import clients, keys, users  # noqa: F401 - registered on import
