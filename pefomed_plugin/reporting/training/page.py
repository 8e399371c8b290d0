"""The page of one or several trainings: one HTML file that needs no network, and asks for itself anew while a run is
under way, by a script that a reader can stop; it needs none to show what it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from ...storage import write_text
from ..durations import time_in_words
from ..look import DARK, read_look
from ..page.assets import Marks, fill, read_asset, with_includes
from ..rendering import to_html
from ..table import COUNT, FIGURE, Cell, Column, Table
from .curves import CURVES, NOT_FINITE, VALID, Training
from .drawing import MOST_LINES, Line, draw, key_of


def write_training_page(trainings: Sequence[Training], path: Path, refresh_s: int = 0) -> None:
    """Write the page. Raises DataError where it cannot be written; the old file is then untouched."""
    write_text(path, training_page(trainings, refresh_s))


def training_page(trainings: Sequence[Training], refresh_s: int = 0) -> str:
    """The HTML text.

    Args:
        refresh_s: seconds after which the page asks for itself anew; 0: never.
    """
    title = escape(", ".join(training.name for training in trainings))
    dark = "".join(f"--{name}:{value};" for name, value in read_look(DARK).items())
    style = [read_asset("look.css"), read_asset("training.css")]
    style.append(f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} color-scheme: dark; }} }}\n")
    notices = dict.fromkeys(f'<p class="notice">{escape(run.notice)}</p>' for run in trainings if run.notice)
    parts = {
        "@TITLE@": [f"Training: {title}"],
        "@NAMES@": [title],
        "@NOTICES@": [*notices, _drawn_at(trainings, refresh_s)],
        Marks.training: [training_section(trainings)],
    }
    return "".join(fill("training.html", style, with_includes("training.js"), parts))


def _drawn_at(trainings: Sequence[Training], refresh_s: int) -> str:
    """When, and when again: whoever finds the page later knows that a run may have gone on since."""
    now = f"Drawn at {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if not refresh_s:
        going = any(training.goes_on for training in trainings)
        return f'<p class="soft">{now}{"; a run may have gone on since" if going else ""}.</p>'
    return (
        f'<p class="soft" id="again" data-seconds="{refresh_s}">{now}, anew every {refresh_s} s while it runs. '
        '<button type="button" hidden>Pause</button><noscript>Load the page again to see more.</noscript></p>'
    )


def training_section(trainings: Sequence[Training], heading: str = "") -> str:
    """Progress, curves and validation, to stand on any page that has ``training.css``."""
    parts = ['<section id="training" class="training" aria-label="Training">', f"<h2>{heading}</h2>" if heading else ""]
    parts += map(_progress, range(len(trainings)), trainings)
    parts.append('<div class="curves">')
    for curve in CURVES:
        lines = [
            Line(
                training.name,
                training.points(curve.key),
                training.validation() if curve.key == "loss" else (),
                "validation loss",
            )
            for training in trainings
        ]
        dotted = "; dots: validation after each epoch" if any(line.dots for line in lines) else ""
        caption = f"{curve.title}{dotted}"
        parts.append(f"<figure>{draw(lines, curve.title)}<figcaption>{escape(caption)}</figcaption></figure>")
    parts.append("</div>")
    parts += [f'<p class="notice">{escape(remark)}</p>' for remark in remarks_on(trainings)]
    if len(trainings) > MOST_LINES:
        parts.append(
            f'<p class="notice">More than {MOST_LINES} runs: some curves look alike; point at one for its name.</p>'
        )
    table = validation_table(trainings)
    return "\n".join([*parts, to_html(table) if table.items else "", "</section>"])


def _progress(place: int, training: Training) -> str:
    whole = training.iterations
    said = [training.state(), f"iteration {training.iteration:,}" + (f" of {whole:,}" if whole else "")]
    said += [training.loss_in_words()] if training.steps else []
    left = training.remaining_s if training.goes_on else None
    said += [f"about {time_in_words(left)} left"] if left is not None else []
    name, words = escape(training.name), escape(", ".join(said))
    bar = f'<progress max="{whole}" value="{training.iteration}" aria-label="{name}"></progress>' if whole else ""
    return f'<div class="run">{key_of(place)}<b>{name}</b> {bar} <span>{words}</span></div>'


def remarks_on(trainings: Sequence[Training]) -> list[str]:
    """What curves and last values do not show: steps without a loss, runs that cannot be read any more."""
    found = []
    for training in trainings:
        if training.fault:
            found.append(f"{training.name}: {training.fault}; shown is what was read before.")
        count = training.gaps("loss")
        if count:
            steps = "step" if count == 1 else "steps"
            found.append(
                f"{training.name}: the loss of {count:,} {steps} is no finite number; left out of the curve "
                "(nonfinite.rank*.jsonl says which)."
            )
    return found


def validation_table(trainings: Sequence[Training]) -> Table:
    """Validation loss by epoch, a column a run and data set."""
    lines = {(at, line["epoch"]): line for at, training in enumerate(trainings) for line in training.epochs}
    columns = [Column("epoch", lambda epoch: epoch, COUNT)]
    for at, training in enumerate(trainings):
        keys = dict.fromkeys(key for line in training.epochs for key in line if key.startswith(VALID))
        for key in keys:
            part = key[len(VALID) + 1 :]
            name = training.name + (f", {part}" if part else "")
            columns.append(Column(name, partial(_loss, lines, at, key), FIGURE))
    epochs = sorted({epoch for _, epoch in lines}) if len(columns) > 1 else []
    return Table("Validation loss", columns, epochs)


def _loss(lines: Mapping[tuple[int, int], Mapping[str, Any]], at: int, key: str, epoch: int) -> Cell | None:
    line = lines.get((at, epoch), {})
    if key not in line:
        return None
    value = line[key]
    return Cell(reason=NOT_FINITE) if value is None else Cell(float(value), digits=4)
