"""How the console looks: title, colours and the sidebar. No business here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may_view(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)  # type: ignore[union-attr]


def _item(title: str, icon: str, app: str, model: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": _may_view(f"{app}.view_{model}"),
    }


UNFOLD = {
    "SITE_TITLE": "Dragoman",
    "SITE_HEADER": "Dragoman",
    "SITE_SUBHEADER": "LLM gateway",
    "SITE_SYMBOL": "translate",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("dragoman/favicon.svg")}],
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": [
            {"title": "What happened", "items": [_item("Requests", "receipt_long", "proxyapp", "requestlog")]},
            {
                "title": "Routing",
                "items": [
                    _item("Models", "model_training", "proxyapp", "modelconfig"),
                    _item("Upstreams", "dns", "proxyapp", "upstream"),
                    _item("Proxy pools", "lan", "proxyapp", "proxypool"),
                ],
            },
            {
                "title": "Access",
                "items": [
                    _item("Clients", "group", "accounts", "client"),
                    _item("Keys", "key", "accounts", "apikey"),
                    _item("Console users", "manage_accounts", "auth", "user"),
                    _item("Roles", "shield_person", "auth", "group"),
                ],
            },
        ],
    },
}
