"""Checks of the lists that clients and keys carry: model patterns and caller addresses."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.core.exceptions import ValidationError

from accounts.models.names import validate_name


def validate_patterns(value: Any) -> None:
    """A list of model names, each with at most one `*`."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise ValidationError("Give a list of model names or patterns, such as claude-*.")
    for item in value:
        validate_name(item)
        if item.count("*") > 1:
            raise ValidationError(f"{item!r} holds more than one *.")


def validate_networks(value: Any) -> None:
    """A list of IP addresses or networks."""
    if not isinstance(value, list):
        raise ValidationError("Give a list of addresses or networks, such as 10.0.0.0/8.")
    for item in value:
        try:
            ipaddress.ip_network(item, strict=False)
        except ValueError:
            raise ValidationError(f"{item!r} is no address and no network such as 10.0.0.0/8.")
