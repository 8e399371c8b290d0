"""What the page shows of judges and people: every evaluation, means of runs and raters, levels, agreement. No HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...scoring.pairing import mean_of_given
from ...scoring.repeated import Runs
from ..agreement import PEOPLE, scale_of, statistics_of
from ..agreement_tables import corrected_of, together_table
from ..comparison.compare_tables import evaluation_table
from ..comparison.evaluations import Evaluations, evaluate_runs
from ..rendering import to_page
from ..results import Answered, Run
from ..table import Cell, text_of


def ratings_data(run: Run, answered: Answered) -> dict[str, Any] | None:
    """Judges and people of one test set; None where there were none."""
    if not answered.runs:
        return None
    found = next(
        iter(evaluate_runs([Run(run.name, run.folder, run.config, run.record, {answered.key: answered})])), None
    )
    return {
        "evaluations": to_page(evaluation_table(found)) if found and found.rows else None,
        "repeated": [_repeated(answered, name) for name in answered.runs],
        "levels": _levels(found),
        "agreement": _agreement(answered.agreement),
    }


def _repeated(answered: Answered, scorer: str) -> dict[str, Any]:
    """Mean of each run or rater, and of all of them with SD and interval."""
    overall, spec = answered.figures.get(scorer, {}).get("overall") or {}, answered.scorers[scorer]
    unit, factor = spec.unit, spec.factor
    digits, floor = None if unit == "%" else 2, answered.floors.get(scorer)
    return {
        "scorer": scorer,
        "word": spec.repeated,
        "unit": unit,
        "min": spec.shown_range[0],
        "max": spec.shown_range[1],
        "value": overall.get("value"),
        "floor": floor.answered.figures.get(scorer, {}).get("overall", {}).get("value") if floor else None,
        "shown": text_of(Cell(overall.get("value"), unit, sd=overall.get("sd"), digits=digits)),
        "interval": overall.get("interval"),
        "unscored": overall.get("unscored", 0),
        "runs": [[value, text_of(Cell(value, unit, digits=digits))] for value in _means(answered.runs[scorer], factor)],
        "facts": _facts({**(answered.judges.get(scorer) or {}), "cannot_judge": overall.get("cannot_judge")}),
    }


def _means(runs: Runs, factor: float) -> list[float | None]:
    return [mean_of_given(None if score.value is None else factor * score.value for score in scores) for scores in runs]


def _facts(facts: Mapping[str, Any]) -> list[str]:
    """Model and prompt of a judge, or who rated what, in a few words each."""
    shown = {
        "model": facts.get("model"),
        "answered as": ", ".join(facts.get("returned_models") or ()),
        "prompt": (facts.get("prompt") or {}).get("version"),
        "raters": ", ".join(facts.get("raters") or ()),
        "rated": facts.get("scope"),
        "cannot judge": facts.get("cannot_judge"),
        "note": facts.get("note"),
    }
    return [f"{key}: {text}" for key, text in shown.items() if text]


def _levels(found: Evaluations | None) -> list[dict[str, Any]]:
    """Shares of the levels, in percent of the rated texts."""
    levels = [column.name for column in found.columns if column.level is not None] if found else []
    if found is None or not levels:
        return []
    shares = []
    for row in found.rows:
        counts = [row.figures[level].value or 0.0 for level in levels]
        mean_level = row.figures[found.columns[-1].name].value
        if sum(counts):
            shares.append(
                {
                    "label": row.label,
                    "mean": text_of(Cell(mean_level, digits=2)),
                    "levels": levels,
                    "shares": [100 * count / sum(counts) for count in counts],
                }
            )
    return shares


def _agreement(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Pairs with their statistics, [value, low, high], and the table of counts; the rest as rows to show."""
    if not found:
        return None
    scale = scale_of(found)
    names = [*found["raters"], *([PEOPLE] if any(PEOPLE in name for name in found["pairs"]) else [])]
    pairs = {
        name: {
            "n": pair["n"],
            "table": pair["table"],
            "figures": {key: _numbers(figure) for key, figure in pair["figures"].items()},
        }
        for name, pair in found["pairs"].items()
    }
    together = together_table("Agreement of all", found)
    return {
        "names": names,
        "scale": scale,
        "pairs": pairs,
        "statistics": statistics_of(found),
        "together": to_page(together) if together.items else None,
        "corrected": list(map(to_page, corrected_of(found))),
    }


def _numbers(figure: Mapping[str, Any]) -> list[float | None]:
    values = [figure["value"], figure["interval"]["low"], figure["interval"]["high"]]
    return [None if value is None else round(value, 3) for value in values]
