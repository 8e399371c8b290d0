"""Whether another vision encoder learns as well: the tiny model on generated SLAKE, with encoders of three kinds.

    python -m projects.embedded.encoders [--seeds 5]

Each encoder is tiny, frozen and random, of the same width and depth: EVA's (the embedded default's), SigLIP's and
DINOv2's with registers. Projection and LoRA begin untrained. The second figure of each is the same model's, asked about
another image. Intervals are of the mean over the seeds (Student's t, 95 %). A run that is in the output folder is not
repeated. Writes encoders.json and encoders.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from projects.benchmarks.learning import T_95, interval

CONFIG = "projects/pefomed/stage2_slake.yaml"
VIT = {"embed_dim": 96, "depth": 2, "num_heads": 4, "mlp_ratio": 4.0}
"""Of all three, in the YAML."""
ENCODERS = {
    "eva": ("EVA", "eva_clip_g", 112),
    "siglip": ("SigLIP", "timm/vit_base_patch16_siglip_224", 128),
    "dinov2": ("DINOv2, registers", "timm/vit_base_patch14_reg4_dinov2", 112),
}
"""Row -> title, ``model.vit_model``, pixels a side; all three make 64 patches."""
SCORES = "slake-test/scores/exact_match-pefomed.jsonl"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, choices=sorted(T_95))
    parser.add_argument("--out", type=Path, default=Path("output/encoders"))
    given = parser.parse_args(arguments)
    make_data(given.out)
    found = {
        row: {
            kind: [measure(given.out, row, kind, seed) for seed in range(given.seeds)] for kind in ("own", "shuffled")
        }
        for row in ENCODERS
    }
    (given.out / "encoders.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    page = table(found)
    (given.out / "encoders.md").write_text(page + "\n", encoding="utf-8")
    print(page)
    return 0


def make_data(out: Path) -> None:
    """Generated SLAKE and the tiny model, once."""
    from pefomed_plugin.embedded import make_sample

    os.environ["PEFOMED_SAMPLE"] = str((out / "sample").resolve())
    make_sample(out / "sample", parts=("slake", "tiny"))


def measure(out: Path, row: str, kind: str, seed: int) -> float:
    """Per cent right of a run that is made or found.

    Args:
        kind: ``own`` images, or ``shuffled`` ones.
    """
    from pefomed_plugin import launch

    folder = out / f"{row}-{kind}-{seed}"
    if not (folder / "metrics.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
            os.environ.pop(name, None)
        _, name, side = ENCODERS[row]
        options: dict[str, Any] = {
            "model.vit_model": name,
            "model.image_size": side,
            "model.ckpt": "null",
            "model.lora_r": 16,
            "datasets.slake.build_info.storage": out / "sample" / "slake",
            "run.valid_splits": "[]",
            "run.image_cache": "features",
            "run.cache_dir": out / "cache",
            "run.seed": seed,
            "run.output_dir": folder,
        }
        if row != "eva":
            options["model.vit_weights"] = weights(out, row)
        if kind == "shuffled":
            trained = out / f"{row}-own-{seed}" / "checkpoint_last.pth"
            options.update({"run.evaluate": "true", "run.images": "shuffled", "model.ckpt": trained})
        launch.run(CONFIG, [f"{key}={value}" for key, value in options.items()])
    from pefomed_plugin.scoring.files import read_scores

    return 100 * mean(score.value or 0.0 for score in read_scores(folder / "results" / SCORES))


def weights(out: Path, row: str) -> Path:
    """The file of a tiny encoder, made once."""
    from safetensors.torch import save_file

    from pefomed_plugin.embedded.tiny_vision import random_weights
    from pefomed_plugin.vision_encoders import encoder_of

    _, name, side = ENCODERS[row]
    path = out / f"{row}.safetensors"
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        save_file(random_weights(encoder_of({"vit_model": name, "vit": VIT, "image_size": side}), 0), str(path))
    return path


def table(found: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Markdown: a row for each encoder."""
    lines = ["| encoder, tiny and random | right | asked about another image |", "|---|---|---|"]
    for row, kinds in found.items():
        cells = []
        for values in kinds.values():
            middle, low, high = interval(values)
            cells.append(f"{middle:.1f} ({max(low, 0):.1f} - {min(high, 100):.1f})")
        lines.append(f"| {ENCODERS[row][0]} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
