"""Images a second from the disk to a batch, every way beside every other: ``python -m projects.benchmarks.data_path``.

In one process on one thread (``--workers N``: handed over by N of them), files in the page cache. The ways take turns,
so that whatever else the machine does falls on all of them. With MINIGPT4_HOME and MINIGPT4_PYTHON set, a real
checkout's own data set and processor take part, and a way that misses its target makes the exit code 1. First all
batches are compared with the checkout's (else the plain way's), image by image; a way that differs gets no time.
``first touch``: as a process that has just started, comparing checksums. Writes ``data_path.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from pefomed_plugin.services.console import progress, say
from projects.benchmarks.data_path import figures
from projects.benchmarks.data_path.photographs import Images, find_photographs, write_annotations
from projects.benchmarks.toolkit_process import BUNDLED, CHECKOUT, ToolkitProcess, has_checkout

WAYS = {
    "checkout": CHECKOUT,
    "plain": BUNDLED,
    "pixels": BUNDLED,
    "pixels, normalised here": BUNDLED,
    "pixels, first touch": BUNDLED,
    "features": BUNDLED,
    "features, first touch": BUNDLED,
}
COMPARED = ("plain", "pixels")
"""Ways whose batches must be those of the first way; features are made up, what was written must be read."""
TOLERANCE = 1e-6
BATCH_SIZE = 8
WARM_UP = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/data_path"), help="folder for figures and caches")
    parser.add_argument(
        "--images", dest="photographs", type=Path, help="folder of JPEG or PNG files; else VQA-RAD, else made-up ones"
    )
    parser.add_argument("--count", type=int, default=160, help="photographs a round")
    parser.add_argument("--image-size", type=int, default=448, help="pixels")
    parser.add_argument("--rounds", type=int, default=9, help="times that each way has its turn")
    parser.add_argument("--workers", type=int, default=0, help="of a DataLoader; the targets hold for none")
    given = parser.parse_args(arguments)
    if given.count < 1 or given.rounds < 1:
        parser.error("--count and --rounds: at least 1")
    given.out.mkdir(parents=True, exist_ok=True)
    photographs = find_photographs(given.photographs, given.count, given.out / "made-up")
    if not has_checkout():
        say("no checkout takes part (MINIGPT4_HOME and MINIGPT4_PYTHON): ratios are to the plain way")
    results = measure(photographs, given.out, given.image_size, given.rounds, given.workers)
    figures.write(results, given.out)
    say((given.out / "data_path.md").read_text(encoding="utf-8"))
    problems = [
        f"{way}: other batches (largest difference {each:.1g}), no time"
        for way, each in results["differences"].items()
        if each > TOLERANCE
    ] + figures.missed(results)
    for problem in problems:
        say(problem)
    return 1 if problems else 0


def measure(photographs: Images, out: Path, image_size: int, rounds: int, workers: int = 0) -> dict[str, Any]:
    """Compare and time all ways for which there is a toolkit."""
    ways = {
        way: toolkit
        for way, toolkit in WAYS.items()
        if (toolkit == BUNDLED or has_checkout()) and not (workers and way.endswith("first touch"))
    }
    numbers = list(range(len(photographs.names)))
    batches = [numbers[start : start + BATCH_SIZE] for start in range(0, len(numbers), BATCH_SIZE)]
    with ExitStack() as running:
        processes = {
            toolkit: running.enter_context(start(photographs, out, image_size, toolkit))
            for toolkit in sorted(set(ways.values()))
        }
        differences = compare({way: processes[toolkit] for way, toolkit in ways.items()}, batches, out)
        timed = [way for way in ways if differences.get(way, 0.0) <= TOLERANCE]
        seconds: dict[str, list[float]] = {way: [] for way in timed}
        with progress("rounds", rounds + WARM_UP) as advance:
            for turn in range(rounds + WARM_UP):
                for way in timed:
                    taken = processes[ways[way]].ask(do="time", way=way, batches=batches, workers=workers)["seconds"]
                    seconds[way] += [taken] if turn >= WARM_UP else []
                advance(1)
    return {
        "what": photographs.what,
        "photographs": len(numbers),
        "image_size": image_size,
        "batch_size": BATCH_SIZE,
        "workers": workers,
        "differences": differences,
        "seconds": seconds,
    }


def start(photographs: Images, out: Path, image_size: int, toolkit: str) -> ToolkitProcess:
    """The process of one toolkit."""
    annotations, spec = out / "annotations.json", out / f"spec-{toolkit}.json"
    write_annotations(photographs, annotations)
    spec.write_text(
        json.dumps(
            {
                "toolkit": toolkit,
                "folder": str(photographs.folder.resolve()),
                "names": photographs.names,
                "annotations": str(annotations.resolve()),
                "cache": str((out / "cache").resolve()),
                "image_size": image_size,
            }
        ),
        encoding="utf-8",
    )
    return ToolkitProcess("projects.benchmarks.data_path.worker", spec, toolkit)


def compare(processes: dict[str, ToolkitProcess], batches: list[list[int]], out: Path) -> dict[str, float]:
    """Way -> largest difference of any number of any image from the first way's."""
    path = (out / "batch.npy").resolve()

    def images(way: str, batch: list[int]) -> np.ndarray:
        processes[way].ask(do="save", way=way, batches=[batch], path=str(path))
        return np.load(path)

    first = next(iter(processes))
    differences = dict.fromkeys([way for way in COMPARED if way != first], 0.0)
    with progress("comparing batches", len(batches)) as advance:
        for batch in batches:
            wanted = images(first, batch)
            for way in differences:
                differences[way] = max(differences[way], float(np.abs(images(way, batch) - wanted).max()))
            advance(1)
    path.unlink()
    return differences


if __name__ == "__main__":
    sys.exit(main())
