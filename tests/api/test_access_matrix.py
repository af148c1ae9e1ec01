"""Every route x every way to bring a credential x every method: who gets in.

The routes are read from the URL configuration. A new one fails here until `CLASSES` says whose it is; a view that opens
where its class says closed, or the other way round, fails by name.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, path
from django.utils import timezone
from rest_framework.response import Response

import gateway.urls
import proxyapp.api.urls
from accounts.issuing import issue, rotate
from accounts.models import ApiKey, Client
from gateway.asgi import LEAN, application
from proxyapp import wiring
from proxyapp.api.management.base import ManagementView, NothingHere
from proxyapp.config.build import build_snapshot
from proxyapp.dialects.signatures import Sealer
from proxyapp.engine.core import Engine
from proxyapp.engine.settings import EngineSettings
from proxyapp.engine.snapshot import Snapshot
from proxyapp.engine.transport import Transport
from tests.asgi import ask
from tests.engine.conftest import BooksInAList

pytestmark = pytest.mark.django_db

# --- the routes, and whose they are ----------------------------------------------------------------------------------

OPEN, KEY, DEMO, MANAGE, STAFF, CONSOLE = "open", "any key", "demo's", "manage", "staff", "console"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAFE = ("GET", "OPTIONS")

FORWARDED = ("completions", "moderations", "images/generations", "images/edits", "images/variations", "audio/speech",
             "audio/transcriptions", "audio/translations", "rerank")  # fmt: skip
CLASSES: dict[str, str] = {
    "": OPEN,  # leads to the console
    "admin/": CONSOLE,
    **dict.fromkeys(("schema", "docs", "redoc"), OPEN),
    **dict.fromkeys(("health", "v1/health", "health/live", "health/ready"), OPEN),
    **dict.fromkeys(("v1/chat/completions", "chat/completions", "v1/messages", "messages"), KEY),
    "v1/generate": KEY,
    **dict.fromkeys(("v1/messages/count_tokens", "messages/count_tokens"), KEY),
    **dict.fromkeys(("v1/responses", "responses", "v1/responses/input_tokens"), KEY),
    **dict.fromkeys(("v1/responses/<str:response_id>", "responses/<str:response_id>"), KEY),
    **{f"{head}responses/<str:response_id>/{tail}": KEY for head in ("v1/", "") for tail in ("input_items", "cancel")},
    **dict.fromkeys(("v1/embeddings", "embeddings", "v1/models", "models", "v1beta/models"), KEY),
    **dict.fromkeys(("v1/models/<path:name>", "models/<path:name>", "v1beta/models/<path:name>"), KEY),
    "v1beta/tunedModels/<path:name>": KEY,
    **dict.fromkeys((f"v1/{name}" for name in FORWARDED), KEY),
    "_demo/v1/messages": DEMO,
    **{
        f"auth/{tail}{end}": MANAGE
        for tail in ("keys", "keys/<str:key_id>", "keys/<str:key_id>/rotate")
        for end in ("", "/")
    },
    "auth/<path:rest>": STAFF,
    "metrics": STAFF,
}
SAMPLES = {
    "<path:name>": "m:generateContent",
    "<str:response_id>": "resp_x",
    "<str:key_id>": "999999999",
    "<path:rest>": "x",
}


def routes(patterns: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every route and its view; the console is one."""
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver) and CLASSES.get(route) != CONSOLE:
            yield from routes(pattern.url_patterns, route)
        else:
            yield route, pattern


def unclassified(patterns: Any) -> set[str]:
    return {route for route, _ in routes(patterns)} ^ set(CLASSES)


def test_every_route_has_a_class():
    assert not unclassified(gateway.urls.urlpatterns)


def test_a_new_route_fails_until_it_has_one():
    assert unclassified([*gateway.urls.urlpatterns, path("v1/new", lambda request: HttpResponse())]) == {"v1/new"}
    assert unclassified(gateway.urls.urlpatterns[1:]) == {""}


def test_programs_and_people_come_in_by_their_own_doors():
    """What the lean handler serves knows no session, and what needs one is not among it."""
    inference = {route for route, _ in routes(proxyapp.api.urls.urlpatterns)}
    for route in CLASSES:
        assert (f"/{route.partition('/')[0]}" in LEAN) == (route in inference), route
        assert (CLASSES[route] in (KEY, DEMO)) <= (route in inference), route


# --- the credentials -------------------------------------------------------------------------------------------------


@dataclass
class Credential:
    """One way to ask, and what should come of it: `in`, or the status of the refusal."""

    what: str
    any_key: str
    manage: str
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    browser: Browser | None = None
    as_staff: str = ""
    """Where being staff is enough."""
    unsafe: str = ""
    """At what manages, for methods that change something."""

    def expected(self, kind: str, method: str) -> str:
        if kind == STAFF and self.as_staff:
            return self.as_staff
        if kind in (MANAGE, STAFF):
            return self.unsafe if self.unsafe and method in ("POST", "PUT", "PATCH", "DELETE") else self.manage
        return {KEY: self.any_key, DEMO: "401", OPEN: "in"}[kind]


FEW = ("none", "inference key in authorization", "admin key in authorization", "staff", "staff without rights")
PLACES = ("authorization", "x-api-key", "x-goog-api-key", "?key")


def bearing(place: str, key: str) -> dict[str, Any]:
    if place == "?key":
        return {"query": f"?key={key}"}
    return {"headers": {place: f"Bearer {key}" if place == "authorization" else key}}


def a_browser(name: str, *, staff: bool, codes: str | None) -> tuple[Browser, str]:
    user = get_user_model().objects.create_user(name, password=f"{name}-password-1", is_staff=staff)
    if codes:
        user.user_permissions.set(Permission.objects.filter(codename__endswith=codes))
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user)
    browser.cookies["dragoman_csrf"] = token = "t" * 32  # as any page with a form brings it
    return browser, token


@pytest.fixture
def credentials() -> list[Credential]:
    alice, carol = Client.objects.create(name="alice"), Client.objects.create(name="carol")
    off, now = Client.objects.create(name="off", enabled=False), timezone.now()
    inference, admin = issue(alice, "k")[1], issue(carol, "k", scope="admin")[1]
    made = {
        "expired": issue(carol, "expired", scope="admin", expires_at=now + timedelta(days=1)),
        "revoked": issue(carol, "revoked", scope="admin", enabled=False),
        "of a client that is off": issue(off, "k", scope="admin"),
        "rotated, its overlap over": issue(carol, "over", scope="admin"),
        "rotated, within its overlap": issue(carol, "within", scope="admin"),
        "from another address": issue(carol, "address", scope="admin", allowed_ips=["10.0.0.0/8"]),
    }
    ApiKey.objects.filter(pk=made["expired"][0].pk).update(expires_at=now)
    rotate(made["rotated, its overlap over"][0], now)
    rotate(made["rotated, within its overlap"][0], now, timedelta(days=1))
    told = {"rotated, within its overlap": ("in", "in"), "from another address": ("403", "403")}
    found = [Credential("none", "401", "401"), Credential("Basic", "401", "401", {"authorization": "Basic YTpi"})]
    for place in PLACES:
        found += [
            Credential(f"inference key in {place}", "in", "403", **bearing(place, inference)),
            Credential(f"admin key in {place}", "in", "in", **bearing(place, admin)),
            Credential(f"wrong key in {place}", "401", "401", **bearing(place, "sk-dg-wrong")),
            Credential(f"foreign key in {place}", "401", "401", **bearing(place, "sk-ant-own")),
        ]
    for what, (_, key) in made.items():
        found.append(Credential(what, *told.get(what, ("401", "401")), **bearing("authorization", key)))
    for key, what in ((inference, "inference"), (admin, "admin"), ("fk-own", "foreign")):
        found.append(Credential(f"{what} key in x-factory-api-key", "401", "401", {"x-factory-api-key": key}))
    both = {"authorization": f"Bearer {admin}", "x-api-key": inference}
    own = {"authorization": f"Bearer {admin}", "x-api-key": "sk-ant-own", "x-factory-api-key": "fk-own"}
    twice = {"authorization": f"Bearer {admin}", "x-goog-api-key": admin}
    found += [
        Credential("two different keys", "401", "401", both),
        Credential("an admin key beside own ones", "in", "in", own),
        Credential("the same key twice", "in", "in", twice),
        *people(inference),
    ]
    return found


def people(inference: str) -> Iterator[Credential]:
    """Sessions. At the inference paths none of them counts."""
    olga, token = a_browser("olga", staff=True, codes="_apikey")
    with_token = {"x-csrftoken": token}
    yield Credential("staff", "401", "in", with_token, browser=olga)
    yield Credential("staff without the CSRF token", "401", "in", browser=olga, unsafe="403")
    yield Credential("staff with an inference key", "in", "403", {**with_token, "x-api-key": inference}, browser=olga)
    yield Credential("staff with a wrong key", "401", "401", {**with_token, "x-api-key": "sk-dg-no"}, browser=olga)
    sam, token = a_browser("sam", staff=True, codes=None)
    yield Credential("staff without rights", "401", "403", {"x-csrftoken": token}, browser=sam, as_staff="in")
    mallory, token = a_browser("mallory", staff=False, codes="_apikey")
    yield Credential("signed in, not staff", "401", "403", {"x-csrftoken": token}, browser=mallory)


# --- the trial -------------------------------------------------------------------------------------------------------


def verdict(status: int) -> str:
    assert status < 500, status
    return str(status) if status in (401, 403, 405) else "in"


def offers(pattern: URLPattern) -> set[str]:
    """The methods that a view has a handler for."""
    view = handler_of(pattern)
    return {method for method in METHODS if hasattr(view, method.lower()) and method.lower() in view.http_method_names}


def handler_of(pattern: URLPattern) -> Any:
    return getattr(pattern.callback, "view_class", None) or pattern.callback.cls  # type: ignore[attr-defined]


def address(route: str) -> str:
    for parameter, sample in SAMPLES.items():
        route = route.replace(parameter, sample)
    assert "<" not in route, route
    return f"/{route}"


async def at_the_lean_door(snapshot: Snapshot, credentials: list[Credential]) -> list[str]:
    """What differs from what is expected, over the real ASGI application."""
    engine = Engine(
        settings=EngineSettings(),
        books=BooksInAList(),
        sealer=Sealer(b"k" * 32),
        transport=Transport(max_answer_bytes=1),
    )
    engine.snapshot = snapshot
    wiring._worker = SimpleNamespace(pid=os.getpid(), engine=engine, watcher=SimpleNamespace(healthy=True), started=0.0)
    wrong = []
    for route, pattern in routes(proxyapp.api.urls.urlpatterns):
        has = offers(pattern)
        for method in METHODS:
            for one in credentials:
                cookie = one.browser and "; ".join(f"{n}={m.value}" for n, m in one.browser.cookies.items())
                headers = {**one.headers, **({"cookie": cookie} if cookie else {})}
                got = await ask(application, method, address(route) + one.query, b"{}", **headers)
                expected = one.expected(CLASSES[route], method) if method in has else "405"
                expected = "in" if method == "OPTIONS" else expected  # a browser's preflight bears no credential
                if verdict(got.status) != expected:
                    wrong.append(f"{method} /{route} with {one.what}: {got.status}, not {expected}")
    await engine.close()
    wiring._worker = None
    return wrong


@pytest.fixture
def no_worker(monkeypatch):
    monkeypatch.setattr(wiring, "_worker", None)


def test_the_paths_of_programs_open_to_their_keys_alone(credentials, no_worker):
    assert asyncio.run(at_the_lean_door(build_snapshot(), credentials)) == []


DOORS = {"none": "in", "Basic": "in", **{f"foreign key in {place}": "in" for place in PLACES},
         "foreign key in x-factory-api-key": "in", "signed in, not staff": "in", "staff": "in",
         "staff without rights": "in", "staff without the CSRF token": "in"}  # fmt: skip


@pytest.mark.parametrize("setting", [{"ALLOW_ANONYMOUS_ACCESS": True}, {"ENABLE_CLIENT_AUTH": False}])
def test_an_open_door_lets_in_who_bears_no_key_of_ours_and_refuses_wrong_ones(
    credentials, no_worker, settings, setting
):
    for name, value in setting.items():
        setattr(settings, name, value)
    few = [one for one in credentials if " in x-goog" not in one.what and " in ?key" not in one.what]
    for one in few:
        one.any_key = DOORS.get(one.what, one.any_key)
    assert asyncio.run(at_the_lean_door(build_snapshot(), few)) == []
    few = [one for one in few if one.browser is None and " in " not in one.what.replace(" in authorization", "")]
    assert at_djangos_door(few) == []


def at_djangos_door(credentials: list[Credential], patterns: Any = None) -> list[str]:
    """The same for all other routes, over Django's own handler and the whole middleware."""
    wrong, inference = [], {route for route, _ in routes(proxyapp.api.urls.urlpatterns)}
    stranger = Browser(enforce_csrf_checks=True)
    for route, pattern in routes(gateway.urls.urlpatterns if patterns is None else patterns):
        kind = CLASSES.get(route, MANAGE)
        if route in inference or kind == CONSOLE:
            continue
        has = {"GET"} if handler_of(pattern) is NothingHere else offers(pattern)
        for method in SAFE if kind == OPEN else METHODS:
            # A missing method, and the same view with a slash behind its path, are tried in fewer ways.
            is_told_in_full = method in has and method != "OPTIONS" and not route.endswith("/")
            for one in credentials if is_told_in_full else [one for one in credentials if one.what in FEW]:
                answer = (one.browser or stranger).generic(
                    method, address(route) + one.query, b"{}", "application/json", headers=one.headers
                )
                expected = expected_of_django(one, kind, method, pattern)
                if verdict(answer.status_code) != expected:
                    wrong.append(f"{method} /{route} with {one.what}: {answer.status_code}, not {expected}")
    return wrong


def expected_of_django(one: Credential, kind: str, method: str, pattern: URLPattern) -> str:
    """Who may not manage is told so first; who may is told of a missing method, and so is staff of any rights."""
    expected = one.expected(kind, method)
    if handler_of(pattern) is NothingHere or (method in offers(pattern) and (method != "OPTIONS" or kind == OPEN)):
        return expected
    return "405" if expected == "in" or one.what == "staff without rights" else expected


def test_what_manages_opens_to_admin_keys_and_to_staff_with_the_right(credentials):
    assert at_djangos_door(credentials) == []


class Forgetful(ManagementView):
    """A view whose author forgot to say who may."""

    permission_classes = []

    def get(self, request: Any) -> Response:
        return Response({})


def test_a_view_that_lets_anybody_in_is_found(credentials, settings):
    """The matrix can fail: this is what a route without permissions looks like to it."""
    module = ModuleType("forgetful_urls")
    module.urlpatterns = [path("v9/forgetful", Forgetful.as_view())]
    sys.modules[module.__name__] = module
    settings.ROOT_URLCONF = module.__name__
    found = at_djangos_door(credentials, module.urlpatterns)
    assert "GET /v9/forgetful with none: 200, not 401" in found
    assert "GET /v9/forgetful with staff without rights: 200, not 403" in found


# --- the console -----------------------------------------------------------------------------------------------------

AT_THE_CONSOLES_DOOR = {"admin/login/": (200, None), "admin/logout/": (302, "/admin/")}
SOMETHING = {"object_id": "1", "content_type_id": "1", "url": "x", "app_label": "accounts", "id": "1"}


def consoles(patterns: Any, before: str) -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from consoles(pattern.url_patterns, route)
        else:
            yield route


def filled(route: str) -> str:
    """An address that the route takes."""
    route = re.sub(r"\(\?P<(\w+)>[^()]*\)", lambda found: SOMETHING.get(found[1], "accounts"), route)
    route = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: SOMETHING.get(found[1], "1"), route)
    return route.replace("^", "").replace("$", "")


def test_every_page_of_the_console_sends_strangers_to_sign_in(db):
    (console,) = [pattern for route, pattern in routes(gateway.urls.urlpatterns) if CLASSES[route] == CONSOLE]
    mallory, _ = a_browser("mallory", staff=False, codes="_apikey")
    stranger = Browser()
    pages = list(consoles(console.url_patterns, "admin/"))
    assert len(pages) > 60
    for route in pages:
        for browser in (stranger, mallory):
            answer = browser.get(f"/{filled(route)}")
            location = answer.headers.get("location")
            if route in AT_THE_CONSOLES_DOOR:
                assert (answer.status_code, location) == AT_THE_CONSOLES_DOOR[route]
                continue
            assert answer.status_code in (301, 302), (route, answer.status_code)
            assert location.startswith("/admin/login/?next="), (route, location)
