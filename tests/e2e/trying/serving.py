"""A server in a process of its own, as a user starts it, and the ``openai`` client that speaks to it."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.unit.services.small import small_image

PATIENCE_S = 120


def data_url(seed: int) -> str:
    """A small image."""
    stream = BytesIO()
    small_image(seed).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def messages(seed: int, words: str) -> list[Any]:
    """What a client sends."""
    return [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": data_url(seed)}},
                {"type": "text", "text": words},
            ],
        }
    ]


class Served:
    """``pefomed serve``, entered until it takes requests."""

    def __init__(self, *arguments: str, **environ: str) -> None:
        self.command = [sys.executable, "-m", "pefomed_plugin.cli", "serve", "--port", "0", *arguments]
        self.environ = {**os.environ, "OMP_NUM_THREADS": "1", **environ}
        self.lines: list[str] = []
        self._said = threading.Condition()

    def __enter__(self) -> Served:
        self.process = subprocess.Popen(
            self.command,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=Path(__file__).resolve().parents[3],
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        line = self.wait_for(r"serving .* at http")
        found = re.search(r"serving (\S+) at (\S+)", line)
        assert found
        self.model, self.url = found.groups()
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE_S)

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._said:
                self.lines.append(line.rstrip())
                self._said.notify_all()
        with self._said:
            self.lines.append("<end>")
            self._said.notify_all()

    def wait_for(self, pattern: str) -> str:
        """The first line that the server says with it."""
        with self._said:
            self._said.wait_for(
                lambda: any(re.search(pattern, line) for line in self.lines) or "<end>" in self.lines, PATIENCE_S
            )
            found = [line for line in self.lines if re.search(pattern, line)]
        assert found, "\n".join(self.lines)
        return found[0]

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")

    def client(self, **settings: Any) -> Any:
        """The real client, which does not try again by itself."""
        import openai

        return openai.OpenAI(**{"base_url": self.url, "api_key": "none", "max_retries": 0, **settings})

    def children(self) -> list[int]:
        """Processes of ``--data-parallel``."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        numbers = [int(word) for task in tasks for word in task.read_text().split()]
        return sorted(number for number in numbers if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes())
