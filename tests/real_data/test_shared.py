"""VQA-RAD as it was published, shared and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.readers import read_data
from pefomed_plugin.readers.prepared import read_prepared
from pefomed_plugin.services.images.decoding import open_encoded
from tests.real_data.data import real_data


def test_vqa_rad_comes_back_whole(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    source = real_data("vqa_rad")
    if not (source / "images").is_dir():
        pytest.skip("no images beside it")
    prepared, out = str(tmp_path / "prepared"), str(tmp_path / "out")
    assert main(["prepare", "vqa_rad", "--source", str(source), "--out", prepared]) == 0
    assert main(["share", prepared, "--to", "huggingface", "--out", out]) == 0
    before, after = read_prepared(Path(prepared)), read_data("vqa_rad", Path(out))
    assert {split: len(rows) for split, rows in after.splits().items()} == {"train": 3_064, "test": 451}
    for old, new in zip(before.samples, after.samples):
        assert replace(old, images=("x",)) == replace(new, images=("x",))
    for old, new in list(zip(before.samples, after.samples))[::50]:
        with (
            open_encoded(source / "images", old.only_image)[0] as mine,
            open_encoded(Path(out), new.only_image)[0] as theirs,
        ):
            assert mine.read() == theirs.read()
