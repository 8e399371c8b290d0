"""What a run comes to, as the panel at its end: what was done, with which data and model, figures, where files are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.compose import Configuration
from ..origins import TINY, Origins
from ..scoring.metrics_file import PREDICTIONS
from .durations import time_in_words
from .figures import FIGURE_COLUMNS, Figure, figures_with_floors
from .rendering import Panel
from .table import Table

_FIRST = 2
"""Figures of a scorer that has no overall one: of those with an interval, where there are such."""


def summary_panel(
    configuration: Configuration,
    origins: Origins,
    metrics: Mapping[str, Mapping[str, Any]],
    folder: Path,
    seconds: float,
    notice: str = "",
) -> Panel:
    """The panel of a run that has ended.

    Args:
        metrics: of each test set, as ``metrics.json`` has them; empty where nothing was answered.
        folder: the run's own.
        notice: what says that data or model are generated, or nothing.
    """
    run, model = configuration.run, configuration.model
    trained = "" if run.evaluate else f"trained {run.max_epoch} epoch(s)"
    answered = f"answered {sum(found['n'] for found in metrics.values()):,} of {', '.join(metrics)}" if metrics else ""
    done = ", then ".join(part for part in (trained, answered) if part) or "nothing answered"
    data = [f"{name} ({origins.data[name]})" if name in origins.data else name for name in configuration.datasets]
    llama = Path(str(model.llama_model)).name if model.llama_model else "none"
    kind = "the tiny model" if origins.model == TINY else llama
    start = f", from {model.ckpt}" if model.ckpt else ""
    groups = [
        ("what", [f"{done}, in {time_in_words(seconds)}"]),
        ("data", [", ".join(data)]),
        ("model", [kind + start]),
        ("figures", _figure_lines(metrics)),
        ("files", _files(folder, metrics)),
        ("beware", [notice] if notice else []),
    ]
    rows = [(name if number == 0 else "", line) for name, lines in groups for number, line in enumerate(lines)]
    return Panel("the run", rows)


def _figure_lines(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The overall figure of each scorer of each test set, with its interval."""
    figures = figures_with_floors(metrics)
    chosen: list[Figure] = []
    for test_set, scorer in dict.fromkeys((figure.test_set, figure.scorer) for figure in figures):
        own = [figure for figure in figures if (figure.test_set, figure.scorer) == (test_set, scorer)]
        sure = [figure for figure in own if figure.data.get("interval")]
        chosen += [figure for figure in own if figure.group == "overall"] or (sure or own)[:_FIRST]
    texts = Table("", FIGURE_COLUMNS, chosen).texts()
    return [
        f"{figure.test_set}: {score} {value}{f', 95 %: {interval}' if interval else ''}"
        for figure, (score, _, value, interval) in zip(chosen, texts)
    ]


def _files(folder: Path, metrics: Mapping[str, Any]) -> list[str]:
    """The folder, and what of it is looked for first."""
    wanted = ["checkpoint_best.pth", "checkpoint_last.pth", "log.jsonl", "README.md"]
    wanted += [f"results/{name}/{PREDICTIONS}" for name in metrics]
    return [str(folder), *(f"  {name}" for name in wanted if (folder / name).is_file())]
