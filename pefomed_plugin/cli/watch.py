"""``pefomed watch``: training while it runs, in the terminal and as a page that draws itself anew."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..services.console import make_console, say
from .arguments import above_0
from .next_step import NextStep, again, opening

if TYPE_CHECKING:
    from ..reporting.table import Table
    from ..reporting.training.curves import Training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="output_dir of a training, under way or done")
    parser.add_argument("--label", action="append", default=[], metavar="LABEL", help="name of a run, one for each")
    parser.add_argument("--out", type=Path, metavar="FILE", help="HTML page with the curves, written anew as they grow")
    parser.add_argument("--every", type=above_0, default=5.0, metavar="S", help="seconds between two looks (default 5)")
    parser.add_argument("--once", action="store_true", help="look once and end")
    parser.epilog = "example: pefomed watch output/stage2 output/stage2_rank16 --out output/training.html"


def run(arguments: argparse.Namespace) -> int:
    """Look until every run is done or quiet; Ctrl-C ends it and leaves the runs as they are."""
    if arguments.label and len(arguments.label) != len(arguments.runs):
        raise ConfigError(f"{len(arguments.runs)} runs and {len(arguments.label)} labels; give one for each run")
    labels = arguments.label or [""] * len(arguments.runs)
    once = arguments.once
    shown = _look(arguments.runs, labels, arguments.out, 0 if once else arguments.every)
    console = make_console()
    if once or console is None or not _goes_on(shown):
        from ..reporting.rendering import show  # late: loads rich

        show([_table(shown)])
        while not once and _goes_on(shown):
            time.sleep(arguments.every)
            shown = _look(arguments.runs, labels, arguments.out, arguments.every)
            say("; ".join(_line(training) for training in shown))
    else:
        _live(arguments, labels, shown, console)
    if arguments.out:
        say(f"the curves: {arguments.out}")
    return 0


def _live(arguments: argparse.Namespace, labels: Sequence[str], shown: list[Training], console: object) -> None:
    from rich.live import Live  # late: optional
    from rich.text import Text  # late: optional

    from ..reporting.rendering import to_lines  # late: loads rich

    with Live(console=console, auto_refresh=False) as live:  # type: ignore[arg-type]
        while True:
            live.update(Text("\n".join(to_lines(_table(shown)))), refresh=True)
            if not _goes_on(shown):
                return
            try:
                time.sleep(arguments.every)
            except KeyboardInterrupt:
                return
            shown = _look(arguments.runs, labels, arguments.out, arguments.every)


def _look(runs: Sequence[Path], labels: Sequence[str], out: Path | None, every: float) -> list[Training]:
    """Read all logs, and write the page where one is wanted; it asks for itself anew while a run goes on."""
    from ..reporting.training.curves import read_training  # late: beside the page
    from ..reporting.training.page import write_training_page  # late: beside the table

    found = [read_training(folder, label) for folder, label in zip(runs, labels)]
    if out is not None:
        refresh = max(2, round(every)) if every and _goes_on(found) else 0
        write_training_page(found, out, refresh)
    return found


def _goes_on(trainings: Sequence[Training]) -> bool:
    return any(training.state() in ("running", "starting") for training in trainings)


def _table(trainings: Sequence[Training]) -> Table:
    from ..reporting.durations import time_in_words
    from ..reporting.table import COUNT, FIGURE, Cell, Column, Table

    def last(key: str, digits: int) -> Column:
        def place(training: Training) -> Cell:
            points = training.points(key)
            return Cell(points[-1][1], digits=digits) if points else Cell(reason="-")

        return Column({"loss": "loss", "grad_norm": "gradient", "tokens_per_s": "tokens/s"}[key], place, FIGURE)

    def iterations(training: Training) -> Cell:
        return (
            Cell(training.iteration, of=training.iterations)
            if training.iterations
            else Cell(training.iteration, digits=0)
        )

    def validation(training: Training) -> Cell:
        found = training.validation()
        return Cell(found[-1][1], digits=4) if found else Cell(reason="-")

    def left(training: Training) -> str:
        seconds = training.remaining_s
        return "-" if training.is_done or seconds is None else time_in_words(seconds)

    columns = [
        Column("run", lambda training: training.name),
        Column("state", lambda training: training.state()),
        Column("iteration", iterations, COUNT),
        last("loss", 4),
        Column("validation", validation, FIGURE),
        Column("rate", lambda training: f"{points[-1][1]:.2e}" if (points := training.points("lr")) else "-"),
        last("grad_norm", 3),
        last("tokens_per_s", 0),
        Column("left", left),
    ]
    return Table("", columns, trainings)


def _line(training: Training) -> str:
    points = training.points("loss")
    loss = f", loss {points[-1][1]:.4f}" if points else ""
    return f"{training.name}: {training.state()}, iteration {training.iteration:,}{loss}"


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """The curves as a page, or that page."""
    return opening(arguments.out) if arguments.out else again(arguments, "--out", "training.html")
