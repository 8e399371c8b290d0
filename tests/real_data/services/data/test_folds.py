"""The folds of the published VQA-RAD: every official question tested once, no image in training and test."""

from __future__ import annotations

import json

from pefomed_plugin.cli import main
from tests.real_data.data import real_data


def test_five_folds_of_the_real_vqa_rad(tmp_path, capsys) -> None:
    command = ["folds", "vqa_rad", "--data", str(real_data("vqa_rad")), "--out", str(tmp_path / "folds"), "--json"]
    assert main(command) == 0
    folds = json.loads(capsys.readouterr().out)["folds"]
    assert [fold["test"] for fold in folds] == [450, 450, 450, 450, 448]
    assert [fold["kinds"]["CLOSED"] for fold in folds] == [261, 260, 260, 260, 258]
    assert not any(count for fold in folds for count in fold["leaks"].values())
