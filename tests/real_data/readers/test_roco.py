"""ROCO's released captions of the held-out splits."""

from __future__ import annotations

from statistics import fmean

from pefomed_plugin.readers.roco import ROCO
from tests.real_data.data import real_data


def test_counts_of_the_real_captions() -> None:
    release = ROCO.read(real_data("roco"))
    assert {split: len(samples) for split, samples in release.splits().items()} == {"val": 8180, "test": 8179}
    assert release.skips == []
    assert round(fmean(len(sample.answer) for sample in release.samples)) == (ROCO.mean_length or (0, 0))[1]
    assert all(sample.answer and sample.answer == sample.answer.strip() for sample in release.samples)
