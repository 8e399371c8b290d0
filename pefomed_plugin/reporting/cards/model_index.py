"""``model-index`` of a model card: what was measured, as the Hugging Face hub reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...origins import GENERATED, read_origins
from ...readers import describe
from ..figures import Figure, figures_with_floors
from .model_facts import ModelFacts


def model_index(facts: ModelFacts) -> list[dict[str, Any]]:
    """One model with a result for each test set; empty where nothing was measured.

    A figure that has no value is left out: the hub shows numbers only. Generated data are named so in the data set's
    name, because the hub shows that and not the card around it.
    """
    found: dict[str, list[Figure]] = {}
    for figure in figures_with_floors(facts.figures):
        if figure.data.get("value") is not None:
            found.setdefault(figure.test_set, []).append(figure)
    results = [_result(facts, test_set, figures) for test_set, figures in found.items()]
    return [{"name": facts.name, "results": results}] if results else []


def _result(facts: ModelFacts, test_set: str, figures: list[Figure]) -> dict[str, Any]:
    name, _, split = test_set.rpartition("-")
    generated = GENERATED in (read_origins(facts.figures[test_set]).data.get(name), facts.origins.data.get(name))
    return {
        "task": {"type": describe(name).hub_task},
        "dataset": {
            "name": describe(name).title + (" (generated, not the release)" if generated else ""),
            "type": name,
            "split": split,
        },
        "metrics": [_metric(figure) for figure in figures],
    }


def _metric(figure: Figure) -> dict[str, Any]:
    ends: Mapping[str, Any] = figure.data.get("interval") or {}
    said = [f"n = {figure.data['n']:,}"] if figure.data.get("n") is not None else []
    if ends.get("low") is not None:
        said.append(f"95 % interval {ends['low']:.3g} to {ends['high']:.3g}")
    if figure.floor and figure.floor.get("value") is not None:
        said.append(f"without looking {figure.floor['value']:.3g}")
    unit = f", {figure.data['unit']}" if figure.data.get("unit") else ""
    return {
        "type": figure.scorer,
        "name": f"{figure.scorer} {figure.group}{unit} ({'; '.join(said)})"
        if said
        else f"{figure.scorer} {figure.group}",
        "value": round(float(figure.data["value"]), 4),
    }
