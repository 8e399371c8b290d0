"""Which of two models raters preferred: win rates with intervals over items, ties counted in two ways, agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

from ..rubrics import CANNOT_JUDGE
from ..scoring.agreement import agree_pair
from ..scoring.intervals import cluster_interval
from ..scoring.pairing import mean
from ..services.rating.preferences import SAME, TIE, Preference
from .rater_pairs import pairs_of_raters
from .table import COUNT, FIGURE, Column, Table, figure_cell, without_interval

ALL = "all raters"


def win_rates(models: Sequence[str], preferences: Sequence[Preference]) -> dict[str, Any]:
    """Counts, and how often the first model won against the second, of all raters together and of each.

    An item weighs the same however many raters saw it: its value is their mean of 1 for the first model, 0 for the
    second and, in ``ties_half``, 0.5 for a tie. Items with the same answers are ties, of all raters alike. Intervals:
    95 % percentile bootstrap over studies or images.
    """
    same = [each for each in preferences if each.rater is None]
    raters = list(dict.fromkeys(each.rater for each in preferences if each.rater is not None))
    rows = {ALL: preferences} if len(raters) != 1 else {}
    rows.update({rater: [*same, *(each for each in preferences if each.rater == rater)] for rater in raters})
    return {
        "models": list(models),
        "same": len(same),
        "rates": {name: _rates(models[0], models[1], chosen) for name, chosen in rows.items()},
        "pairs": _pairs(models, preferences, raters),
    }


def _rates(first: str, second: str, preferences: Sequence[Preference]) -> dict[str, Any]:
    votes = [each for each in preferences if each.preferred is not None]
    asked = [each for each in votes if each.rater is not None]
    return {
        "items": len({each.sample_id for each in votes}),
        "wins": sum(each.preferred == first for each in asked),
        "ties": sum(each.preferred == TIE for each in asked),
        "same": sum(each.reason == SAME for each in votes),
        "losses": sum(each.preferred == second for each in asked),
        "cannot_judge": sum(each.reason == CANNOT_JUDGE for each in preferences),
        "first_shown_won": sum(each.preferred == each.first for each in asked),
        "ties_half": _rate(votes, {first: 1.0, TIE: 0.5, second: 0.0}),
        "ties_left_out": _rate([each for each in votes if each.preferred != TIE], {first: 1.0, second: 0.0}),
    }


def _rate(votes: Sequence[Preference], worth: Mapping[str, float]) -> dict[str, Any]:
    """In percent, with the number of items."""
    by_item: dict[str, list[float]] = {}
    clusters: dict[str, int] = {}
    for vote in votes:
        by_item.setdefault(vote.sample_id, []).append(100 * worth[str(vote.preferred)])
        clusters[vote.sample_id] = vote.cluster
    if not by_item:
        return {"n": 0, "value": None, "reason": "no verdict is left"}
    values = [mean(of_item) for of_item in by_item.values()]
    interval = cluster_interval(values, [clusters[sample_id] for sample_id in by_item])
    return {"n": len(values), "value": mean(values), "unit": "%", "interval": asdict(interval)}


def _pairs(models: Sequence[str], preferences: Sequence[Preference], raters: Sequence[str]) -> dict[str, Any]:
    """Agreement of raters on which model is better, over what both were shown."""
    place = {models[0]: 2.0, TIE: 1.0, models[1]: 0.0, None: None}
    clusters = {each.sample_id: each.cluster for each in preferences if each.rater is not None}
    said = {(each.rater, each.sample_id): place[each.preferred] for each in preferences if each.rater is not None}
    values = {rater: [said.get((rater, sample_id)) for sample_id in clusters] for rater in raters}
    return {
        f"{one} ~ {other}": asdict(agree_pair(values[one], values[other], (0.0, 1.0, 2.0), list(clusters.values())))
        for one, other in combinations(raters, 2)
    }


def preference_parts(found: Mapping[str, Any]) -> list[Any]:
    """What is printed: the table, how it is counted, and the pairs of raters."""
    first, second = found["models"]
    rows = [{"name": name, **rates} for name, rates in found["rates"].items()]
    table = Table(
        f"{first} against {second}",
        [
            Column("", lambda row: row["name"]),
            Column("items", lambda row: row["items"], COUNT),
            Column(f"{first} better", lambda row: row["wins"], COUNT),
            Column("ties", lambda row: row["ties"], COUNT),
            Column("same", lambda row: row["same"], COUNT),
            Column(f"{second} better", lambda row: row["losses"], COUNT),
            Column(CANNOT_JUDGE, lambda row: row["cannot_judge"], COUNT),
        ],
        rows,
    )
    rates = Table(
        f"How often {first} wins",
        [
            Column("", lambda row: row["name"]),
            Column("ties as half", lambda row: figure_cell(row["ties_half"], digits=1), FIGURE, unit="%"),
            Column("ties left out", lambda row: figure_cell(row["ties_left_out"], digits=1), FIGURE, unit="%"),
            Column("items without tie", lambda row: row["ties_left_out"]["n"], COUNT),
        ],
        rows,
        notes=[
            "In square brackets: 95 % intervals over studies or images. 50 %: neither is preferred.",
            *without_interval(
                (f"{title} of {row['name']}", row[name])
                for row in rows
                for name, title in (("ties_half", "ties as half"), ("ties_left_out", "ties left out"))
            ),
        ],
    )
    parts: list[Any] = [table, rates]
    if found["same"]:
        parts.append(
            f"{found['same']:,} item(s) with the same answer from both were not shown: they are ties in the column "
            '"same" and in "ties as half", and are left out with the ties.'
        )
    every = next(iter(found["rates"].values()), None)
    if every and every["wins"] + every["losses"]:
        decided = every["wins"] + every["losses"]
        parts.append(f"The answer shown first was preferred in {every['first_shown_won']:,} of {decided:,} decisions.")
    if found["pairs"]:
        parts.append(pairs_of_raters(found["pairs"]))
    return parts
