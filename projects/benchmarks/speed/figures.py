"""The benchmark's results as JSON, as a table and as a plot."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from projects.benchmarks.speed.sizes import REFERENCES

_FIGURES = {
    "flops": ("GFLOP a sample", 1e9),
    "kernels": ("kernels", 1),
    "kernel_ms": ("ms of kernels", 1),
    "peak_bytes": ("peak GiB", 2**30),
}
"""What does not depend on the machine's load: key -> heading, divisor."""


def write(results: Sequence[dict[str, Any]], out: Path, device: str, kept: dict[str, float] | None = None) -> None:
    """``speed.json``, ``speed.md`` and, where matplotlib is installed, ``speed.png``."""
    content = {
        "device": device,
        "machine": platform.processor() or platform.machine(),
        "tasks": list(results),
        "kept_bytes": kept,
    }
    (out / "speed.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    (out / "speed.md").write_text("\n".join(table(results, kept)) + "\n", encoding="utf-8")
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    _plot(results, out / "speed.png")


def table(results: Sequence[dict[str, Any]], kept: dict[str, float] | None = None) -> list[str]:
    """Lines of Markdown: median time, and how many times as fast as each way that others are compared with."""
    there = {way["way"] for result in results for way in result["ways"]}
    others = [name for name in REFERENCES if name in there]
    figures = [key for key in _FIGURES if any(key in way for result in results for way in result["ways"])]
    columns = ["task", "way", "median ms", "quartiles", "CPU ms", *(f"x {name}" for name in others)]
    columns += [_FIGURES[key][0] for key in figures]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for result in results:
        medians = {way["way"]: median(way["seconds"]) for way in result["ways"] if way["seconds"]}
        for way in result["ways"]:
            cells = [result["task"], way["way"]]
            if not way["seconds"]:
                lines.append(f"| {' | '.join([*cells, 'not equal: no time', *[''] * (len(columns) - 3)])} |")
                continue
            own = medians[way["way"]]
            low, _, high = quantiles(way["seconds"], n=4) if len(way["seconds"]) > 1 else [own] * 3
            cells += [f"{1e3 * own:.1f}", f"{1e3 * low:.1f} - {1e3 * high:.1f}"]
            cells.append(f"{1e3 * median(way['cpu_seconds']):.1f}")
            cells += [f"{medians[other] / own:.2f}" if other in medians else "" for other in others]
            cells += [f"{way[key] / _FIGURES[key][1]:.2f}" if key in way else "" for key in figures]
            lines.append(f"| {' | '.join(cells)} |")
    if kept:
        most = max(kept.values())
        lines += [
            "",
            "| kept for the backward pass, a token and layer of LLaMA-2-7B | bytes | x less |",
            "|---|---|---|",
        ]
        lines += [f"| {name} | {each:,.0f} | {most / each:.2f} |" for name, each in kept.items()]
    return lines


def _plot(results: Sequence[dict[str, Any]], path: Path) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(results), figsize=(3.2 * len(results), 3.4), squeeze=False)
    for place, result in zip(axes[0], results):
        timed = [way for way in result["ways"] if way["seconds"]]
        place.boxplot([[1e3 * each for each in way["seconds"]] for way in timed], showfliers=False)
        place.set_xticks(
            range(1, len(timed) + 1),
            [way["way"].replace(", ", ",\n") for way in timed],
            rotation=45,
            ha="right",
            fontsize=7,
        )
        place.set_ylim(bottom=0)
        place.set_title(result["task"], fontsize=8)
        place.set_ylabel("ms a step", fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
