"""A driver in a process of its own, with code that is not trusted.

It has a folder of its own, no network, nothing of the user's environment, and a time limit. It is not kept from the
user's files. Cutting the network off is done by ``drivers/main.py``: only the process itself can.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ...input_files import refuse_special
from ...json_text import JsonFault, parse_json
from .harnesses import Harness

_DRIVERS = Path(__file__).with_name("drivers")
_MOST_BYTES = 4 << 20
"""Of a result."""


@dataclass(frozen=True)
class Limits:
    """What a process with foreign code gets."""

    python: str = sys.executable
    """Interpreter that has the packages which the harness needs."""
    seconds: float = 300.0
    """After this it is ended, with all that it started."""

    def __post_init__(self) -> None:
        """
        Raises:
            ConfigError: there is no such interpreter, or no time.
        """
        if shutil.which(self.python) is None:
            raise ConfigError(f"--harness-python {self.python}: no program that can be run; give its path")
        if not self.seconds > 0:
            raise ConfigError(f"--harness-timeout must be more than 0, not {self.seconds:g}")

    @property
    def program(self) -> str:
        """Its own path, since it is started in another folder; links stay, by which it finds its packages."""
        return os.path.abspath(shutil.which(self.python) or self.python)


def run_driver(harness: Harness, job: Mapping[str, Any], limits: Limits) -> Mapping[str, Any]:
    """What the driver wrote down, or why it wrote nothing."""
    driver = _DRIVERS / (harness.name.replace("-", "_") + ".py")
    with tempfile.TemporaryDirectory(prefix="pefomed-audit-") as place:
        here = Path(place)
        (here / "job.json").write_text(json.dumps(job), encoding="utf-8")
        command = [limits.program, "-I", "-B", str(_DRIVERS / "main.py"), str(driver), "job.json", "result.json"]
        try:
            with open(here / "said.txt", "wb") as said:
                process = subprocess.Popen(
                    command,
                    cwd=here,
                    env=_environment(here),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                try:
                    code = process.wait(limits.seconds)
                except BaseException:
                    _end(process)
                    raise
            _end(process)  # what it started and left
        except subprocess.TimeoutExpired:
            return {"error": f"not done after {limits.seconds:g} s, and ended (--harness-timeout)"}
        except OSError as error:
            return {"error": f"{limits.python}: {error.strerror}"}
        return _read_result(here / "result.json", code)


def _read_result(path: Path, code: int) -> Mapping[str, Any]:
    """The result is theirs as well: what is not of the form that was asked for is no result."""
    if not path.is_file() or path.is_symlink():
        return {"error": f"its process ended with code {code} and said nothing"}
    refuse_special(path)
    if path.stat().st_size > _MOST_BYTES:
        return {"error": f"its result is larger than {_MOST_BYTES:,} bytes"}
    try:
        told = parse_json(path.read_bytes())
    except JsonFault as fault:
        return {"error": f"its result is no JSON ({fault})"}
    return told if isinstance(told, dict) else {"error": "its result is of another form"}


def _environment(home: Path) -> dict[str, str]:
    """Nothing of the user's but where programs are found: no keys, no tokens, no proxies."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
