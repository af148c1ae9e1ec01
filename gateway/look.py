"""How the console looks: title, colours and the sidebar. No business here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may_view(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)  # type: ignore[union-attr]


def _item(title: str, icon: str, app: str, model: str, description: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "description": description,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": _may_view(f"{app}.view_{model}"),
    }


HISTORY = [
    _item("Requests", "receipt_long", "proxyapp", "requestlog", "What was asked, where it went, what came back."),
]
ROUTING = [
    _item("Models", "model_training", "proxyapp", "modelconfig", "The names callers ask for, and the routes of each."),
    _item("Upstreams", "dns", "proxyapp", "upstream", "The servers that requests go to, with their keys."),
    _item(
        "Upstream keys", "vpn_key", "proxyapp", "upstreamkey", "How the upstreams' keys do: what is out, what is left."
    ),
    _item("Tokens", "autorenew", "proxyapp", "oauthtoken", "OAuth tokens of upstreams, and how their refreshing goes."),
    _item("Proxy pools", "lan", "proxyapp", "proxypool", "Ways out for upstreams: proxies, and how each of them does."),
]
ACCESS = [
    _item("Clients", "group", "accounts", "client", "Who may call, for which models, and how much."),
    _item("Keys", "key", "accounts", "apikey", "What a client shows us. A new one is shown once."),
    _item("Console users", "manage_accounts", "auth", "user", "Who may sign in here."),
    _item("Roles", "shield_person", "auth", "group", "Sets of rights for console users."),
]
"""The sidebar, and with the descriptions the first page."""

UNFOLD = {
    "SITE_TITLE": "Dragoman",
    "SITE_HEADER": "Dragoman",
    "SITE_SUBHEADER": "LLM gateway",
    "SITE_SYMBOL": "translate",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("dragoman/favicon.svg")}],
    "STYLES": [lambda request: static("dragoman/console.css")],
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": [
            {"title": "What happened", "items": HISTORY},
            {"title": "Routing", "items": ROUTING},
            {"title": "Access", "items": ACCESS},
        ],
    },
}
