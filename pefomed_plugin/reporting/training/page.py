"""The page of one or several trainings: one HTML file that needs no script and no network, and asks for itself anew
while a run is under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from ...storage import write_text
from ..durations import time_in_words
from ..look import DARK, LOOK, read_look
from ..rendering import to_html
from ..table import COUNT, FIGURE, Cell, Column, Table
from .curves import CURVES, VALID, Training
from .drawing import SERIES, Line, draw

STYLE = Path(__file__).resolve().parents[1] / "assets" / "training.css"


def write_training_page(trainings: Sequence[Training], path: Path, refresh_s: int = 0) -> None:
    """Write the page. Raises DataError where it cannot be written; the old file is then untouched."""
    write_text(path, training_page(trainings, refresh_s))


def training_page(trainings: Sequence[Training], refresh_s: int = 0) -> str:
    """The HTML text.

    Args:
        refresh_s: seconds after which a browser asks for it anew; 0: never, all runs are done.
    """
    again = f'<meta http-equiv="refresh" content="{refresh_s}">' if refresh_s else ""
    title = ", ".join(training.name for training in trainings)
    dark = "".join(f"--{name}:{value};" for name, value in read_look(DARK).items())
    style = LOOK.read_text(encoding="utf-8") + STYLE.read_text(encoding="utf-8")
    style += f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} color-scheme: dark; }} }}\n"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1">' + again,
            f"<title>Training: {escape(title)}</title>\n<style>\n{style}</style>\n</head>",
            '<body class="training-page">\n<main>',
            f"<h1>{escape(title)}</h1>",
            *dict.fromkeys(f'<p class="notice">{escape(run.notice)}</p>' for run in trainings if run.notice),
            f'<p class="soft">Drawn anew every {refresh_s} s while it runs.</p>' if refresh_s else "",
            training_section(trainings),
            "</main>\n</body>\n</html>\n",
        ]
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
        parts.append(
            f"<figure>{draw(lines, curve.title, curve.unit)}<figcaption>{escape(caption)}</figcaption></figure>"
        )
    parts.append("</div>")
    gaps = [(training, training.gaps("loss")) for training in trainings]
    parts += [
        f'<p class="notice">{escape(training.name)}: the loss of {count:,} steps is no finite number; they were left '
        "out (nonfinite.rank*.jsonl says which).</p>"
        for training, count in gaps
        if count
    ]
    table = validation_table(trainings)
    return "\n".join([*parts, to_html(table) if table.items else "", "</section>"])


def _progress(place: int, training: Training) -> str:
    whole = training.iterations
    said = [training.state(), f"iteration {training.iteration:,}" + (f" of {whole:,}" if whole else "")]
    if training.steps and training.steps[-1].get("loss") is not None:
        said.append(f"loss {training.steps[-1]['loss']:.4f}")
    left = None if training.is_done else training.remaining_s
    said += [f"about {time_in_words(left)} left"] if left is not None else []
    bar = f'<progress max="{whole}" value="{training.iteration}"></progress>' if whole else ""
    key = f'<span class="key s{place % SERIES}{" again" if place >= SERIES else ""}"></span>'
    return f'<div class="run">{key}<b>{escape(training.name)}</b> {bar} <span>{escape(", ".join(said))}</span></div>'


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
    value = lines.get((at, epoch), {}).get(key)
    return None if value is None else Cell(float(value), digits=4)
