"""A person at a terminal: types a command, reads what it prints at 80 columns, and types the next step it names."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pefomed_plugin import environment

COLUMNS = 80
PATIENCE_S = 240.0
"""A command that says nothing for so long hangs; no test ends by it where all is well."""

_ON_A_ROW = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>])|([^\x1b])")
_SCRIPT = "import sys; from pefomed_plugin.cli import main; sys.argv[0] = 'pefomed'; sys.exit(main())"


@dataclass(frozen=True)
class Shown:
    """What one command left on the screen."""

    typed: str
    text: str
    """Without colours; of a line that was drawn over, what stood last."""
    code: int

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def next(self) -> str:
        """The command that the last line names; an assertion where it names none."""
        last = next((line for line in reversed(self.lines) if line.strip()), "")
        assert last.startswith("next: "), f"{self.typed} does not end with its next step:\n{self.text}"
        return last[len("next: ") :]


class Newcomer:
    """Someone in a folder of their own; counts what they type."""

    def __init__(self, folder: Path, sample: Path, **variables: str) -> None:
        scripts = folder / ".bin"
        scripts.mkdir(parents=True)
        _script(scripts / "pefomed", _SCRIPT)
        _script(scripts / "torchrun", "from torch.distributed.run import main; main()")
        own = {name: value for name, value in os.environ.items() if name not in environment.VARIABLES}
        self.folder = folder
        self.typed: list[str] = []
        self.environ = {
            **own,
            "PATH": os.pathsep.join([str(scripts), os.path.dirname(sys.executable), os.environ["PATH"]]),
            "PEFOMED_SAMPLE": str(sample),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "TERM": "xterm",
            **variables,
        }

    def types(self, line: str, code: int = 0, until: Callable[[str], bool] | None = None) -> Shown:
        """Run a line of bash on a terminal of 80 columns; ``until`` it has shown that, then SIGTERM.

        Every line must fit, nobody is shown a traceback, and the exit code is ``code``.
        """
        self.typed.append(line)
        text, left = _run(line, self.folder, self.environ, until)
        shown = Shown(line, _as_seen(text), left)
        assert shown.code == code, f"{line}: exit code {shown.code}, not {code}\n{shown.text}"
        assert "Traceback" not in shown.text, shown.text
        wide = [row for row in shown.lines if len(row) > COLUMNS and not is_to_be_copied(row) and not _is_a_path(row)]
        assert not wide, f"{line}: wider than {COLUMNS} columns:\n" + "\n".join(wide)
        return shown

    @property
    def commands(self) -> int:
        """How many were typed."""
        return len(self.typed)

    def follows(self, shown: Shown, *more: str, code: int = 0, **how: Callable[[str], bool]) -> Shown:
        """Type the next step as it was printed, with ``more`` words behind it."""
        return self.types(" ".join([shown.next, *map(shlex.quote, more)]), code, **how)


def _is_a_path(line: str) -> bool:
    """Whether a word that cannot be parted, here a path of a test's folder, is what makes a line wide."""
    return any(len(word) > COLUMNS // 2 and "/" in word for word in line.split())


def is_to_be_copied(line: str) -> bool:
    """A command, which is never folded: the terminal does it, so that copying gives one line."""
    return line.lstrip().startswith(("next: ", "to continue: ", "-> ", "torchrun ", "pefomed ", "cd "))


def _script(path: Path, code: str) -> None:
    path.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
    path.chmod(0o755)


def _run(line: str, folder: Path, environ: dict[str, str], until: Callable[[str], bool] | None) -> tuple[str, int]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    process = subprocess.Popen(
        ["bash", "-c", f"exec {line}" if until else line],
        cwd=folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    got, heard = b"", time.monotonic()
    try:
        while True:
            ready, _, _ = select.select([ours], [], [], 0.2)
            if ready:
                try:
                    piece = os.read(ours, 1 << 16)
                except OSError as error:  # Linux says so at the end
                    if error.errno != errno.EIO:
                        raise
                    break
                if not piece:
                    break
                got, heard = got + piece, time.monotonic()
            if until is not None and until(_as_seen(got.decode("utf-8", "replace"))):
                until = None
                process.send_signal(signal.SIGTERM)
            if time.monotonic() - heard > PATIENCE_S:
                raise AssertionError(f"{line}: nothing for {PATIENCE_S} s\n{got.decode('utf-8', 'replace')}")
        return got.decode("utf-8"), process.wait(PATIENCE_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(ours)


def _as_seen(text: str) -> str:
    """What stands on the screen in the end: carriage returns and erased lines taken as a terminal takes them."""
    return "\n".join(map(_row_as_seen, text.replace("\r\n", "\n").split("\n")))


def _row_as_seen(row: str) -> str:
    cells: list[str] = []
    place = 0
    for escape, letter in _ON_A_ROW.findall(row):
        if letter == "\r":
            place = 0
        elif letter:
            cells[place : place + 1] = letter
            place += 1
        elif escape.endswith("2K"):
            cells = [" "] * place
        elif escape.endswith("[K"):
            del cells[place:]
    return "".join(cells).rstrip()
