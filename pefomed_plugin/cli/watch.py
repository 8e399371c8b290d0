"""``pefomed watch``: training while it runs, in the terminal and as a page that draws itself anew."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from ..services.console import make_console, say
from .arguments import above_0, page_file
from .next_step import NextStep, again, opening

if TYPE_CHECKING:
    from ..reporting.table import Table
    from ..reporting.training.curves import Training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="output_dir of a training, under way or done")
    parser.add_argument("--label", action="append", default=[], metavar="LABEL", help="name of a run, one for each")
    parser.add_argument(
        "--out", type=page_file, metavar="FILE", help="HTML page with the curves, written anew as they grow"
    )
    parser.add_argument("--every", type=above_0, default=5.0, metavar="S", help="seconds between two looks (default 5)")
    parser.add_argument("--once", action="store_true", help="look once and end")
    parser.epilog = "example: pefomed watch output/stage2 output/stage2_rank16 --out output/training.html"


def run(arguments: argparse.Namespace) -> int:
    """Look until every run is done or quiet; Ctrl-C ends it and leaves the runs as they are."""
    from ..reporting.training.curves import read_trainings  # late: beside the page

    shown = begun = read_trainings(arguments.runs, arguments.label)
    try:
        with _screen(arguments.once) as show:
            for shown in _looks(arguments, begun):
                show(shown)
    except KeyboardInterrupt:
        _draw(shown, arguments.out, 0)  # nobody draws it anew from here on
    if arguments.out:
        say(f"the curves: {arguments.out}")
    return 0


def _looks(arguments: argparse.Namespace, shown: list[Training]) -> Iterator[list[Training]]:
    """The runs now and again and again, the page with them: it asks for itself anew while a run goes on."""
    from ..reporting.training.curves import look_again  # late: beside the page

    while True:
        goes_on = not arguments.once and any(training.goes_on for training in shown)
        _draw(shown, arguments.out, max(2, round(arguments.every)) if goes_on else 0)
        yield shown
        if not goes_on:
            return
        time.sleep(arguments.every)
        shown = look_again(shown)


def _draw(shown: Sequence[Training], out: Path | None, refresh_s: int) -> None:
    from ..reporting.training.page import write_training_page  # late: beside the table

    if out is not None:
        write_training_page(shown, out, refresh_s)


@contextmanager
def _screen(once: bool) -> Iterator[Callable[[Sequence[Training]], None]]:
    """What shows the runs: a table that changes where it stands; without a terminal one table, then lines."""
    from ..reporting.rendering import framed, show  # late: loads rich

    console = None if once else make_console()
    if console is None:
        begun: list[bool] = []

        def tell(shown: Sequence[Training]) -> None:
            if begun:
                say("; ".join(map(_line, shown)))
            else:
                show([_table(shown)])
            begun.append(True)

        yield tell
        return
    from rich.console import Group  # late: optional
    from rich.live import Live  # late: optional
    from rich.text import Text  # late: optional

    def draw(shown: Sequence[Training]) -> None:
        table = _table(shown)
        live.update(Group(framed(table), *map(Text, table.notes)), refresh=True)

    with Live(console=console, auto_refresh=False) as live:
        yield draw


def _table(trainings: Sequence[Training]) -> Table:
    from ..reporting.durations import time_in_words
    from ..reporting.table import COUNT, FIGURE, Cell, Column, Table
    from ..reporting.training.drawing import number
    from ..reporting.training.page import remarks_on  # late: beside the table

    def last(key: str, digits: int) -> Column:
        def place(training: Training) -> Cell:
            value = training.latest(key)
            if value is None or isinstance(value, str):
                return Cell(reason=value or "-")
            return Cell(value, digits=digits)

        return Column({"loss": "loss", "grad_norm": "grad norm", "tokens_per_s": "tokens /s"}[key], place, FIGURE)

    def iterations(training: Training) -> Cell:
        return (
            Cell(training.iteration, of=training.iterations)
            if training.iterations
            else Cell(training.iteration, digits=0)
        )

    def validation(training: Training) -> Cell:
        found = training.validation()
        return Cell(found[-1][1], digits=4) if found else Cell(reason="-")

    def state(training: Training) -> str:
        if not training.steps:
            return "no step yet" if training.goes_on else training.state()
        seconds = training.remaining_s
        return f"{time_in_words(seconds)} left" if training.goes_on and seconds is not None else training.state()

    def rate(training: Training) -> str:
        points = training.points("lr")
        return number(points[-1][1]) if points else "-"

    columns = [
        Column("run", lambda training: training.name),
        Column("state", state),
        Column("step", iterations, COUNT),
        last("loss", 4),
        Column("valid loss", validation, FIGURE),
        Column("rate", rate),
        last("grad_norm", 3),
        last("tokens_per_s", 0),
    ]
    return Table("", columns, trainings, remarks_on(trainings))


def _line(training: Training) -> str:
    said = [training.state(), f"iteration {training.iteration:,}", training.loss_in_words(), training.fault]
    return f"{training.name}: {', '.join(filter(None, said))}"


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """The curves as a page, or that page."""
    return opening(arguments.out) if arguments.out else again(arguments, "--out", "training.html")
