"""Clinical metrics through RadEval: null with a reason where it is not there, its numbers where it is."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.clinical import METRICS, measure_clinical
from pefomed_plugin.scoring.files import write_scores

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
    """A stand-in for the package, with its interface: names at construction, ``refs`` and ``hyps`` in the call."""
    module = ModuleType(package)

    class RadEval:
        def __init__(self, metrics=None, show_progress=True):
            assert not show_progress
            self.metrics = metrics

        def __call__(self, refs, hyps):
            assert (refs, hyps) == (["The heart is normal."] * 2, ["The heart is enlarged.", ""])
            return answer(*self.metrics)

    module.RadEval = RadEval
    for name in ("radeval", "RadEval"):
        monkeypatch.setitem(sys.modules, name, module if name == package else None)


def test_without_the_package_every_metric_is_null_with_the_reason(monkeypatch):
    for name in ("radeval", "RadEval"):
        monkeypatch.setitem(sys.modules, name, None)
    figures = measure_clinical(REPORTS).figures
    assert [figures[name]["value"] for name in METRICS] == [None] * 4
    assert "pip install radeval" in figures["green"]["reason"]


def test_each_metric_stands_alone_and_several_numbers_keep_their_names(monkeypatch):
    def answer(metric):
        if metric == "green":
            raise OSError("cannot fetch the model")
        return {"radgraph_simple": 0.7, "radgraph_partial": 0.6} if metric == "radgraph" else {metric: 0.5}

    install(monkeypatch, answer)
    figures = measure_clinical(REPORTS).figures
    assert figures["radgraph_f1/radgraph_simple"] == {"n": 2, "missing": 1, "value": 0.7}
    assert figures["ratescore"]["value"] == 0.5
    assert figures["green"] == {"n": 0, "value": None, "reason": "RadEval: cannot fetch the model"}


def test_the_figures_go_into_metrics_json(monkeypatch, tmp_path):
    install(monkeypatch, lambda metric: {metric: 0.25}, package="RadEval")
    metrics = write_scores(REPORTS, ["clinical"], tmp_path, {})
    assert metrics["scores"]["clinical/radeval"]["chexbert_f1"]["value"] == 0.25
    assert not (tmp_path / "scores").exists()


def test_a_package_with_the_old_interface_is_named_as_such(monkeypatch):
    module = ModuleType("RadEval")

    class RadEval:
        def __init__(self, do_radgraph=False):
            raise AssertionError("not asked for")

    module.RadEval = RadEval
    monkeypatch.setitem(sys.modules, "radeval", None)
    monkeypatch.setitem(sys.modules, "RadEval", module)
    assert "older than 1.0; pip install 'radeval>=1'" in measure_clinical(REPORTS).figures["radgraph_f1"]["reason"]


def test_nothing_to_score():
    with pytest.raises(DataError):
        measure_clinical([])
