"""Clinical metrics through RadEval: null with a reason where it is not there, its numbers where it is."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.clinical import ASKED, measure_clinical
from pefomed_plugin.scoring.files import read_scores, write_scores

REPORTS = [
    Prediction(
        id=f"r-{number}",
        dataset="iu_xray",
        split="test",
        images=(f"{number}.png",),
        task="report",
        question=None,
        answer="The heart is normal.",
        prediction=text,
    )
    for number, text in enumerate(("The heart is enlarged.", None))
]


def install(monkeypatch, answer, package="radeval"):
    """A stand-in for the package, with its interface: names and mode at construction, ``refs`` and ``hyps`` in the
    call.
    """
    module = ModuleType(package)

    class RadEval:
        def __init__(self, metrics=None, show_progress=True, per_sample=False):
            assert not show_progress
            self.metrics, self.per_sample = metrics, per_sample

        def __call__(self, refs, hyps):
            assert (refs, hyps) == (["The heart is normal."] * 2, ["The heart is enlarged.", ""])
            return answer(*self.metrics, self.per_sample)

    module.RadEval = RadEval
    for name in ("radeval", "RadEval"):
        monkeypatch.setitem(sys.modules, name, module if name == package else None)


def as_released(metric, per_sample):
    """Keys and shapes of release 2.2: lists of single reports, or figures of all of them."""
    asked = next(each for each in ASKED if each.name == metric)
    if per_sample:
        return {key: [1.0, 0.5] for key in asked.reports}
    return dict.fromkeys(asked.pooled or asked.reports, 0.25)


def test_without_the_package_every_metric_is_null_with_the_reason(monkeypatch):
    for name in ("radeval", "RadEval"):
        monkeypatch.setitem(sys.modules, name, None)
    found = measure_clinical(REPORTS)
    figures = [figure for name, figure in found.figures.items() if name != "version"]
    assert len(figures) == 13 and all(figure["value"] is None for figure in figures) and not found.scores
    assert "pip install radeval" in found.figures["green"]["reason"]


def test_each_report_has_a_value_and_the_set_an_interval(monkeypatch, tmp_path):
    install(monkeypatch, as_released)
    metrics = write_scores(REPORTS, ["clinical"], tmp_path, {}, axes=["dataset"])
    figures = metrics["scores"]["clinical/radeval"]
    assert figures["ratescore"]["value"] == 0.75 and figures["ratescore"]["missing"] == 1
    assert figures["ratescore"]["interval"]["low"] < 0.75 < figures["ratescore"]["interval"]["high"]
    assert figures["f1chexbert_all_micro_f1"] == {"n": 2, "missing": 1, "value": 0.25}  # pooled: no interval
    assert figures["green dataset iu_xray"]["value"] == 0.75
    scores = read_scores(tmp_path / "scores" / "clinical-radeval-radgraph_partial.jsonl")
    assert [score.value for score in scores] == [1.0, 0.5] and scores[1].reason


def test_each_metric_stands_alone(monkeypatch):
    def answer(metric, per_sample):
        if metric == "green":
            raise OSError("cannot fetch the model")
        return as_released(metric, per_sample)

    install(monkeypatch, answer, package="RadEval")
    figures = measure_clinical(REPORTS).figures
    assert figures["green"] == {"n": 0, "value": None, "reason": "RadEval: cannot fetch the model"}
    assert figures["radgraph_simple"]["value"] == 0.75


@pytest.mark.parametrize("given", [{"ratescore": [1.0]}, {"ratescore": ["a", "b"]}, {"rate": [1.0, 0.5]}, {}])
def test_what_is_not_as_released_is_not_taken(monkeypatch, given):
    install(monkeypatch, lambda metric, mode: given if metric == "ratescore" else as_released(metric, mode))
    found = measure_clinical(REPORTS)
    assert found.figures["ratescore"]["value"] is None and "version" in found.figures["ratescore"]["reason"]
    assert "clinical/radeval/ratescore" not in found.scores


def test_a_package_with_the_old_interface_is_named_as_such(monkeypatch):
    module = ModuleType("RadEval")

    class RadEval:
        def __init__(self, do_radgraph=False):
            raise AssertionError("not asked for")

    module.RadEval = RadEval
    monkeypatch.setitem(sys.modules, "radeval", None)
    monkeypatch.setitem(sys.modules, "RadEval", module)
    assert "pip install 'radeval>=2.2'" in measure_clinical(REPORTS).figures["ratescore"]["reason"]


def test_nothing_to_score():
    with pytest.raises(DataError):
        measure_clinical([])
