"""What tests of pages share: which browser, how long to wait, Playwright's waiting assertions, the image in full."""

from __future__ import annotations

import shutil
from typing import Any

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_BROWSER = "no browser: "
"""How the reason of a test begins that is left out for want of one; ``tests/conftest.py`` counts them."""
PATIENCE_MS = 240_000
"""What a page comes to show is waited for so long: nothing fails because a machine is slow."""
PEN_OF_FULL = "document.querySelector('#full canvas').getContext('2d', { willReadFrequently: true })"
"""Of the image in full, as the page asks for it: the first who asks, page or test, says how it is read."""


def find_chromium() -> str | None:
    """The browser's executable, or None."""
    return next(filter(None, map(shutil.which, CHROMIUMS)), None)


def expect(locator: Any) -> Any:
    """Playwright's assertions that wait until they hold. Imported when used: tests are collected without it, too."""
    from playwright.sync_api import expect  # late: of the extra "test"

    return expect(locator)
