"""The images that loaders are measured on: real ones where a folder holds them, else made-up radiographs."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "vqa_rad" / "images"
_MADE_UP_PX = 1024
_SUFFIXES = (".jpg", ".jpeg", ".png")


class Images(NamedTuple):
    """Files in one folder."""

    folder: Path
    names: list[str]
    what: str
    """In words, for the table."""


def find_photographs(folder: Path | None, count: int, out: Path) -> Images:
    """Some of the images of ``folder``, the same ones every time; of VQA-RAD or made up where none is given."""
    given = folder or (REAL if REAL.is_dir() else None)
    if given is None:
        return Images(out, make_up(out, count), f"{count} made-up JPEGs of {_MADE_UP_PX} pixels")
    if not given.is_dir():
        raise SystemExit(f"{given}: no such folder; set --images")
    found = sorted(path.name for path in given.iterdir() if path.suffix.lower() in _SUFFIXES)
    if len(found) < count:
        raise SystemExit(f"{given}: {len(found)} photographs, {count} are wanted; set --images")
    what = "VQA-RAD" if given == REAL else given.name
    return Images(given, random.Random(0).sample(found, count), f"{count} photographs of {what}")


def make_up(folder: Path, count: int) -> list[str]:
    """JPEGs of soft shapes under fine grain, as many bytes a pixel as a radiograph's."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"made-up-{number:04d}.jpg" for number in range(count)]
    for number, name in enumerate(names):
        if not (folder / name).is_file():
            drawn = np.random.default_rng(number)
            soft = Image.fromarray(drawn.integers(0, 256, (12, 12), dtype=np.uint8)).resize(
                (_MADE_UP_PX, _MADE_UP_PX), Image.Resampling.BICUBIC
            )
            grain = drawn.normal(0, 4, (_MADE_UP_PX, _MADE_UP_PX))
            grey = np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8)
            Image.fromarray(grey).convert("RGB").save(folder / name, quality=90)
    return names


def write_annotations(photographs: Images, path: Path) -> None:
    """One question for each image, as the checkout's OCR-VQA data set reads them: the image is key and suffix."""
    rows: dict[str, Any] = {
        Path(name).stem: {
            "imageURL": name,
            "split": 1,
            "questions": [question(name)],
            "answers": ["yes"],
            "title": "",
            "genre": "",
        }
        for name in photographs.names
    }
    path.write_text(json.dumps(rows), encoding="utf-8")


def question(name: str) -> str:
    """What is asked about a image."""
    return f"Is there an invented effusion in {name}?"
