"""The console in Chromium, in front of the real server. Whatever the browser complains about fails the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.fakes import answers, chromium
from tests.fakes.gateway import RunningGateway
from tests.fakes.upstream import ScriptedUpstream, answer_json

PASSWORD = "olga-password-1"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LONG = "long-" + "x" * 150


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = chromium.executable()
    if not found:
        missing = "Chromium is not on the path; say where it is with CHROMIUM=/path/to/chromium"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=chromium.ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    server = ScriptedUpstream()
    server.default = answer_json(answers.whole("openai-chat", HOSTILE))
    yield server
    server.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: ScriptedUpstream) -> Iterator[RunningGateway]:
    """With one of everything, named as badly as may be."""
    running = RunningGateway(tmp_path_factory.mktemp("browser"), ADMIN_PASSWORD=PASSWORD)
    running.manage("bootstrap")
    local = {"name": "local", "kind": "openai_compatible", "base_url": upstream.url}
    oauth = {"refresh_token": "rt-secret", "token_url": "http://127.0.0.1:1/token"}
    names = (HOSTILE, LONG, "模型-🐉-نموذج")
    running.apply(
        {
            "proxy_pools": [{"name": HOSTILE, "proxies": [{"name": "p", "url": "http://127.0.0.1:1"}]}],
            "upstreams": [{**local, "keys": [{"name": HOSTILE, "value": "sk-upstream-secret"}], "oauth": oauth}],
            "models": [{"name": name, "routes": [{"upstream": "local", "model": name}]} for name in names],
            "clients": [{"name": name[:100], "keys": [{"name": name[:100]}]} for name in names],
        }
    )
    running.start(bootstrap=False)
    yield running
    running.kill()


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser said against our pages; nothing, at the end of each test."""
    found: list[str] = []
    yield found
    assert not found


@pytest.fixture
def open_page(browser: Browser, gateway: RunningGateway, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """(width=1280, scheme="light") -> a page of the console, signed in as the operator."""
    contexts = []

    def opened(width: int = 1280, scheme: str = "light") -> Page:
        viewport = {"width": width, "height": 850}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, base_url=gateway.url)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda asked: is_foreign(asked.url, gateway.url) and complaints.append(asked.url))
        page.goto("/admin/login/")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url("**/admin/")
        return page

    yield opened
    for context in contexts:
        context.close()


def is_foreign(url: str, own: str) -> bool:
    return not url.startswith((own, "data:", "blob:"))
