"""What tables and pages must know of a scorer by its name: its unit, its range, its place in the paper."""

from __future__ import annotations

from .comparison.paper_figures import EXACT_MATCH, GPT4_JUDGE, HUMAN, human_measure

REPORT_METRICS = ("meteor", "rouge_l", "cider")
"""Columns of table 10."""


def family_of(scorer: str) -> str:
    """``exact_match`` of ``exact_match/pefomed``."""
    return scorer.split("/", maxsplit=1)[0]


def is_repeated(scorer: str) -> bool:
    """Whether it is a judge that was asked several times, or several people."""
    return family_of(scorer) in ("judge", "human")


def is_percent(scorer: str) -> bool:
    """Whether verdicts are right or wrong: their means are shown in percent, as in the paper."""
    return family_of(scorer) == "exact_match" or _rates(scorer, "vqa")


def is_levels(scorer: str) -> bool:
    """Whether verdicts are the five levels of report ratings, whose mean is WASM."""
    return family_of(scorer) == "wasm" or _rates(scorer, "report")


def greatest_score(scorer: str) -> float:
    """Upper end of a scorer's range; the lower one is 0."""
    return 10.0 if scorer.endswith("/cider") else 4.0 if is_levels(scorer) else 1.0


def paper_measure(scorer: str, column: str) -> str | None:
    """Name under which the paper has this column (``PaperFigure.measure``); None for what it did not measure."""
    is_gpt4 = scorer.rsplit("/", 1)[-1].startswith("gpt-4")
    if scorer == "exact_match/pefomed":
        return EXACT_MATCH
    if _rates(scorer, "vqa"):
        return HUMAN if family_of(scorer) == "human" else GPT4_JUDGE if is_gpt4 else None
    if family_of(scorer) == "human":
        return human_measure(column)
    if is_levels(scorer):
        return column if is_gpt4 or family_of(scorer) == "wasm" else None
    return column if scorer in ("lexical/coco", "lexical/pefomed") else None


def _rates(scorer: str, kind: str) -> bool:
    return is_repeated(scorer) and scorer.split("/")[1:2] == [kind]
