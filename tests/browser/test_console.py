"""What an operator does on a day, in a real browser."""

import json
import time
import urllib.error
import urllib.request

import pytest

from tests.browser.conftest import HOSTILE, PASSWORD

pytestmark = pytest.mark.slow

PAGES = ("proxyapp/requestlog", "proxyapp/modelconfig", "proxyapp/upstream", "proxyapp/upstreamkey",
         "proxyapp/oauthtoken", "proxyapp/proxypool", "accounts/client", "accounts/apikey", "auth/user",
         "auth/group")  # fmt: skip
NOTHING_TO_ADD = ("proxyapp/requestlog", "proxyapp/upstreamkey")


def ask(gateway, key, model):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": HOSTILE}]}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "user-agent": HOSTILE}
    asked = urllib.request.Request(f"{gateway.url}/v1/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(asked, timeout=15) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


def until(claim, seconds=5):
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_every_page_is_quiet_and_no_wider_than_the_screen(open_page, width, scheme):
    page = open_page(width, scheme)
    for path in PAGES:
        page.goto(f"/admin/{path}/")
        changes = page.eval_on_selector_all("#result_list tbody a[href*='/change/']", "all => all.map(a => a.href)")
        adds = [f"/admin/{path}/add/"] if path not in NOTHING_TO_ADD else []
        for url in [page.url, *adds, *changes[:3]]:
            page.goto(url)
            widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
            assert widths[0] <= widths[1], url


def test_from_an_empty_console_to_an_answer_and_back(open_page, gateway, upstream):
    page = open_page()
    page.goto("/admin/proxyapp/upstream/add/")
    page.fill("#id_name", "acme")
    page.select_option("#id_kind", "openai_compatible")
    page.fill("#id_base_url", upstream.url)
    page.fill("#id_keys-0-name", "main")
    page.fill("#id_keys-0-value", "sk-acme-secret-of-ours")
    page.click("button[name=_save]")
    page.wait_for_url("**/upstream/")
    page.goto("/admin/proxyapp/modelconfig/add/")
    page.fill("#id_name", "small")
    page.click("[aria-labelledby=select2-id_routes-0-upstream-container]")
    page.keyboard.type("acm")
    page.click(".select2-results__option >> text=acme")
    page.fill("#id_routes-0-upstream_model", "acme-small")
    page.click("button[name=_save]")
    page.wait_for_url("**/modelconfig/")
    page.goto("/admin/accounts/client/add/")
    page.fill("#id_name", "alice")
    page.click("button[name=_continue]")
    page.wait_for_url("**/change/")
    page.click("text=New key")
    page.fill("#id_name", "laptop")
    page.click("button[name=_save]")
    key = page.input_value("#made-key")
    page.click("#copy-key")
    page.wait_for_selector("#copy-key >> text=Copied")

    until(lambda: ask(gateway, key, "small") == 200)
    assert upstream.last.headers["authorization"] == "Bearer sk-acme-secret-of-ours"
    page.goto("/admin/proxyapp/requestlog/?client=alice")
    until(lambda: page.reload() and page.locator("#result_list tbody a").count())
    page.click("#result_list tbody a >> nth=0")
    page.wait_for_selector("text=acme-small")
    assert HOSTILE in page.inner_text("#content")

    page.goto("/admin/accounts/apikey/?q=laptop")
    assert key not in page.content()
    page.check("input[name=_selected_action]")
    page.select_option("select[name=action]", "revoke")
    page.click("button[name=index]")
    page.wait_for_selector("text=1 revoked")
    until(lambda: ask(gateway, key, "small") == 401)


def test_a_form_says_at_the_field_what_is_wrong(open_page):
    page = open_page()
    page.goto("/admin/proxyapp/upstream/add/")
    page.fill("#id_name", "a b")
    page.fill("#id_base_url", "ftp://nowhere")
    page.click("button[name=_save]")
    assert "Use letters, digits" in page.inner_text(".field-name")
    assert "begins with http" in page.inner_text(".field-base_url")


def test_who_signs_out_is_out(open_page):
    page = open_page()
    page.click("text=admin >> nth=0")
    page.click("text=Log out")
    page.wait_for_selector("text=You are signed out.")
    page.goto("/admin/proxyapp/upstream/")
    assert "/admin/login/" in page.url
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/admin/proxyapp/upstream/")
