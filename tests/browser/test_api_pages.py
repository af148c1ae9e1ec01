"""The description of the API as pages: both are drawn under their policy, from this server alone."""

import pytest

pytestmark = pytest.mark.slow


def test_both_pages_show_every_part_and_the_browser_has_nothing_to_say(open_page):
    page = open_page()
    page.goto("/docs")
    page.wait_for_selector("[data-path='/auth/keys/{key_id}/rotate']")
    page.wait_for_selector("[data-path='/v1/chat/completions']")
    page.click("#operations-Management-list_keys button")
    page.click("button.try-out__btn")
    page.click("button.execute")  # as the operator who is signed in
    page.wait_for_selector(".live-responses-table .response-col_status >> text=200")
    page.goto("/redoc")
    page.wait_for_selector("h1 >> text=Dragoman")
    page.fill("input[placeholder='Search...']", "renew")
    page.wait_for_selector("[role=search] >> text=Renew a key")
