"""Pictures of pages for README and docs, taken from real ones: the report of the demo, light and dark.

    make demo
    python -m projects.pictures.pages --demo output/demo

Needs Playwright and a Chromium on PATH, as the tests of pages do; nothing is fetched.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from pefomed_plugin.provenance import find_image_roots
from pefomed_plugin.reporting.look import DARK, LIGHT
from pefomed_plugin.reporting.page.explorer import write_report
from pefomed_plugin.reporting.results import read_run

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
RUNS = {"both stages": "both", "stage 2": "stage2", "stage 1": "stage1_test", "no fine-tuning": "none"}
"""Label -> folder of the demo."""
SHOTS = {
    "report": ("", "", (1200, 760)),
    "answers": ("#?set=vqa_rad-test", "gallery", (1200, 760)),
    "answers_phone": ("#?set=vqa_rad-test", "gallery", (390, 620)),
}
"""Name of a picture -> what is chosen on the page, the section that is scrolled to, the window in CSS pixels."""
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUALITY = 84


def write_page(demo: Path, path: Path) -> None:
    """The demo's report, as ``pefomed report`` writes it."""
    runs = [read_run(demo / folder, label) for label, folder in RUNS.items()]
    write_report(runs, path, find_image_roots(runs[0].datasets, runs[0].record, ()))


@contextmanager
def opened(address: str, width: int, height: int, scheme: str = LIGHT) -> Iterator[Any]:
    """A page in a headless browser that reaches this machine alone."""
    from playwright.sync_api import sync_playwright  # late: of the extra "test"

    browser_path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser_path is None:
        sys.exit("no Chromium on PATH (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path,
            chromium_sandbox=False,
            args=["--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        size: Any = {"width": width, "height": height}
        page = browser.new_context(viewport=size, color_scheme=scheme, device_scale_factor=1.5).new_page()  # type: ignore[arg-type]
        page.goto(address)
        page.wait_for_load_state("networkidle")
        yield page
        browser.close()


def photograph(address: str, path: Path, *, size: tuple[int, int], scheme: str = LIGHT, section: str = "") -> None:
    """What a reader sees of a page, as WebP.

    Args:
        section: id of what is scrolled to; the top of the page where it is empty.
        size: of the window, in CSS pixels.
    """
    with opened(address, *size, scheme) as page:
        if section:
            page.evaluate("name => document.getElementById(name).scrollIntoView({behavior: 'instant'})", section)
            page.wait_for_function("[...document.images].every((image) => image.complete)")
        png = page.screenshot()
    Image.open(BytesIO(png)).convert("RGB").save(path, "WEBP", quality=_QUALITY, method=6)


def main() -> None:
    """Write the pictures and say where they lie."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--demo", type=Path, default=Path("output/demo"), help="folder that make demo wrote")
    parser.add_argument("--out", type=Path, default=PICTURES)
    arguments = parser.parse_args()
    if not (arguments.demo / "both").is_dir():
        sys.exit(f"{arguments.demo} is no demo: make demo")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.html"
        write_page(arguments.demo, report)
        for scheme, ending in ((LIGHT, ""), (DARK, "_dark")):
            for name, (chosen, section, size) in SHOTS.items():
                path = arguments.out / f"{name}{ending}.webp"
                photograph(report.as_uri() + chosen, path, scheme=scheme, section=section, size=size)
                print(f"{path} ({path.stat().st_size / 1e3:.0f} kB)")


if __name__ == "__main__":
    main()
