"""The terminal recording of README: real commands, run here on a terminal of 80 columns, and what they said, as an SVG.

    python -m projects.pictures.terminal --sample output/demo/sample

``--sample``: an embedded default that is there already (``make demo`` writes one); without, it is made first. Nothing
is fetched, and no path of this machine is in the picture: the commands run in a folder made for them.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "terminal.svg"
COLUMNS = 80
COMMANDS: tuple[tuple[str, str], ...] = (
    (
        "pefomed train --cfg-path projects/pefomed/stage2_vqa_rad.yaml --options run.output_dir=run run.max_epoch=1",
        "epoch 1/1",
    ),
    ("pefomed floors run", ""),
    ("pefomed report run --out report.html", ""),
)
"""Commands, and the word that the picture of their output begins at; empty: all of it."""
_ALWAYS = ("PATH", "HOME", "LANG", "SYSTEMROOT")


def on_a_terminal(command: str, folder: Path) -> list[str]:
    """Lines that a command writes on a terminal, as they stand in the end, with their colours."""
    import pty

    program = [sys.executable, "-m", "pefomed_plugin.cli", *shlex.split(command)[1:]]
    environ = {name: os.environ[name] for name in _ALWAYS if name in os.environ}
    environ.update({"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": "40", "OMP_NUM_THREADS": "1"})
    environ.update({"PEFOMED_SAMPLE": "sample", "PYTHONPATH": str(PICTURE.parents[2])})
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(sys.executable, program, environ)
    written = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    if os.waitpid(child, 0)[1]:
        sys.exit(f"failed: {command}\n{written.decode(errors='replace')}")
    return final_lines(written.decode("utf-8", "replace"), folder)


def final_lines(text: str, folder: Path) -> list[str]:
    """What is left of a terminal's bytes: a line that was written over is what it was at last."""
    kept = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = re.sub(r"\x1b\[\??\d*(?:;\d+)*[A-HJKSTfhlnsu]", "", line.split("\r")[-1])
        if re.sub(r"\x1b\[[\d;]*m", "", shown).strip():
            kept.append(shown.replace(str(folder), "/home/you"))
    return kept


def record(sample: Path, picture: Path) -> None:
    """Run the commands one after the other, and write the picture."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w", encoding="utf-8"), force_terminal=True)  # noqa: SIM115
    with tempfile.TemporaryDirectory(prefix="pefomed-terminal-") as name:
        (Path(name) / "sample").symlink_to(sample)
        for command, first in COMMANDS:
            lines = on_a_terminal(command, Path(name))
            begin = next((number for number, line in enumerate(lines) if first in line), 0)
            console.print(Text(f"$ {command}", style="bold"))
            for line in lines[begin:]:
                console.print(Text.from_ansi(line))
            console.print()
    picture.parent.mkdir(parents=True, exist_ok=True)
    svg = console.export_svg(title="pefomed", theme=MONOKAI, unique_id="pefomed", font_aspect_ratio=0.61)
    picture.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")  # fetches nothing


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--sample", type=Path, help="embedded default (default: made in a folder of its own)")
    parser.add_argument("--out", type=Path, default=PICTURE)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pefomed-sample-") as name:
        sample = (given.sample or Path(name) / "sample").resolve()
        sample.mkdir(exist_ok=True)
        record(sample, given.out)
    print(f"written to {given.out} ({given.out.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
