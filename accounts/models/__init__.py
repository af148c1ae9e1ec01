"""Models of who may call."""

from accounts.models.clients import Client
from accounts.models.keys import ApiKey
from accounts.models.names import validate_name
from accounts.models.watched import WatchedModel, WatchedQuerySet

__all__ = ["ApiKey", "Client", "WatchedModel", "WatchedQuerySet", "validate_name"]
