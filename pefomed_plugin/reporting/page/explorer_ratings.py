"""What the page shows of judges and people: every evaluation, means of runs and raters, levels, agreement. No HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...scoring.pairing import mean
from ...scoring.repeated import Runs
from ..agreement import PEOPLE, brief_agreement, scale_of
from ..comparison.compare_tables import evaluation_cells, evaluations_header, evaluations_title
from ..comparison.evaluations import Evaluations, evaluate_runs
from ..results import Answered, Run


def ratings_data(run: Run, answered: Answered) -> dict[str, Any] | None:
    """Judges and people of one test set; None where there were none."""
    if not answered.runs:
        return None
    found = next(
        iter(evaluate_runs([Run(run.name, run.folder, run.config, run.embedded, {answered.key: answered})])), None
    )
    return {
        "evaluations": _table(found),
        "repeated": [_repeated(answered, name) for name in answered.runs],
        "levels": _levels(found),
        "agreement": _agreement(answered.agreement),
    }


def _table(found: Evaluations | None) -> dict[str, Any] | None:
    if found is None or not found.rows:
        return None
    return {
        "title": evaluations_title(found),
        "header": evaluations_header(found),
        "rows": [evaluation_cells(row, found) for row in found.rows],
    }


def _repeated(answered: Answered, scorer: str) -> dict[str, Any]:
    """Mean of each run or rater, and of all of them with SD and interval."""
    overall, spec = answered.figures.get(scorer, {}).get("overall") or {}, answered.scorers[scorer]
    unit, factor = spec.unit, spec.factor
    sd = "" if overall.get("sd") is None else " \u00b1 {:.{d}f}".format(overall["sd"], d=1 if unit else 2)
    return {
        "scorer": scorer,
        "word": spec.repeated,
        "unit": unit,
        "min": spec.shown_range[0],
        "max": spec.shown_range[1],
        "value": overall.get("value"),
        "shown": _shown(overall.get("value"), unit) + sd,
        "interval": overall.get("interval"),
        "unscored": overall.get("unscored", 0),
        "runs": [[each, _shown(each, unit)] for each in _means(answered.runs[scorer], factor)],
        "facts": _facts(answered.judges.get(scorer) or {}),
    }


def _shown(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.1f} %" if unit else f"{value:.2f}"


def _means(runs: Runs, factor: float) -> list[float | None]:
    values = [[factor * score.value for score in scores if score.value is not None] for scores in runs]
    return [mean(value) if value else None for value in values]


def _facts(facts: Mapping[str, Any]) -> list[str]:
    """Model and prompt of a judge, or who rated what, in a few words each."""
    shown = {
        "model": facts.get("model"),
        "answered as": ", ".join(facts.get("returned_models") or ()),
        "prompt": (facts.get("prompt") or {}).get("version"),
        "raters": ", ".join(facts.get("raters") or ()),
        "rated": facts.get("scope"),
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
                    "mean": "-" if mean_level is None else f"{mean_level:.2f}",
                    "levels": levels,
                    "shares": [100 * count / sum(counts) for count in counts],
                }
            )
    return shares


def _agreement(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Pairs with their statistics, [value, low, high], and the table of counts; the rest as rows to show."""
    if not found:
        return None
    header, rows = brief_agreement(found)
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
    statistics: Sequence[str] = ["kappa", "kappa_linear", "kappa_quadratic", "kendall_tau_b", "spearman"]
    if len(scale) == 2:  # on two values the three kappas are one
        statistics = ["kappa", "kendall_tau_b", "spearman"]
    rest = [row[:3] for row in rows if row[0] not in pairs]
    return {
        "names": names,
        "scale": scale,
        "pairs": pairs,
        "statistics": statistics,
        "header": header[:2],
        "rest": rest,
    }


def _numbers(figure: Mapping[str, Any]) -> list[float | None]:
    values = [figure["value"], figure["interval"]["low"], figure["interval"]["high"]]
    return [None if value is None else round(value, 3) for value in values]
