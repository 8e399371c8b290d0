"""Whether images are there, asked one by one and by listing each folder once: CPU time, on made-up empty files.

    python -m projects.benchmarks.image_files --folder DIR             # 50,000 and 200,000 files, made in DIR and kept
    python -m projects.benchmarks.image_files --folder DIR --files 5000

Both ways take turns; medians of five.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Callable

from pefomed_plugin.adapters.data.datasets import existing_images
from pefomed_plugin.readers.image_tree import ImageTree
from pefomed_plugin.records import Sample
from pefomed_plugin.services.console import say

LAYOUTS: dict[str, Callable[[int], str]] = {
    "folders of 50,000": lambda number: f"{number // 50_000:02d}/{number:06d}.png",
    "a folder a study, as MIMIC-CXR": lambda number: (
        f"p{10 + number // 5 % 10}/p{10_000_000 + number // 5}/s{50_000_000 + int(number / 1.65)}/{number:08x}.png"
    ),
}
_ROUNDS = 5


def one_by_one(samples: Sequence[Sample], root: Path) -> int:
    """How many are there, as it was done before."""
    return sum((root / sample.images[0]).is_file() for sample in samples)


def by_listing(samples: Sequence[Sample], root: Path) -> int:
    """How many are there."""
    return len(existing_images(samples, ImageTree(root))[0])


def main() -> None:
    """Make the files that are missing, and print a line for each layout and number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--files", type=int, nargs="+", default=[50_000, 200_000])
    arguments = parser.parse_args()
    for files in arguments.files:
        for place, (layout, name) in enumerate(LAYOUTS.items()):
            root = arguments.folder / f"{place}-{files}"
            samples = [
                Sample(f"x-{number}", "x", "train", (name(number),), "report", None, "") for number in range(files)
            ]
            for sample in samples:
                path = root / sample.images[0]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            spent: dict[Callable[[Sequence[Sample], Path], int], list[float]] = {one_by_one: [], by_listing: []}
            for _ in range(_ROUNDS):
                for way, times in spent.items():
                    begin = time.process_time()
                    found = way(samples, root)
                    times.append(time.process_time() - begin)
                    if found != files:
                        raise SystemExit(f"{way.__name__} found {found:,} of {files:,}")
            before, now = (median(times) for times in spent.values())
            say(f"{files:,} files, {layout}: {before:.2f} s, {now:.2f} s ({before / now:.1f} times)")


if __name__ == "__main__":
    main()
