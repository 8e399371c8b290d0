"""ReXrank's IU-Xray test set is R2Gen's: the digest by which others are refused."""

from __future__ import annotations

import json

from pefomed_plugin.readers import read_data
from pefomed_plugin.records import Prediction
from pefomed_plugin.services.results_out import FORMATS_OUT, Given

from ..data import real_data


def test_r2gens_test_split_is_taken_for_rexranks() -> None:
    samples = read_data("iu_xray", real_data("iu_xray")).splits()["test"]
    predictions = [Prediction.of(sample, "said", {}) for sample in samples]
    files = FORMATS_OUT["rexrank"].files_of(predictions, Given("m", view="first"))
    assert len(json.loads(files.contents["prediction.json"])) == files.answers == 590
