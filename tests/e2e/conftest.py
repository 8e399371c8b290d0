"""The browser of the tests that look at a page: Playwright's Python API with the Chromium of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import pytest

from .browsing import NO_BROWSER, PATIENCE_MS, find_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium that reaches this machine alone.

    It ends with the module, because Playwright's loop of events is this thread's while it is there.
    """
    if find_spec("playwright") is None:
        pytest.skip(NO_BROWSER + "playwright is not installed (pip install playwright)")
    executable = find_chromium()
    if executable is None:
        pytest.skip(NO_BROWSER + "no Chromium on PATH (apt-get install chromium)")
    from playwright.sync_api import expect, sync_playwright  # late: of the extra "test"

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=executable,
            chromium_sandbox=False,
            timeout=PATIENCE_MS,
            args=["--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Any]:
    """``open_page(address, complains=False, **options of Playwright's new_context)`` -> a page with its own profile.

    At the end of the test no page may have complained but those that were to: no error or warning of the console, no
    exception, and no request that is not for the page's own address.
    """
    opened = []

    def open_one(address: str, complains: bool = False, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        parts = urlsplit(address)
        own = f"{parts.scheme}://{parts.netloc}/"
        opened.append((page, own, [] if complains else _complaints_of(page)))
        page.goto(address)
        return page

    yield open_one
    for page, own, complaints in opened:
        page.evaluate("0")  # what the page said earlier has arrived with the answer
        allowed = tuple("request " + start for start in (own, "data:", "about:", "blob:"))
        page.context.close()
        assert [complaint for complaint in complaints if not complaint.startswith(allowed)] == []


def _complaints_of(page: Any) -> list[str]:
    """A list that grows by what the page complains of, and by its requests."""
    found: list[str] = []

    def note(message: Any) -> None:
        if message.type in ("error", "warning", "assert"):
            found.append(f"{message.type} {message.text}")

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(f"exception {error}"))
    page.on("request", lambda request: found.append("request " + request.url))
    return found
