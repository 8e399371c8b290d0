"""Rates of the ways to load, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

TARGETS = {"pixels": 15.0, "features": 20.0}
"""Way -> times as fast as the checkout, at least."""


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """First quartile, median and third quartile; of one value that value."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4)
    return low, middle, high


def ratios(seconds: Mapping[str, Sequence[float]], reference: str) -> dict[str, float]:
    """Way -> median over the rounds of how many times as fast as ``reference`` it was in the same round."""
    return {
        way: median(other / own for other, own in zip(seconds[reference], second)) for way, second in seconds.items()
    }


def table(results: Mapping[str, Any]) -> list[str]:
    """Lines of Markdown."""
    seconds, count = results["seconds"], results["photographs"]
    references = [each for each in ("checkout", "plain") if each in seconds]
    factors = {reference: ratios(seconds, reference) for reference in references}
    lines = [
        "{}, {} pixels, batches of {}, {}, {} rounds:".format(
            results["what"],
            results["image_size"],
            results["batch_size"],
            f"{results['workers']} workers" if results["workers"] else "one thread",
            len(next(iter(seconds.values()))),
        ),
        "",
        f"| way | images/s | quartiles | {' | '.join('x ' + reference for reference in references)} | largest "
        "difference |",
        f"|---|---:|---:|{'---:|' * len(references)}---:|",
    ]
    for way, second in seconds.items():
        low, middle, high = quartiles([count / taken for taken in second])
        difference = results["differences"].get(way)
        lines.append(
            "| {} | {:,.0f} | {:,.0f} - {:,.0f} | {} | {} |".format(
                way,
                middle,
                low,
                high,
                " | ".join(f"{factors[other][way]:.1f}" for other in references),
                "" if difference is None else f"{difference:.1g}",
            )
        )
    return lines


def missed(results: Mapping[str, Any]) -> list[str]:
    """A line for each target that is not reached; there are none without a checkout, or with workers."""
    if "checkout" not in results["seconds"] or results["workers"]:
        return []
    found = ratios(results["seconds"], "checkout")
    return [
        f"{way}: {found[way]:.1f} times the checkout, {least:.0f} wanted"
        for way, least in TARGETS.items()
        if found[way] < least
    ]


def write(results: Mapping[str, Any], out: Path) -> None:
    """``data_path.json`` and ``data_path.md``."""
    (out / "data_path.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    (out / "data_path.md").write_text("\n".join(table(results)) + "\n", encoding="utf-8")
