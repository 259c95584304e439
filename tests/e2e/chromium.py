"""A headless Chromium for the tests, the machine's own or the one that Playwright installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class ChromiumMissingError(Exception):
    """The machine has no Chromium; the message says how to get one."""


def chromium_path(own: str) -> str:
    """The executable: the one named, the machine's, or ``own`` (Playwright's)."""
    named = os.environ.get("OFFERPATH_TEST_CHROMIUM")
    candidates = [named] if named else [*(shutil.which(name) for name in NAMES), own]
    for candidate in candidates:
        if candidate and Path(candidate).exists():
            return candidate
    raise ChromiumMissingError(
        "The tests need Chromium. Install it (Debian: apt-get install chromium; elsewhere: "
        "playwright install chromium), or name one in OFFERPATH_TEST_CHROMIUM."
    )


@contextmanager
def chromium_page(width: int = 1500, height: int = 1000) -> Iterator[tuple[Page, list[str]]]:
    """A page that reaches this machine and nothing else, and the addresses it was refused."""
    refused: list[str] = []

    def answer(route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in ("file", "data", "blob") or address.hostname == "127.0.0.1":
            route.continue_()
        else:
            refused.append(route.request.url)
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(playwright.chromium.executable_path),
            args=["--no-sandbox"],
        )
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.route("**/*", answer)
            yield page, refused
        finally:
            browser.close()
