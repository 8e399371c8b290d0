"""The declared scorers, and what names on the disk mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.rubrics import MEAN, REPORT, VQA, Level, Rubric
from pefomed_plugin.scoring import SCORERS, find_scorer, specs_of
from pefomed_plugin.scoring.files import measure
from pefomed_plugin.scoring.ratings import human_spec, judge_spec, wasm_spec
from pefomed_plugin.scoring.spec import ACCURACY, LEVELS, RATER, RUN, MetricSpec, ScorerSpec, read_spec
from pefomed_plugin.text import NORMALISATIONS

from .rows import predicted

URGENCY = Rubric(
    "urgency",
    "report",
    (Level(0, "later", "It can wait."), Level(1, "soon", "Today."), Level(2, "now", "At once.")),
    MEAN,
    "urgency",
)
PLAIN = [name for name, spec in SCORERS.own.items() if spec.function is not None and not spec.metrics]


def test_the_names() -> None:
    assert set(SCORERS) == {
        *(f"exact_match/{rule}" for rule in NORMALISATIONS),
        *(f"{of}/{variant}" for of in ("token_recall", "token_f1") for variant in ("llava_med", "corrected")),
        "closed_accuracy/llava_med",
        *(f"lexical/{protocol}" for protocol in ("coco", "pefomed", "r2gen60")),
        "clinical/consistency",
        "clinical/radeval",
    }
    assert {short: find_scorer(short).name for short in SCORERS.aliases} == {
        "exact_match": "exact_match/pefomed",
        "token_recall": "token_recall/llava_med",
        "token_f1": "token_f1/llava_med",
        "llava_med_closed": "closed_accuracy/llava_med",
        "lexical": "lexical/coco",
        "clinical": "clinical/radeval",
        "consistency": "clinical/consistency",
    }


@pytest.mark.parametrize("name", PLAIN)
def test_scores_carry_name_and_version_of_their_scorer(name: str) -> None:
    spec = find_scorer(name)
    (score,) = measure(spec, [predicted("left lung", "the left lung")]).scores[name]
    assert (score.sample_id, score.scorer, score.version) == ("invented-1", name, spec.version)
    assert score.value in (0.0, 1.0)


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_no_scorer_scores_nothing(name: str) -> None:
    with pytest.raises(DataError, match="no predictions"):
        measure(SCORERS[name], [])


def test_an_unknown_name_lists_the_near_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'exact_match/clean'"):
        find_scorer("exact_match/cleen")
    with pytest.raises(ConfigError, match="known: clinical, clinical/consistency, clinical/radeval, "):
        find_scorer("judge")


@pytest.mark.parametrize(
    "spec",
    [
        *SCORERS.own.values(),
        judge_spec(URGENCY, "qwen"),
        human_spec(VQA),
        wasm_spec(judge_spec(REPORT, "gpt-4o")),
        ScorerSpec("distance", "distance in mm", 0, 50, "mm", higher_is_better=False),
    ],
    ids=lambda spec: spec.name,
)
def test_what_is_recorded_is_read_back(spec: ScorerSpec) -> None:
    kept = replace(spec, function=None, measure=None, needs=(), options=(), short="", compares_words=False)
    metrics = tuple(replace(metric, relative=False) for metric in spec.metrics)  # asked of the registry alone
    kept = replace(kept, known=(), unasked="", metrics=metrics)
    assert read_spec(spec.name, spec.to_json()) == kept


def test_a_damaged_record_names_file_and_scorer() -> None:
    with pytest.raises(DataError, match="run/metrics.json: what it says of scorer 'mine' is damaged"):
        read_spec("mine", {"title": "mine"}, "run/metrics.json")


def test_names_in_files_of_earlier_versions() -> None:
    names = ["judge/vqa/gpt-4o", "judge/report/my/model", "human/vqa", "human/report", "lexical/coco/cider"]
    found = specs_of([*names, "wasm/judge/report/my/model"], {}, "run")
    assert list(found) == [*names[:4], "lexical/coco", "wasm/judge/report/my/model"]
    kinds = {name: (spec.kind, spec.repeated, spec.paper, spec.high) for name, spec in found.items()}
    assert kinds["judge/vqa/gpt-4o"] == (ACCURACY, RUN, "gpt4_judge", 1.0)
    assert kinds["judge/report/my/model"] == (LEVELS, RUN, "", 4.0)
    assert kinds["human/report"] == (LEVELS, RATER, "human", 4.0)
    assert found["wasm/judge/report/my/model"].summary_of == "judge/report/my/model"


def test_the_record_is_believed_before_what_is_declared_now() -> None:
    record = replace(find_scorer("token_f1"), high=100.0).to_json()
    assert specs_of(["token_f1/llava_med"], {"token_f1/llava_med": record}, "run")["token_f1/llava_med"].high == 100.0


def test_a_name_that_nobody_declares_is_refused_with_near_names() -> None:
    with pytest.raises(DataError, match="run holds scores of scorers that nobody declares") as caught:
        specs_of(["exact_match/pefomd", "exact_match/pefomed"], {}, "run")
    (problem,) = caught.value.problems
    assert problem.startswith("exact_match/pefomd: did you mean 'exact_match/pefomed' or ")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"low": 1.0}, "the range 1.0 to 1.0 is none"),
        ({"kind": "mode"}, "kind 'mode' is none of accuracy, mean, levels"),
        ({"kind": ACCURACY, "high": 5.0}, "right or wrong is 1 or 0"),
        ({"columns": ("overall", "left")}, "no column 'left'"),
        ({"metrics": (MetricSpec("a", "a", pooled=True),), "columns": ("a",)}, "give measure in place of function"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(wrong: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ScorerSpec("mine", "mine", **{"function": lambda predictions: [], **wrong})


@pytest.mark.parametrize(
    ("name", "text", "share"),
    [
        ("token_f1", "\u5fc3\u810f\u6b63\u5e38\u3002", "100%"),
        ("token_f1", "\u80ba normal", "14%"),
        ("token_f1", "coeur normal, \u03b2 2.5", None),
        ("exact_match", "\u5fc3\u810f\u6b63\u5e38\u3002", None),
    ],
)
def test_texts_without_blanks_between_words_get_a_warning_where_words_count(
    name: str, text: str, share: str | None
) -> None:
    warning = measure(find_scorer(name), [predicted(text, text)]).figures.get("warning")
    assert warning is None if share is None else str(warning).startswith(f"{share} of the letters")


@pytest.mark.parametrize(
    "text",
    ["\u0627\u0644\u0642\u0644\u0628 \u0637\u0628\u064a\u0639\u064a\u06d4", "heart normal\u3002", "heart\uff0c lung"],
)
def test_punctuation_of_other_scripts_that_counts_as_words_gets_a_warning(text: str) -> None:
    """Two reports with nothing in common share their full stop."""
    warning = str(measure(find_scorer("token_f1"), [predicted(text, text)]).figures.get("warning"))
    assert warning.startswith("2 of 2 texts hold punctuation (") and "counts as a word" in warning
    plain = [predicted("heart normal. " * 20, "no effusion, clear lungs: normal!")]
    assert "warning" not in measure(find_scorer("token_f1"), plain).figures
