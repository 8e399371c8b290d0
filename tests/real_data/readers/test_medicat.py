"""The ten records of MedICaT that are published as a sample."""

from __future__ import annotations

from pefomed_plugin.readers.medicat import MEDICAT
from tests.real_data.data import real_data


def test_the_real_sample() -> None:
    release = MEDICAT.read(real_data("medicat"))
    assert (len(release.samples), release.skips) == (10, [])
    assert all((release.image_root / sample.only_image).is_file() for sample in release.samples)
    assert len(MEDICAT.read(real_data("medicat") / "release", radiology_only=True).samples) == 6
