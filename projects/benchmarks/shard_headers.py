"""Finding and reading samples in shards, beside the other ways: ``python -m projects.benchmarks.shard_headers``.

On one thread, files in the page cache, the ways taking turns; CPU time beside wall time, medians. ``tarfile`` and
webdataset's own pipeline are the others, with ``--wids FOLDER`` (``pip install --target FOLDER webdataset==0.2.111``)
also ``wids``' table of members, and with ``--other FOLDER`` our reader of another checkout (``git worktree add FOLDER
COMMIT``); ours runs in a process of its own, as that does. Scans are shown for 765,000 samples, the shards of stage 1.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Callable

import numpy as np
from PIL import Image

from pefomed_plugin.records import Sample
from pefomed_plugin.services.data.shard_files import ShardFiles
from pefomed_plugin.services.data.shard_index import Shard, read_shard_index
from pefomed_plugin.services.data.shards import write_shards
from pefomed_plugin.services.images.decoding import DEFAULT_POLICY, decode_image

STAGE_1 = 765_000
IMAGE_PX = 160


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--per-shard", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--wids", type=Path, help="folder with a webdataset that has wids")
    parser.add_argument("--other", type=Path, help="another checkout of this project")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.answer:
        return answer(given.answer)
    with tempfile.TemporaryDirectory() as folder:
        shards = make_shards(Path(folder), given.samples, given.per_shard)
        folder_ = Path(folder) / "shards"
        ours = Other(Path(__file__).resolve().parents[2], folder_)
        scans: dict[str, Callable[[], Any]] = {
            "ours: headers": lambda: ours.ask("scan"),
            "ours, shards by others: headers, checksums, keys": lambda: scan_by_others(folder_, shards),
            "tarfile": lambda: [scan_with_tarfile(folder_ / shard.file) for shard in shards],
            "webdataset 1.0: every byte": lambda: [list(stream(folder_ / shard.file)) for shard in shards],
        }
        if given.wids:
            scans["wids 0.2: headers, unchecked"] = wids_scan(given.wids, [folder_ / shard.file for shard in shards])
        numbers = Random(0).sample(range(given.samples), min(500, given.samples))
        read = "read " + " ".join(map(str, numbers))
        reads: dict[str, Callable[[], Any]] = {
            "ours: record and image at random": lambda: ours.ask(read),
            "webdataset 1.0: records and images in order": lambda: decode_stream(
                folder_ / shards[0].file, len(numbers)
            ),
        }
        other = Other(given.other, folder_) if given.other else None
        if other:
            scans["ours, other checkout: headers"] = lambda: other.ask("scan")
            reads["ours, other checkout: at random"] = lambda: other.ask(read)
        show("scan", measure(scans, given.rounds, [ours, other]), STAGE_1 / given.samples, f"s for {STAGE_1:,} samples")
        unit = f"ms a sample of {IMAGE_PX} px"
        show("read and decode", measure(reads, given.rounds, [ours, other]), 1e3 / len(numbers), unit)
    return 0


def make_shards(folder: Path, samples: int, per_shard: int) -> list[Shard]:
    """Shards of grey noise, smoothly enlarged."""
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        image = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).resize((IMAGE_PX, IMAGE_PX))
        image.save(folder / "images" / f"{number}.png")
    records = [
        Sample(f"made-{n}", "made", "train", (f"{n % 20}.png",), "caption", None, "An invented caption. " * 9)
        for n in range(samples)
    ]
    write_shards(records, folder / "images", folder / "shards", IMAGE_PX, per_shard)
    return read_shard_index(folder / "shards")


def scan_with_tarfile(path: Path) -> list[tuple[str, int, int]]:
    """Members as the standard library finds them."""
    with tarfile.open(path) as tar:
        return [(member.name, member.offset_data, member.size) for member in tar]


def scan_by_others(folder: Path, shards: Sequence[Shard]) -> None:
    """What the reader of shards by others does before it reads texts."""
    from pefomed_plugin.readers.tars.members import group_members, read_members  # late: not in other checkouts

    for shard in shards:
        group_members(read_members(folder / shard.file))


def stream(path: Path) -> Any:
    """Samples by webdataset's own reading."""
    from webdataset.tariterators import tarfile_samples  # late: not needed in other checkouts

    return tarfile_samples([{"url": str(path)}])


def decode_stream(path: Path, count: int) -> None:
    """The first ``count`` samples, decoded as ours are."""
    import io
    import json

    for number, found in enumerate(stream(path)):
        if number == count:
            break
        Sample.from_json(json.loads(found["json"]))
        decode_image(io.BytesIO(found["png"]), str(path), DEFAULT_POLICY)


def wids_scan(folder: Path, paths: Sequence[Path]) -> Callable[[], Any]:
    """``wids``' table of a tar, as its data set makes it for each shard."""
    sys.path.append(str(folder))
    table = importlib.import_module("wids.wids_mmtar").MMIndexedTar

    def scan() -> None:
        for path in paths:
            tar = table(str(path), verbose=False)
            assert len(tar) > 0
            tar.close()

    return scan


class Other:
    """A process of this or another checkout that scans and reads when asked, and says how long it took."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), "--answer", str(folder)],
            cwd=checkout,
            env={"PYTHONPATH": str(checkout.resolve()), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.last: tuple[float, float] | None = None

    def ask(self, line: str) -> None:
        """Have it done; ``last`` is its CPU and wall time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        cpu, wall = map(float, self._process.stdout.readline().split())
        self.last = (cpu, wall)

    def taken(self) -> tuple[float, float]:
        """What was asked last took; forgotten afterwards."""
        taken, self.last = self.last or (0.0, 0.0), None
        return taken


def answer(folder: Path) -> int:
    """Be that process."""
    shards = read_shard_index(folder)
    files = ShardFiles(folder, shards)
    for line in sys.stdin:
        what, *numbers = line.split()
        cpu, wall = time.process_time(), time.perf_counter()
        if what == "scan":
            ShardFiles(folder, shards)
        else:
            for number in map(int, numbers):
                files[number], files.open_image(number)
        print(time.process_time() - cpu, time.perf_counter() - wall, flush=True)
    return 0


def measure(
    ways: dict[str, Callable[[], Any]], rounds: int, processes: Sequence[Other | None]
) -> dict[str, tuple[list[float], list[float]]]:
    """CPU and wall seconds of each way, in turns; the first turn is not counted."""
    taken: dict[str, tuple[list[float], list[float]]] = {way: ([], []) for way in ways}
    for turn in range(rounds + 1):
        for way, do in ways.items():
            cpu, wall = time.process_time(), time.perf_counter()
            do()
            seconds = (time.process_time() - cpu, time.perf_counter() - wall)
            seconds = next((process.taken() for process in processes if process and process.last), seconds)
            if turn:
                taken[way][0].append(seconds[0])
                taken[way][1].append(seconds[1])
    return taken


def show(title: str, taken: dict[str, tuple[list[float], list[float]]], factor: float, unit: str) -> None:
    """One table."""
    print(f"\n| {title} | CPU, {unit} | wall |\n|---|---:|---:|")
    for way, (cpu, wall) in taken.items():
        print(f"| {way} | {median(cpu) * factor:.2f} | {median(wall) * factor:.2f} |")


if __name__ == "__main__":
    sys.exit(main())
