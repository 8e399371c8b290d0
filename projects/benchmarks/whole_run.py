"""A whole stage-2 run on real VQA-RAD, seconds from the command to the last checkpoint, on both toolkits.

    MINIGPT4_HOME=... MINIGPT4_PYTHON=... python -m projects.benchmarks.whole_run --data DIR

The questions of a few training images, few or many a image as in the whole split; weights of the benchmark's size P,
texts as long as a real tokenizer makes them, float32, one thread. Upstream leaves out a last batch that is not full, so
only whole batches of questions are given to all. The checkout makes a step of 24 as the recipe's four processes do, of
batches of 6 (at 448 pixels 24 at once take it 20 GB). The ways take turns. Needs the release in DIR/vqa_rad
(trainset.json, testset.json and images).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pefomed_plugin.cli.arguments import existing_folder
from projects.benchmarks.speed.inputs import write_inputs
from projects.benchmarks.speed.sizes import SIZES
from projects.benchmarks.text_lengths import write_tokenizer

ROOT = Path(__file__).resolve().parents[2]
WAYS: dict[str, list[str]] = {
    "checkout": ["run.runner=runner_base"],  # upstream's own loop
    "plain": ["model.decoder=plain"],
    "packed": [],
    "packed, cached": ["run.image_cache=features"],
    "shared, cached": ["run.questions_per_image=auto", "run.image_cache=features"],
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=existing_folder, required=True)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=24, help="the recipe's step: four processes of 6")
    parser.add_argument("--checkout-batch-size", type=int, default=6, help="the step's gradients are accumulated")
    parser.add_argument("--image-size", type=int, default=SIZES["P"].image)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--ways", nargs="+", choices=[*WAYS], default=[*WAYS])
    parser.add_argument("--out", type=Path, default=Path("output/whole_run"))
    given = parser.parse_args(arguments)
    if given.batch_size % given.checkout_batch_size:
        parser.error("--batch-size is no multiple of --checkout-batch-size")
    write_inputs(given.out / "inputs" / "P", "P")
    write_tokenizer(given.data / "vqa_rad", given.out / "inputs" / "P" / "llama")
    counts = copy_slice(given.data / "vqa_rad", given.out / "data" / "vqa_rad", given.images, given.batch_size)
    has_checkout = bool(os.environ.get("MINIGPT4_HOME") and os.environ.get("MINIGPT4_PYTHON"))
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in given.ways if way != "checkout" or has_checkout}
    for _ in range(given.rounds):
        for way, runs in taken.items():
            runs.append(run(way, given))
            (given.out / "whole_run.json").write_text(
                json.dumps({"questions": counts, "batch": given.batch_size, "wall and CPU seconds": taken}),
                encoding="utf-8",
            )
    print(
        f"{sum(counts)} questions of {len(counts)} images ({', '.join(map(str, counts))}), {given.epochs} epochs, "
        f"batch {given.batch_size}, {given.image_size} pixels"
    )
    first = next(iter(taken.values()))
    for way, runs in taken.items():
        wall, cpu = (median(seconds) for seconds in zip(*runs))
        ratios = [median(one[kind] / own[kind] for one, own in zip(first, runs)) for kind in (0, 1)]
        print(f"{way:<16} {wall:7.1f} s  x {ratios[0]:.2f}    CPU {cpu:7.1f} s  x {ratios[1]:.2f}")
    return 0


def copy_slice(release: Path, out: Path, images: int, batch_size: int) -> list[int]:
    """Whole batches of training questions as a release of its own; how many there are of each image.

    The images stand at equal distances in the list of all, sorted by their number of questions.
    """
    shutil.rmtree(out, ignore_errors=True)
    (out / "images").mkdir(parents=True)
    rows = json.loads((release / "trainset.json").read_text(encoding="utf-8"))
    counts = Counter(row["image_name"] for row in rows)
    by_count = sorted(counts, key=lambda name: (counts[name], name))
    names = {by_count[(2 * number + 1) * len(by_count) // (2 * images)] for number in range(images)}
    chosen = [row for row in rows if row["image_name"] in names]
    if len(chosen) < batch_size:
        raise SystemExit(f"{images} images have {len(chosen)} questions, fewer than a batch; set --images higher")
    chosen = chosen[: len(chosen) // batch_size * batch_size]
    (out / "trainset.json").write_text(json.dumps(chosen), encoding="utf-8")
    tests = [row for row in json.loads((release / "testset.json").read_text(encoding="utf-8"))][:1]
    (out / "testset.json").write_text(json.dumps(tests), encoding="utf-8")
    for name in {*names, *(row["image_name"] for row in tests)}:
        shutil.copy(next(release.rglob(name)), out / "images" / name)
    return sorted(Counter(row["image_name"] for row in chosen).values())


def run(way: str, given: argparse.Namespace) -> tuple[float, float]:
    """Wall and CPU seconds of one training run in its own process, all included; each begins without a cache."""
    size, folder = SIZES["P"], given.out / way.replace(", ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    inputs, of_checkout = given.out / "inputs" / "P", way == "checkout"
    options = [
        f"model.image_size={given.image_size}",
        f"model.lora_r={size.lora_r}",
        "model.lora_dropout=0.0",
        *(f"model.vit.{key}={value}" for key, value in size.vit.items()),
        f"datasets.vqa_rad.batch_size={given.checkout_batch_size if of_checkout else given.batch_size}",
        f"run.max_epoch={given.epochs}",
        "run.num_workers=0",
        "run.test_splits=[]",
        f"run.output_dir={folder}",
        *WAYS[way],
    ]
    if of_checkout:
        options.append(f"run.accum_grad_iters={given.batch_size // given.checkout_batch_size}")
    else:
        options.append(f"run.cache_dir={folder / 'cache'}")
    environ: dict[str, Any] = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "PEFOMED_TOOLKIT": "minigpt4" if of_checkout else "bundled",
        "PEFOMED_DATA": str(given.out / "data"),
        "PEFOMED_LLAMA": str(inputs / "llama"),
        "PEFOMED_VIT": str(inputs / "eva.pth"),
        "PEFOMED_CKPT": str(inputs / "start.pth"),
    }
    start, used = time.monotonic(), cpu_of_children()
    subprocess.run(
        [
            os.environ["MINIGPT4_PYTHON"] if of_checkout else sys.executable,
            "train.py",
            "--cfg-path",
            "projects/pefomed/stage2_vqa_rad.yaml",
            "--options",
            *options,
        ],
        cwd=str(ROOT),
        env=environ,
        check=True,
    )
    return time.monotonic() - start, cpu_of_children() - used


def cpu_of_children() -> float:
    """CPU seconds of the processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    sys.exit(main())
