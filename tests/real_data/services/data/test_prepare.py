"""Real releases prepared: what is kept, what leaks and what reads back."""

from __future__ import annotations

from pathlib import Path

from pefomed_plugin.readers.prepared import read_prepared
from pefomed_plugin.readers.slake import SLAKE
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from pefomed_plugin.services.data.examination import Examination
from pefomed_plugin.services.data.prepare import prepare
from tests.real_data.data import real_data


def test_the_real_vqa_rad(tmp_path: Path) -> None:
    account = prepare(VQA_RAD, real_data("vqa_rad"), tmp_path / "out")
    assert account.kept == {"train": 3064, "test": 451} and account.skipped == {} and account.mismatches == []
    assert {leak.what: (leak.count, leak.of) for leak in account.leaks} == {
        "test: images in train": (203, 203),
        "test: images that look like one in train": (203, 203),
        "test: image and question in train": (14, 451),
        "test: image, question and answer in train": (14, 451),
        "test: framed version of the question in train": (284, 451),
    }
    assert [repetition.count for repetition in account.repetitions] == [465, 0, 0, 0]
    assert read_prepared(tmp_path / "out").samples == VQA_RAD.read(real_data("vqa_rad")).samples


def test_the_real_slake_leaks_images_between_languages(tmp_path: Path) -> None:
    account = prepare(SLAKE, real_data("slake"), tmp_path / "out", examination=Examination(open_images=False))
    assert account.kept == {"train": 4918, "val": 1053, "test": 1061}
    assert [(leak.what, leak.count, leak.of) for leak in account.leaks if "left out" in leak.what] == [
        ("val: images in training rows left out", 64, 96),
        ("test: images in training rows left out", 72, 96),
    ]
