"""What the variants of LoRA learn: accuracy, loss, trainable parameters and CPU seconds, with intervals over seeds.

    python -m projects.benchmarks.peft_variants [--data DIR]

Stage 2 with the tiny model, on the embedded default's VQA-RAD and, where DIR/vqa_rad is the release, on the real one.
All runs see the same questions in the same order (by seed), with one learning rate, rank and alpha for all: nothing is
tuned for any variant. Projection and adapters begin untrained, by seed. Intervals are of the mean over the seeds
(Student's t, 95 %), not over questions. A run that is already in the output folder is not repeated. Writes
peft_variants.json and peft_variants.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pefomed_plugin.cli.arguments import existing_folder
from projects.benchmarks.learning import CONFIG, T_95, interval

BATCH, TOGETHER = 24, 8
WARM_UP = 10_000
"""Seed of a run before the others, which counts for nothing."""
VARIANTS: dict[str, dict[str, Any]] = {
    "LoRA": {},
    "rsLoRA": {"peft.use_rslora": "true"},
    "DoRA": {"peft.use_dora": "true"},
    "PiSSA": {"peft.init_lora_weights": "pissa"},
    "OLoRA": {"peft.init_lora_weights": "olora"},
    "LoRA+ (ratio 16)": {"peft.lora_plus_ratio": 16},
    "LoRA, all-linear": {"lora_target_modules": "all-linear"},
    "LoRA, norms whole": {"peft.modules_to_save": "[norm]"},
}
MEASURES = {"overall": ("accuracy, %", 1), "closed": ("closed, %", 1), "loss": ("loss on the test split", 3)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=existing_folder, help="folder that holds the release vqa_rad")
    parser.add_argument("--seeds", type=int, default=5, choices=sorted(T_95))
    parser.add_argument("--iterations", type=int, default=300, help=f"of {BATCH} questions, on either data set")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("output/peft_variants"))
    given = parser.parse_args(arguments)
    data = {"generated": None, **({"real": given.data.resolve()} if given.data else {})}
    found: dict[str, Any] = {name: {variant: [] for variant in given.variants} for name in data}
    for name, folder in data.items():
        train(given.out, name, folder, "LoRA", WARM_UP, 1)  # makes the features of the images
        for seed in range(given.seeds):  # variants in turn, so that what else the machine does meets all of them
            for variant in given.variants:
                found[name][variant].append(train(given.out, name, folder, variant, seed, given.iterations))
        (given.out / "peft_variants.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page = "\n\n".join(table(name, runs) for name, runs in found.items()) + "\n"
    (given.out / "peft_variants.md").write_text(page, encoding="utf-8")
    print(page)
    return 0


def train(out: Path, name: str, data: Path | None, variant: str, seed: int, iterations: int) -> dict[str, float]:
    """What one run found and took, made or read."""
    folder = out / name / f"{''.join(filter(str.isalnum, variant))}-{seed}-{iterations}"
    taken = folder / "taken.json"
    if not taken.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        taken.write_text(json.dumps(_run(folder, out, name, data, variant, seed, iterations)) + "\n", encoding="utf-8")
    read: dict[str, float] = json.loads(taken.read_text(encoding="utf-8"))
    return read


def _run(
    folder: Path, out: Path, name: str, data: Path | None, variant: str, seed: int, iterations: int
) -> dict[str, float]:
    import torch

    from pefomed_plugin import launch
    from pefomed_plugin.environment import EMBEDDED

    parts = {key: EMBEDDED for key in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT")}
    os.environ.update({**parts, "PEFOMED_DATA": str(data)} if data else parts)
    options = {
        "model.ckpt": "null",
        "model.lora_r": 16,
        "model.lora_alpha": 16,
        **{f"model.{key}": value for key, value in VARIANTS[variant].items()},
        "datasets.vqa_rad.batch_size": BATCH,
        "run.questions_per_image": TOGETHER,
        "run.image_cache": "features",
        "run.cache_dir": out / "cache",
        "run.iters_per_epoch": iterations,
        "run.valid_splits": "[test]",  # its loss is written down; there is one epoch, so nothing is chosen by it
        "run.seed": seed,
        "run.output_dir": folder,
    }
    began = time.process_time()
    launch.run(str(CONFIG), [f"{key}={value}" for key, value in options.items()])
    seconds = time.process_time() - began
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    scores = metrics["results"]["vqa_rad-test"]["scores"]["exact_match/pefomed"]
    content = torch.load(folder / "checkpoint_last.pth", weights_only=True)
    trained = sum(tensor.numel() for key, tensor in content["model"].items() if ".lora_initial_" not in key)
    return {
        **{part: scores[part]["value"] for part in ("open", "closed", "overall")},
        "loss": content["pefomed"]["best"],
        "parameters": trained,
        "cpu_seconds": seconds,
    }


def table(name: str, runs: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Markdown: a row for each variant; seconds are medians, as their ratios to those of LoRA with the same seed."""
    head = [name, *(title for title, _ in MEASURES.values()), "trained parameters", "CPU seconds", "times LoRA's"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    first = next(iter(runs.values()))
    for variant, results in runs.items():
        cells = []
        for measure, (_, digits) in MEASURES.items():
            middle, low, high = interval([result[measure] for result in results])
            cells.append(f"{middle:.{digits}f} ({low:.{digits}f} - {high:.{digits}f})")
        ratios = [result["cpu_seconds"] / other["cpu_seconds"] for result, other in zip(results, first)]
        cells.append(f"{results[0]['parameters']:,}")
        cells.append(f"{median(result['cpu_seconds'] for result in results):.1f}")
        lines.append(f"| {variant} | {' | '.join(cells)} | {median(ratios):.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
