"""Normalisation verdicts and report metrics as the published tools give them (``tests/assets/golden``)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.closed_questions import is_right_by_llava_med
from pefomed_plugin.scoring.exact_match import score_exact_match
from pefomed_plugin.scoring.lexical import METRICS, score_lexical
from pefomed_plugin.scoring.meteor import Meteor
from pefomed_plugin.scoring.token_overlap import llava_med_overlap
from pefomed_plugin.scoring.tokens import cut_report, tokenise_approximately, tokenise_ptb, training_vocabulary
from pefomed_plugin.text import normalise_llava_med, normalise_mumc, normalise_pefomed, normalise_vqav2

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "golden"
CASES: list[dict[str, Any]] = json.loads((FOLDER / "normalisation_cases.json").read_text(encoding="utf-8"))
LEXICAL: dict[str, Any] = json.loads((FOLDER / "lexical_golden.json").read_text(encoding="utf-8"))
JAVA = shutil.which("java")


def predicted(number: int, answer: str, prediction: str) -> Prediction:
    return Prediction(
        id=str(number),
        dataset="invented",
        split="test",
        images=(f"{number}.png",),
        task="report",
        question=None,
        answer=answer,
        prediction=prediction,
    )


REPORTS = [predicted(number, *pair) for number, pair in enumerate(zip(LEXICAL["refs"], LEXICAL["hyps"]))]


@pytest.mark.parametrize("rule", ["pefomed", "vqav2", "mumc"])
def test_every_verdict_of_a_published_normalisation(rule: str) -> None:
    rows = [predicted(number, case["ground_truth"], case["prediction"]) for number, case in enumerate(CASES)]
    verdicts = [score.value == 1.0 for score in score_exact_match(rows, rule)]
    assert len(verdicts) == 40
    assert verdicts == [case["verdicts"][rule] for case in CASES]


@pytest.mark.parametrize(
    ("rule", "normalise"),
    [("pefomed", normalise_pefomed), ("mumc", normalise_mumc), ("llava_med", normalise_llava_med)],
)
def test_every_normalised_text(rule: str, normalise) -> None:  # type: ignore[no-untyped-def]
    for case in CASES:
        assert [normalise(case["ground_truth"]), normalise(case["prediction"])] == case["extra"]["normalised"][rule]


def test_vqav2_and_llava_med_give_the_same_verdicts() -> None:
    for case in CASES:
        same = normalise_vqav2(case["ground_truth"]) == normalise_vqav2(case["prediction"])
        assert same is case["verdicts"]["llava_med"]


def test_llava_med_open_recall() -> None:
    for case in CASES:
        recall, _ = llava_med_overlap(case["ground_truth"], case["prediction"])
        assert recall == pytest.approx(case["extra"]["llava_med_open_recall"]), case["note"]


def test_llava_med_closed_questions() -> None:
    for case in CASES:
        right = is_right_by_llava_med(case["ground_truth"], case["prediction"])
        assert right is case["extra"]["llava_med_closed_contains"], case["note"]


def test_r2gen_tokens() -> None:
    for side in ("refs", "hyps"):
        assert [cut_report(text) for text in LEXICAL[side]] == LEXICAL["r2gen"]["tokenised"][side]


def test_approximate_tokens_are_nearly_the_real_ones() -> None:
    pairs = [
        (ours, real)
        for side in ("refs", "hyps")
        for ours, real in zip(tokenise_approximately(LEXICAL[side]), LEXICAL["tokenised"][side])
    ]
    assert sum(ours == real for ours, real in pairs) >= 98


needs_jars = pytest.mark.skipif(JAVA is None, reason="needs Java")


@needs_jars
def test_ptb_tokens() -> None:
    pytest.importorskip("pycocoevalcap")
    tokens = tokenise_ptb(LEXICAL["refs"] + LEXICAL["hyps"], str(JAVA))
    assert tokens == LEXICAL["tokenised"]["refs"] + LEXICAL["tokenised"]["hyps"]


@pytest.fixture
def in_a_country_of_decimal_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pycocoevalcap")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Duser.language=de -Duser.country=DE -Duser.language.format=de")
    monkeypatch.setenv("LC_ALL", "C")


@needs_jars
@pytest.mark.parametrize(
    ("protocol", "golden"),
    [("coco", LEXICAL["scores"]), ("pefomed", LEXICAL["scores"]), ("r2gen60", LEXICAL["r2gen"]["scores"])],
)
@pytest.mark.usefixtures("in_a_country_of_decimal_commas")
def test_report_metrics(protocol: str, golden: dict[str, Any]) -> None:
    result = score_lexical(REPORTS, protocol)
    assert not set(result.reasons) - {"vocabulary"}
    for metric in METRICS:
        assert result.corpus[metric] == pytest.approx(golden[metric], abs=1e-6), metric
        assert result.per_sample[metric] == pytest.approx(golden["per_sample"][metric], abs=1e-6), metric


@needs_jars
@pytest.mark.usefixtures("in_a_country_of_decimal_commas")
def test_meteor_takes_any_text_without_losing_step() -> None:
    texts = ["", "a\nb", "a ||| b", "|||", "\r", "x\u2028y", "\x00", "\ud800", "caf\u00e9 \u00b0", "lungs are clear"]
    rows = [predicted(number, text, text) for number, text in enumerate(texts)]
    for protocol in ("coco", "r2gen60"):
        values = score_lexical(rows, protocol).per_sample["meteor"]
        assert len(values) == len(texts)
        assert values[-1] == 1.0
    with Meteor(str(JAVA)) as meteor:
        _, values = meteor.score([*texts, "a b c"], [*texts, "a b d"])
    assert values[-2] == 1.0 and 0 < values[-1] < 1


def test_r2gen_vocabulary_of_the_real_training_reports() -> None:
    """The embedding of R2Gen's released IU-Xray model has 761 rows: these words, ``<unk>`` and padding."""
    path = Path(__file__).resolve().parents[3] / "shared" / "data" / "iu_xray" / "annotation.json"
    if not path.is_file():
        pytest.skip("needs the R2Gen packaging of IU-Xray")
    train = json.loads(path.read_text(encoding="utf-8"))["train"]
    assert len(training_vocabulary(row["report"] for row in train)) == 759
