"""Channels of one-api or new-api: a list as their interface answers it, as their database holds it, or as CSV.

A channel becomes an upstream with its keys; each model that channels offer becomes a model with a route to each. A
higher priority is asked first there, a lower one here. Their lists leave the keys out; those of the database have them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from typing import Any

from msgspec import Struct, field

from proxyapp.config.importing.findings import (
    Findings,
    Imported,
    Names,
    dict_of,
    objects_of,
    shown,
    text_of,
    whole_number,
)
from proxyapp.config.importing.tables import NEW_API, ONE_API, TYPE_NAMES, Server

ENABLED = 1
MOST_KEYS = 1000
KNOWN = {
    "id", "type", "key", "status", "name", "weight", "base_url", "models", "group", "model_mapping", "priority",
    "other", "config", "openai_organization", "header_override", "channel_info", "system_prompt",
}  # fmt: skip
BOOKKEEPING = {
    "created_time", "test_time", "response_time", "balance", "balance_updated_time", "used_quota", "test_model",
    "other_info", "remark", "tag", "auto_ban", "allow_streaming", "allow_non_streaming",
}  # fmt: skip
"""What is of no use elsewhere, or is done here by itself."""
NEW_ONLY = {
    "channel_info", "param_override", "header_override", "setting", "settings", "status_code_mapping", "auto_ban",
    "tag", "remark", "openai_organization", "other_info",
}  # fmt: skip
"""Columns that new-api has and one-api has not."""


def channels_of(raw: Any) -> Any:
    """The list in a bare list, `{data: […]}`, `{data: {items: […]}}`, or one channel as its page asks for it."""
    inner = raw.get("data", raw.get("channels")) if isinstance(raw, dict) else raw
    if isinstance(inner, dict):
        inner = inner.get("items", [inner])
    return inner


def rows_of(text: str) -> list[dict[str, Any]] | None:
    """The channels of a table in CSV with a line of column names, as database tools write it; None when it is none.
    Raises ValueError when it is one that cannot be read."""
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    columns = {word.strip().strip('"') for word in first.split(",")}
    if not {"type", "models", "name"} <= columns:
        return None
    try:
        return [dict(row) for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff")))]
    except csv.Error as exc:
        raise ValueError(str(exc)) from exc


def is_one(raw: Any) -> bool:
    listed = channels_of(raw)
    return isinstance(listed, list) and any(
        isinstance(item, dict) and {"type", "models"} <= set(item) and whole_number(item["type"]) is not None
        for item in listed
    )


def is_new(raw: Any) -> bool:
    """Whether it is new-api's: told by its columns."""
    listed = channels_of(raw)
    return is_one(raw) and any(isinstance(item, dict) and NEW_ONLY & set(item) for item in listed)


class _Offer(Struct):
    """One channel's share in a model."""

    upstream: str
    model: str
    priority: int
    weight: int


class _Made(Struct):
    """The document while it grows."""

    servers: dict[int, Server]
    findings: Findings = field(default_factory=Findings)
    names: Names = field(default_factory=Names)
    upstreams: list[dict[str, Any]] = field(default_factory=list)
    offers: dict[str, list[_Offer]] = field(default_factory=dict)
    groups: Counter[str] = field(default_factory=Counter)


def convert_one(raw: Any) -> Imported:
    """A file of one-api as sections of a declarative file. Never raises for what the file holds."""
    return _convert(raw, ONE_API)


def convert_new(raw: Any) -> Imported:
    """As `convert_one`, of new-api."""
    return _convert(raw, NEW_API)


def _convert(raw: Any, servers: dict[int, Server]) -> Imported:
    made = _Made(servers)
    listed = list(objects_of(channels_of(raw), "channels", made.findings))
    # The oldest first, whatever the order of the file: a name that is made twice gets its number by that.
    for where, channel in sorted(listed, key=lambda item: whole_number(item[1].get("id")) or 0):
        _channel(made, where, channel)
    groups = [shown(group) for group in made.groups if group != "default"]
    if groups:
        told = ", ".join(groups[:12])
        made.findings.decide("group", f"groups have no counterpart ({told}): say what clients may use by their models.")
    made.findings.decide("", "users and their tokens are not in this file: make clients and keys here.")
    models = [{"name": name, "routes": _routes(offers)} for name, offers in made.offers.items()]
    document = {"upstreams": made.upstreams, "models": models}
    return Imported({name: items for name, items in document.items() if items}, made.findings.found)


# --- channels --------------------------------------------------------------------------------------------------------


def _channel(made: _Made, where: str, channel: dict[str, Any]) -> None:
    number, title = whole_number(channel.get("type")), text_of(channel.get("name"))
    told = f"{shown(title) or 'without a name'}"
    server = made.servers.get(number) if number is not None else None
    if server is None or number is None:
        kind = f" ({TYPE_NAMES[number]})" if number in TYPE_NAMES else ""
        made.findings.left_out(where, f"{told}: the type {shown(channel.get('type'))}{kind} has no counterpart here.")
        return
    base_url = _base_url(server, channel)
    if not base_url and server.kind in ("azure", "openai_compatible"):
        made.findings.left_out(where, f"{told}: has no base_url.")
        return
    upstream = _upstream(made, where, server, channel, base_url)
    made.upstreams.append(upstream)
    _offers(made, where, channel, upstream["name"])
    made.groups.update(word.strip() for word in text_of(channel.get("group")).split(",") if word.strip())
    made.findings.taken(where, f"{told}: upstream {upstream['name']}, kind {upstream['kind']}.")
    made.findings.unknown(where, {word: value for word, value in channel.items() if value}, KNOWN | BOOKKEEPING)


def _upstream(made: _Made, where: str, server: Server, channel: dict[str, Any], base_url: str) -> dict[str, Any]:
    name = made.names.make(text_of(channel.get("name")), f"channel-{whole_number(channel.get('id')) or 0}")
    upstream: dict[str, Any] = {"name": name, "kind": server.kind}
    if base_url:
        upstream["base_url"] = base_url
    if server.kind == "azure" and (version := _api_version(channel)):
        upstream["api_version"] = version
    if whole_number(channel.get("status", ENABLED)) != ENABLED:
        upstream["enabled"] = False
        made.findings.taken(where, f"{name} was switched off there, and is so here.")
    if prompt := text_of(channel.get("system_prompt")):
        upstream["system_prompt"] = prompt
    if headers := _headers(made, where, channel):
        upstream["headers"] = headers
    if keys := _keys(made, where, channel):
        upstream["keys"] = keys
    elif not server.keyless:
        made.findings.decide(where, f"{name} has no key in this file: enter it.")
    return upstream


def _base_url(server: Server, channel: dict[str, Any]) -> str:
    return text_of(channel.get("base_url")) or server.base_url


def _api_version(channel: dict[str, Any]) -> str:
    """In `other`; newer ones of one-api have it in `config`."""
    config = _json(channel.get("config"))
    version = text_of(channel.get("other")) or text_of(config.get("api_version"))
    return version if re.fullmatch(r"[A-Za-z0-9.-]{1,50}", version) else ""


def _json(value: Any) -> dict[str, Any]:
    """An object that stands there as text, or as itself."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return dict_of(value)


def _headers(made: _Made, where: str, channel: dict[str, Any]) -> dict[str, str]:
    given = {name: value for name, value in _json(channel.get("header_override")).items() if isinstance(value, str)}
    headers = {name: value for name, value in given.items() if "{" not in value}
    if len(headers) < len(given):
        made.findings.left_out(f"{where}.header_override", "values with placeholders in braces have no counterpart.")
    if organization := text_of(channel.get("openai_organization")):
        headers["OpenAI-Organization"] = organization
    return headers


def _keys(made: _Made, where: str, channel: dict[str, Any]) -> list[dict[str, Any]]:
    """One a line. Those that new-api has switched off are so here."""
    lines = [line.strip() for line in text_of(channel.get("key")).splitlines()]
    off = dict_of(_json(channel.get("channel_info")).get("multi_key_status_list"))
    keys: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, line in enumerate(lines):
        if line and line not in seen:
            seen.add(line)
            key: dict[str, Any] = {"name": "main" if len(lines) == 1 else f"key-{number + 1}", "value": line}
            if whole_number(off.get(str(number), off.get(number, ENABLED))) != ENABLED:
                key["enabled"] = False
            keys.append(key)
    if len(keys) > MOST_KEYS:
        made.findings.left_out(where, f"has {len(keys)} keys, of which {MOST_KEYS} are taken.")
    return keys[:MOST_KEYS]


# --- models ----------------------------------------------------------------------------------------------------------


def _offers(made: _Made, where: str, channel: dict[str, Any], upstream: str) -> None:
    mapping = _json(channel.get("model_mapping"))
    if text_of(channel.get("model_mapping")) not in ("", "{}", "null") and not mapping:
        made.findings.left_out(f"{where}.model_mapping", "is no JSON object.")
    given = channel.get("models")
    listed = given if isinstance(given, list) else text_of(given).split(",")
    names = list(dict.fromkeys(text_of(name) for name in listed if text_of(name)))
    if not names:
        made.findings.decide(where, f"{upstream} names no models: give it some.")
    priority, weight = whole_number(channel.get("priority")) or 0, whole_number(channel.get("weight")) or 0
    for name in names:
        model = text_of(mapping.get(name)) or name
        # A weight of 0 has its small share there as well.
        made.offers.setdefault(name, []).append(_Offer(upstream, model, priority, min(max(weight, 1), 2**31 - 1)))


def _routes(offers: list[_Offer]) -> list[dict[str, Any]]:
    ranks = sorted({offer.priority for offer in offers}, reverse=True)
    return [
        {
            "upstream": offer.upstream,
            "model": offer.model,
            "priority": ranks.index(offer.priority),
            "weight": offer.weight,
        }
        for offer in offers
    ]
