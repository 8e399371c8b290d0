"""What a second view brings: one film, two films, and two of which the second is another patient's.

    python -m projects.embedded.two_views [--seeds 5]

On generated chest studies of which a lateral film decides some questions and the frontal film others, with the tiny
model: a run of each kind and seed, from the same weights. The third row is the model of the second, asked with
``run.images=further_shuffled``. Intervals are of the mean over the seeds (Student's t, 95 %), not over questions. A run
that is already in the output folder is not repeated. Writes two_views.json and two_views.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

from projects.benchmarks.learning import T_95, interval

CONFIG = Path(__file__).resolve().parent / "two_views.yaml"
ROWS = {
    "one": ("frontal alone", {"datasets.medical_custom.options.views": "first"}),
    "two": ("frontal and lateral", {}),
    "shuffled": ("frontal, and another patient's lateral", {"run.images": "further_shuffled"}),
}
SCORES = "scores/exact_match-pefomed.jsonl"
COLUMNS = {
    "lateral": "the lateral decides",
    "frontal": "the frontal decides",
    "both": "either decides",
    "overall": "all",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, choices=sorted(T_95))
    parser.add_argument("--out", type=Path, default=Path("output/two_views"))
    given = parser.parse_args(arguments)
    make_studies(given.out / "studies")
    found = {row: [measure(given.out, row, seed) for seed in range(given.seeds)] for row in ROWS}
    (given.out / "two_views.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page = table(found)
    (given.out / "two_views.md").write_text(page + "\n", encoding="utf-8")
    print(page)
    return 0


def make_studies(folder: Path) -> None:
    """The studies, once."""
    from pefomed_plugin.embedded.studies import write_studies
    from pefomed_plugin.origins import is_generated, mark_generated

    if not is_generated(folder):
        shutil.rmtree(folder, ignore_errors=True)
        write_studies(folder, Random("0 studies"))
        mark_generated(folder, {"part": "studies", "seed": 0})


def measure(out: Path, row: str, seed: int) -> dict[str, float]:
    """Accuracies of a run that is made or found."""
    from pefomed_plugin import launch
    from pefomed_plugin.environment import EMBEDDED

    folder = out / f"{row}-{seed}"
    metrics = folder / "metrics.json"
    if not metrics.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.update({key: EMBEDDED for key in ("PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT")})
        options: dict[str, Any] = {
            "datasets.medical_custom.build_info.storage": out / "studies",
            "run.cache_dir": out / "cache",
            "run.seed": seed,
            "run.output_dir": folder,
            **ROWS[row][1],
        }
        if row == "shuffled":
            options.update({"run.evaluate": "true", "model.ckpt": out / f"two-{seed}" / "checkpoint_last.pth"})
        launch.run(str(CONFIG), [f"{key}={value}" for key, value in options.items()])
    return accuracies(folder / "results" / "medical_custom-test")


def accuracies(results: Path) -> dict[str, float]:
    """Per cent right, by what decides the question."""
    from pefomed_plugin.scoring.files import read_scores
    from pefomed_plugin.storage import read_predictions

    right = {score.sample_id: score.value or 0.0 for score in read_scores(results / SCORES)}
    predictions = read_predictions(results / "predictions.jsonl")
    groups = {
        column: [right[each.id] for each in predictions if column in ("overall", each.question_type)]
        for column in COLUMNS
    }
    return {column: 100 * mean(values) for column, values in groups.items()}


def table(found: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Markdown: a row for each kind of run."""
    lines = [f"| shown | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row, results in found.items():
        cells = []
        for column in COLUMNS:
            middle, low, high = interval([result[column] for result in results])
            cells.append(f"{middle:.1f} ({max(low, 0):.1f} - {min(high, 100):.1f})")
        lines.append(f"| {ROWS[row][0]} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
