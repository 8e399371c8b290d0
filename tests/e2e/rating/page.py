"""The rating page as the command serves it, and what tests look at in it."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from pefomed_plugin.storage import write_records

from ..browsing import PATIENCE_MS, expect

Page = Any
ROOT = Path(__file__).resolve().parents[3]


class Served:
    """``pefomed rate serve`` in a process of its own."""

    def __init__(self, folder: Path, predictions: list[Any], *arguments: str, port: str = "0") -> None:
        write_records(folder / "predictions.jsonl", predictions)
        (folder / "images").mkdir(exist_ok=True)
        for image in {image for prediction in predictions for image in prediction.images}:
            Image.new("L", (40, 30), 128).save(folder / "images" / image)
        self.store = folder / "ratings" / "ratings.sqlite"
        self.command = [
            sys.executable,
            "-m",
            "pefomed_plugin.cli",
            "rate",
            "serve",
            str(folder / "predictions.jsonl"),
            "--image-root",
            str(folder / "images"),
            "--port",
            port,
            *arguments,
        ]
        self.start()

    def start(self) -> None:
        """Start, and wait for the address."""
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert self.process.stdout is not None
        line = ""
        while "http://" not in line:
            line = self.process.stdout.readline()
            assert line, "the command ended"
        self.url = re.findall(r"http://\S+", line)[0].replace("//localhost", "//127.0.0.1")
        while "/operator" not in line:
            line = self.process.stdout.readline()
            assert line, "the command ended"
        self.operator = re.findall(r"http://\S+", line)[0].replace("//localhost", "//127.0.0.1")

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def saved(self) -> list[Any]:
        """What the file holds."""
        base = sqlite3.connect(str(self.store))
        try:
            return base.execute("SELECT rater, sample_id, rating, comment FROM ratings").fetchall()
        finally:
            base.close()


def text(page: Page, element: str) -> str:
    return str(page.evaluate(f"document.getElementById('{element}').textContent"))


def wait_for(page: Page, script: str, at_least: int) -> int:
    """What a script comes to say; asked again from here, as the page's policy forbids Playwright's own way of it."""
    ends = time.monotonic() + PATIENCE_MS / 1000
    while (found := page.evaluate(script)) < at_least:
        assert time.monotonic() < ends, f"{script} stayed {found}, below {at_least}"
        page.wait_for_timeout(50)
    return found


def enter(page: Page, name: str) -> None:
    expect(page.locator("#enter")).to_be_visible()
    page.evaluate(f"document.getElementById('name').value = {json.dumps(name)}")
    page.evaluate("document.getElementById('enter').requestSubmit()")


def check_item(page: Page, start: str) -> None:
    """Fail unless the page comes to show this item."""
    expect(page.locator("#rating #number")).to_have_text(re.compile("^" + re.escape(start)))
    expect(page.locator("#rating")).to_be_visible()


def all_saved(page: Page) -> None:
    """Wait until nothing that was said is on its way; the page goes on before."""
    wait_for(page, "Number(state.waiting.length === 0)", 1)
