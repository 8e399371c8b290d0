"""What predictors that do not look get on the published test sets: strict string, letter case aside."""

from __future__ import annotations

import json

import pytest

from pefomed_plugin.cli import main
from tests.real_data.data import real_data

FIGURES = {
    "vqa_rad": {
        "most_frequent_of_type": 31.9,
        "nearest_question": 53.0,
        "nearest_question_of_image": 62.1,
        "framed_twin": 75.6,
    },
    "slake": {"most_frequent_of_type": 21.5, "nearest_question": 55.4, "most_like_question": 55.4},
    "path_vqa": {
        "most_frequent_of_type": 28.6,
        "most_frequent_of_question": 40.5,
        "nearest_question": 41.2,
        "most_like_question": 45.4,
    },
}


@pytest.mark.parametrize("dataset", FIGURES)
def test_the_floors(dataset, capsys):
    assert main(["baseline", dataset, "--data", str(real_data(dataset)), "--json"]) == 0
    found = {each["predictor"]: each for each in json.loads(capsys.readouterr().out)["baselines"]}
    wanted = FIGURES[dataset]
    assert {name: round(found[name]["strict"], 1) for name in wanted} == wanted
    assert found["framed_twin"]["own"] == (284 if dataset == "vqa_rad" else 0)
