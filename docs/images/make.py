"""Makes the screenshots of the documents: python docs/images/make.py [--keep]

Starts the real server with a data directory that is thrown away, over scripted upstreams on loopback that answer with
invented data, plays a morning of requests, and photographs the console in Chromium (CHROMIUM, else the one on the
path, else Playwright's own). Nothing is written but the four PNG files beside this one. Takes a minute.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from docs.images.morning import FEATURED, configuration, play  # noqa: E402
from tests.fakes import chromium  # noqa: E402
from tests.fakes.gateway import RunningGateway  # noqa: E402
from tests.fakes.upstream import ScriptedUpstream  # noqa: E402

SIZE = {"width": 1400, "height": 900}
MOST_BYTES = 250_000
PASSWORD = "only-for-the-screenshots"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave the server running until Enter is pressed")
    options = parser.parse_args()
    upstreams = {name: ScriptedUpstream() for name in ("anthropic", "anthropic-eu", "openai", "gpu-box")}
    with tempfile.TemporaryDirectory(prefix="dragoman-images-") as directory:
        gateway = RunningGateway(Path(directory), ADMIN_PASSWORD=PASSWORD)
        try:
            gateway.manage("bootstrap")
            gateway.apply(configuration({name: upstream.url for name, upstream in upstreams.items()}))
            gateway.start(bootstrap=False)
            ages = play(gateway.url, upstreams)
            spread(gateway, ages)
            with sync_playwright() as playwright:
                launched = playwright.chromium.launch(executable_path=chromium.executable(), args=chromium.ARGUMENTS)
                photograph(launched, gateway.url)
            if options.keep:
                input(f"{gateway.url}/admin/, user admin, password {PASSWORD}. Enter ends. ")
        finally:
            gateway.kill()
            time.sleep(0.5)  # its connections end
            for upstream in upstreams.values():
                upstream.close()


def spread(gateway: RunningGateway, ages: list[float]) -> None:
    """Moves the requests, which took seconds, over a morning: one age in seconds for each, the first the oldest."""
    time.sleep(1.5)  # the history's writer
    code = (
        "from datetime import timedelta\n"
        "from django.utils import timezone\n"
        "from proxyapp.models import RequestLog\n"
        f"rows, ages = list(RequestLog.objects.order_by('created_at', 'id')), {ages!r}\n"
        "assert len(rows) == len(ages), (len(rows), len(ages))\n"
        "for row, age in zip(rows, ages):\n"
        "    RequestLog.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(seconds=age))\n"
    )
    gateway.manage("shell", "-v0", "-c", code)


def photograph(browser: Browser, url: str) -> None:
    light = sign_in(browser, url, "light")
    light.goto(f"{url}/admin/proxyapp/requestlog/")
    keep(light, "console-requests")
    request = light.locator("#result_list tr", has_text=FEATURED).locator("a").first.get_attribute("href") or ""
    for scheme, name in (("light", "console-request"), ("dark", "console-request-dark")):
        page = sign_in(browser, url, scheme, 0.85)
        page.goto(url + request)
        keep(page, name)
    model = sign_in(browser, url, "light", 0.85)
    model.goto(f"{url}/admin/proxyapp/modelconfig/?q=sonnet")
    model.locator("#result_list tbody a").first.click()
    model.wait_for_load_state()
    keep(model, "console-model")
    browser.close()


def sign_in(browser: Browser, url: str, scheme: str, scale: float = 1) -> Page:
    """A page of the size wanted; smaller than 1, `scale` shows more on it."""
    viewport = {name: round(pixels / scale) for name, pixels in SIZE.items()}
    context = browser.new_context(viewport=viewport, device_scale_factor=scale, color_scheme=scheme)  # type: ignore
    page = context.new_page()
    page.goto(f"{url}/admin/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/admin/")
    return page


def keep(page: Page, name: str) -> None:
    page.wait_for_timeout(500)  # fonts
    path = HERE / f"{name}.png"
    page.screenshot(path=path)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{path.name} has {size:,} bytes, at most {MOST_BYTES:,} are wanted.")
    sys.stdout.write(f"{path.name}: {size:,} bytes\n")


if __name__ == "__main__":
    main()
