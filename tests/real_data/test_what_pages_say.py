"""Sizes of the published data that docs/speed.md and docs/mixtures.md go by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pefomed_plugin.readers import read_data

from .data import real_data

DOCS = Path(__file__).resolve().parents[2] / "docs"
NAMES = {"vqa_rad": "VQA-RAD", "slake": "SLAKE", "path_vqa": "PathVQA", "iu_xray": "IU X-ray"}
BYTES = 1024 * 1408 * 2
"""Of an image's features: patches of 14 at 448 pixels, ViT-g's width, 16 bits."""


@pytest.mark.parametrize("name", NAMES)
def test_images_and_questions_are_as_many_as_the_pages_say(name: str) -> None:
    splits = read_data(name, real_data(name)).splits()
    images = {split: {image for sample in samples for image in sample.images} for split, samples in splits.items()}
    gigabytes = len(set().union(*images.values())) * BYTES / 1e9
    assert said(r"(VQA-RAD) ([\d.]+) GB, (SLAKE) ([\d.]+), (PathVQA) ([\d.]+), (IU X-ray) ([\d.]+)\)", name) in (
        f"{gigabytes:.0f}",
        f"{gigabytes:.1f}",
    )
    if name != "iu_xray":
        a_training_image = len(splits["train"]) / len(images["train"])
        asked = said(r"(VQA-RAD) asks (\d+) questions of each training image, (SLAKE) (\d+), (PathVQA) (\d+)\.", name)
        assert asked == f"{a_training_image:.0f}"
        mixture = (DOCS / "mixtures.md").read_text(encoding="utf-8")
        assert f"{NAMES[name]} ({len(splits['train']):,}" in mixture


def said(pattern: str, name: str) -> str:
    """What the page says of a data set in a list of names and numbers."""
    text = " ".join((DOCS / "speed.md").read_text(encoding="utf-8").split())
    found = re.search(pattern, text)
    assert found, pattern
    listed = dict(zip(found.groups()[::2], found.groups()[1::2]))
    return listed[NAMES[name]]
