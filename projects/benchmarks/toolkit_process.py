"""A process with one toolkit that answers requests, so that two toolkits take turns in one measurement.

A request is a line of JSON on its standard input, the answer one on its output. Knows nothing of what is asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT, BUNDLED = "minigpt4", "bundled"


def has_checkout() -> bool:
    """Whether MINIGPT4_HOME and MINIGPT4_PYTHON name a checkout and its interpreter."""
    return bool(os.environ.get("MINIGPT4_HOME") and os.environ.get("MINIGPT4_PYTHON"))


class ToolkitProcess:
    """``python -m MODULE SPEC`` in the environment of one toolkit, on one thread; used as a context."""

    def __init__(self, module: str, spec: Path, toolkit: str) -> None:
        paths = [str(ROOT), *([os.environ["MINIGPT4_HOME"]] if toolkit == CHECKOUT else [])]
        if toolkit == BUNDLED and os.environ.get("PYTHONPATH"):  # packages that were carried to this machine
            paths.append(os.environ["PYTHONPATH"])
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PEFOMED_TOOLKIT": toolkit,
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        python = os.environ["MINIGPT4_PYTHON"] if toolkit == CHECKOUT else sys.executable
        self.toolkit = toolkit
        self._process = subprocess.Popen(
            [python, "-m", module, str(spec.resolve())],
            cwd=str(ROOT),
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """One answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, as the loop below finds out
        for line in self._process.stdout:
            if line.startswith("{"):  # a checkout also prints what it loads
                return json.loads(line)
        raise SystemExit(
            f"the process of {self.toolkit} ended with exit code {self._process.wait()}; its message stands above"
        )

    def __enter__(self) -> ToolkitProcess:
        return self

    def __exit__(self, kind: type | None, *_: Any) -> None:
        if kind is not None:
            self._process.kill()
        self._process.communicate()


def serve(answer: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Answer requests until the input ends."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
