"""What a pass over VQA-RAD costs the language model, by how its questions are cut into batches. Counted, not timed.

    python -m projects.benchmarks.batches --data DIR

For each batch size and way: prefixes (image and instruction) and tokens of a pass over the training split, and the most
prefixes of a batch, which memory has to hold; the median of several seeds, and the fewest prefixes that there can be.
Needs the texts of the release in DIR/vqa_rad, no images and no model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pefomed_plugin.adapters.data.grouping import group_by_image, numbered
from pefomed_plugin.cli.arguments import existing_folder
from pefomed_plugin.config.run import AUTO, questions_together
from pefomed_plugin.families.llama import load_tokenizer
from pefomed_plugin.prompts import template_of
from pefomed_plugin.readers import read_data
from pefomed_plugin.toolkit.bundled.packing import Packer
from projects.benchmarks.speed.inputs import write_inputs
from projects.benchmarks.text_lengths import write_tokenizer

FIRST_FIT = "8, first fit"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=existing_folder, required=True, help="folder that holds the release vqa_rad")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[6, 8, 24, 32])
    parser.add_argument("--image-size", type=int, default=448)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tokenizer", type=Path, help="folder with a tokenizer.model; default: text_lengths.py's")
    parser.add_argument("--out", type=Path, default=Path("output/batches"))
    given = parser.parse_args(arguments)
    samples = read_data("vqa_rad", given.data / "vqa_rad").splits()["train"]
    if given.tokenizer is None:
        write_inputs(given.out, "real")
        write_tokenizer(given.data / "vqa_rad", given.out / "llama")
    pass_ = Pass(samples, given.tokenizer or given.out / "llama", (given.image_size // 28) ** 2)
    print(f"{len(samples):,} questions of {len(set(pass_.images)):,} images, {given.seeds} seeds\n")
    print("| batch | questions of an image | prefixes | fewest | most in a batch | tokens | x fewer |")
    print("|---|---|---|---|---|---|---|")
    for batch_size in given.batch_sizes:
        for way in (1, FIRST_FIT, 8, AUTO):
            print(row(pass_, batch_size, way, given.seeds), flush=True)
    return 0


class Pass:
    """The training questions, ready to be counted."""

    def __init__(self, samples: Sequence[Any], tokenizer: Path, visual_tokens: int) -> None:
        self.prompts = [template_of(sample.task).ask(sample.question) for sample in samples]
        self.answers = [sample.answer for sample in samples]
        self.images = numbered(sample.images for sample in samples)
        self._packer = Packer(
            _Remembering(load_tokenizer(tokenizer)), "[INST] {} [/INST]", "</s>", visual_tokens, 1024, 3800
        )

    def tokens(self, batch: Sequence[int], share: bool) -> int:
        """Tokens of the rows of a batch, padding left out."""
        layout, _ = self._packer(
            [self.prompts[number] for number in batch],
            [self.answers[number] for number in batch],
            self.images[batch].tolist() if share else range(len(batch)),
        )
        return len(layout.filled)


class _Remembering:
    """A tokenizer that encodes a text once."""

    def __init__(self, tokenizer: Any) -> None:
        self.bos_token_id, self.pad_token_id = tokenizer.bos_token_id, tokenizer.pad_token_id
        self.plain, self.encode = tokenizer.plain, lru_cache(maxsize=None)(tokenizer.encode)


def row(pass_: Pass, batch_size: int, way: int | str, seeds: int) -> str:
    """One line of the table."""
    images, total = pass_.images, len(pass_.images)
    together = questions_together(8 if way == FIRST_FIT else way, batch_size)
    alone = pass_.tokens(range(total), share=False)
    prefixes, most, tokens = [], [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(total)
        if way == FIRST_FIT:
            order = first_fit(order, images, 8, batch_size, rng)
        elif together > 1:
            order = group_by_image(order, images, together, batch_size, rng)
        batches = [order[start : start + batch_size] for start in range(0, total, batch_size)]
        rows = [len(np.unique(images[batch])) if together > 1 else len(batch) for batch in batches]
        prefixes.append(sum(rows))
        most.append(max(rows))
        tokens.append(sum(pass_.tokens(batch, share=together > 1) for batch in batches))
    fewest = int((-(-np.bincount(images) // together)).sum())
    seen = f"{median(prefixes):,.0f} ({min(prefixes):,} - {max(prefixes):,})" if len(set(prefixes)) > 1 else prefixes[0]
    counted = median(tokens)
    return f"| {batch_size} | {way} | {seen} | {fewest:,} | {max(most)} | {counted:,.0f} | {alone / counted:.2f} |"


def first_fit(
    order: np.ndarray, images: np.ndarray, at_most: int, batch_size: int, rng: np.random.Generator
) -> np.ndarray:
    """How batches were cut at first, to compare with: groups of ``at_most``, of which the next that fits is taken."""
    by_image = order[np.argsort(images[order], kind="stable")]
    starts = np.flatnonzero(np.diff(images[by_image], prepend=-1))
    groups = [
        part[start : start + at_most]
        for part in np.split(by_image, starts[1:])
        for start in range(0, len(part), at_most)
    ]
    waiting = [groups[number] for number in rng.permutation(len(groups))][::-1]
    dealt: list[np.ndarray] = []
    room = batch_size
    while waiting:
        near = range(1, min(64, len(waiting)) + 1)
        fitting = next((back for back in near if len(waiting[-back]) <= room), None)
        group = waiting.pop(-(fitting or 1))
        if fitting is None:
            waiting.append(group[room:])
            group = group[:room]
        dealt.append(group)
        room = room - len(group) or batch_size
    return np.concatenate(dealt)


if __name__ == "__main__":
    sys.exit(main())
