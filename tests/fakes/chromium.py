"""Where Chromium is, for the tests in a real browser and for the screenshots."""

from __future__ import annotations

import os
import shutil

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
NAMES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str | None:
    """CHROMIUM, or the first one on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
