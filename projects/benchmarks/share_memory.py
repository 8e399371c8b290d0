"""What ``pefomed share --to huggingface`` takes of memory for N images: python -m projects.benchmarks.share_memory 400

Random pixels, 320 x 320, one report each. The images are made in a process of their own, so that the peak is that of
sharing.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from multiprocessing import Process
from pathlib import Path

import numpy as np
from PIL import Image

from pefomed_plugin.cli import main as pefomed
from pefomed_plugin.origins import mark_generated
from pefomed_plugin.readers.custom import MEDICAL_CUSTOM
from pefomed_plugin.services.data.prepare import prepare

SIDE_PX = 320


def make(folder: Path, images: int) -> None:
    """A prepared data set of noise."""
    source, numbers = folder / "source", np.random.default_rng(0)
    source.mkdir()
    for number in range(images):
        pixels = numbers.integers(0, 256, (SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(source / f"{number}.png")
    rows = [json.dumps({"image": f"{number}.png", "report": "x"}) + "\n" for number in range(images)]
    (source / "train.jsonl").write_text("".join(rows), encoding="utf-8")
    mark_generated(source, {})
    prepare(MEDICAL_CUSTOM, source, folder / "prepared")


def main() -> None:
    """Make, share, say the peak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=int)
    images = parser.parse_args().images
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        maker = Process(target=make, args=(folder, images))
        maker.start()
        maker.join()
        if maker.exitcode:
            sys.exit("the data could not be made")
        out = folder / "out"
        pefomed(["share", str(folder / "prepared"), "--to", "huggingface", "--out", str(out), "--workers", "2"])
        size = sum(path.stat().st_size for path in out.rglob("*.parquet"))
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(f"{images:,} images, {size / 1e6:.0f} MB written, peak {peak / 2**20:.0f} MB")


if __name__ == "__main__":
    main()
