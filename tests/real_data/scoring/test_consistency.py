"""What changes in real reports, seen by what they state and by their words: the table of docs/evaluation.md."""

from __future__ import annotations

import random
import re
from collections import defaultdict

import pytest

from pefomed_plugin.readers.iu_xray import IU_XRAY
from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.coco_metrics import rouge
from pefomed_plugin.scoring.consistency import score_consistency
from pefomed_plugin.scoring.tokens import tokenise_approximately
from tests.real_data.data import real_data


def others(texts: list[str]) -> list[str]:
    shuffled = list(texts)
    random.Random(0).shuffle(shuffled)
    return shuffled


CHANGES = {
    "itself": lambda texts: texts,
    "no negation": lambda texts: [re.sub(r"\b[Nn]o (?=\w)", "", text) for text in texts],
    "sides": lambda texts: [
        re.sub(r"\b(left|right)\b", lambda side: {"left": "right", "right": "left"}[side[1]], text) for text in texts
    ],
    "another": others,
}


@pytest.mark.parametrize(
    ("change", "negation", "laterality", "facts", "least_rouge"),
    [
        ("itself", 1.0, 1.0, 1.0, 1.0),
        ("no negation", 0.655, 1.0, 0.690, 0.95),
        ("sides", 1.0, 0.534, 0.947, 0.98),
        ("another", 0.474, 0.055, 0.422, 0.0),
    ],
)
def test_it_falls_where_words_hardly_change(change, negation, laterality, facts, least_rouge):
    pytest.importorskip("pycocoevalcap")
    samples = IU_XRAY.read(real_data("iu_xray")).splits()["test"]
    texts = CHANGES[change]([sample.answer for sample in samples])
    values = defaultdict(list)
    for score in score_consistency([Prediction.of(sample, text, {}) for sample, text in zip(samples, texts)]):
        if score.value is not None:
            values[score.scorer.rsplit("/", 1)[1]].append(score.value)
    found = [sum(values[kind]) / len(values[kind]) for kind in ("negation", "laterality", "facts")]
    assert found == pytest.approx([negation, laterality, facts], abs=6e-4)
    words = rouge(tokenise_approximately([sample.answer for sample in samples]), tokenise_approximately(texts))[0]
    assert words >= least_rouge
