"""Whether a model learns as well from batches of few images: accuracy and loss with 1, 8 and 24 questions of an image.

    python -m projects.benchmarks.learning [--data DIR]

Stage 2 with the tiny model, on the embedded default's VQA-RAD and, where DIR/vqa_rad is the release, on the real one.
All runs see equally many questions in batches of 24, from the same weights; only the order of samples differs, by
``run.questions_per_image`` and seed. Intervals are of the mean over the seeds (Student's t, 95 %), not over questions.
A run that is already in the output folder is not repeated. Writes learning.json and learning.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from pefomed_plugin.cli.arguments import existing_folder

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "projects" / "pefomed" / "stage2_vqa_rad.yaml"
BATCH = 24
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Number of seeds -> 97.5 % point of Student's t with one degree of freedom fewer."""
MEASURES = {"overall": "accuracy, %", "closed": "closed, %", "loss": "loss on the test split"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=existing_folder, help="folder that holds the release vqa_rad")
    parser.add_argument("--questions", type=int, nargs="+", default=[1, 8, 24])
    parser.add_argument("--seeds", type=int, default=5, choices=sorted(T_95))
    parser.add_argument("--passes", type=int, nargs=2, default=[2, 3], help="over the generated and the real questions")
    parser.add_argument("--out", type=Path, default=Path("output/learning"))
    given = parser.parse_args(arguments)
    data = {"generated": None, **({"real": given.data.resolve()} if given.data else {})}
    found: dict[str, Any] = {}
    for (name, folder), passes in zip(data.items(), given.passes):
        found[name] = {
            questions: [train(given.out, name, folder, questions, seed, passes) for seed in range(given.seeds)]
            for questions in given.questions
        }
        (given.out / "learning.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page = "\n\n".join(table(name, runs) for name, runs in found.items()) + "\n"
    (given.out / "learning.md").write_text(page, encoding="utf-8")
    print(page)
    return 0


def train(out: Path, name: str, data: Path | None, questions: int, seed: int, passes: int) -> dict[str, float]:
    """Accuracy and loss on the test split after one run, made or found."""
    import torch

    from pefomed_plugin import launch
    from pefomed_plugin.environment import EMBEDDED

    folder = out / name / f"{questions}-{seed}-{passes}"
    metrics = folder / "metrics.json"
    if not metrics.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        parts = {key: EMBEDDED for key in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT")}
        os.environ.update({**parts, "PEFOMED_DATA": str(data)} if data else parts)
        options = {
            "datasets.vqa_rad.batch_size": BATCH,
            "run.questions_per_image": questions,
            "run.image_cache": "features",
            "run.cache_dir": out / "cache",
            "run.iters_per_epoch": passes * questions_of(name, data) // BATCH,
            "run.valid_splits": "[test]",  # its loss is written down; there is one epoch, so nothing is chosen by it
            "run.seed": seed,
            "run.output_dir": folder,
        }
        launch.run(str(CONFIG), [f"{key}={value}" for key, value in options.items()])
    scores = json.loads(metrics.read_text(encoding="utf-8"))["results"]["vqa_rad-test"]["scores"]["exact_match/pefomed"]
    loss = torch.load(folder / "checkpoint_last.pth", weights_only=True)["pefomed"]["best"]
    return {**{part: scores[part]["value"] for part in ("open", "closed", "overall")}, "loss": loss}


def questions_of(name: str, data: Path | None) -> int:
    """Training questions of a data set."""
    from pefomed_plugin.environment import embedded_values, sample_folder
    from pefomed_plugin.launch import ensure_embedded
    from pefomed_plugin.readers import read_data

    if data is None:
        ensure_embedded(["PEFOMED_DATA"])
    folder = data or Path(embedded_values(sample_folder())["PEFOMED_DATA"])
    return len(read_data("vqa_rad", folder / "vqa_rad").splits()["train"])


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and the ends of its 95 % interval."""
    half = T_95[len(values)] * stdev(values) / len(values) ** 0.5
    return mean(values), mean(values) - half, mean(values) + half


def table(name: str, runs: Mapping[int, Sequence[Mapping[str, float]]]) -> str:
    """Markdown: a row for each number of questions, and in words which intervals overlap."""
    head = [f"{name}, questions of an image", *MEASURES.values()]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for questions, results in runs.items():
        cells = []
        for measure in MEASURES:
            middle, low, high = interval([result[measure] for result in results])
            digits = 3 if measure == "loss" else 1
            cells.append(f"{middle:.{digits}f} ({low:.{digits}f} - {high:.{digits}f})")
        lines.append(f"| {questions} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *map(str, said(runs))])


def said(runs: Mapping[int, Sequence[Mapping[str, float]]]) -> list[str]:
    """For each measure, whether the intervals of the first row and of the others overlap."""
    first, *others = runs
    sentences = []
    for measure, title in MEASURES.items():
        _, low, high = interval([result[measure] for result in runs[first]])
        for other in others:
            _, from_, to = interval([result[measure] for result in runs[other]])
            words = "overlap" if from_ <= high and low <= to else "do NOT overlap"
            sentences.append(f"{title}: the intervals of {first} and {other} {words}.")
    return sentences


if __name__ == "__main__":
    sys.exit(main())
