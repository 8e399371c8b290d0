"""From predictions to questions, and from the ledger to scores."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.scoring.pairing import NO_PREDICTION
from pefomed_plugin.services.judge.asking import ask_all
from pefomed_plugin.services.judge.chat import Reply
from pefomed_plugin.services.judge.judging import (
    check_judgeable,
    collect_scores,
    judge_facts,
    judge_questions,
    usable_verdict,
)
from pefomed_plugin.services.judge.ledger import Ledger
from pefomed_plugin.services.judge.settling import Limits

from ..judged import answers, plan, written_reports


def collected(tmp_path, predictions, chosen, ask, reasks=1):
    limits = Limits(concurrency=1, reasks=reasks)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ask_all(judge_questions(predictions, chosen), ask, ledger, usable_verdict(chosen), limits)
        return collect_scores(predictions, chosen, ledger, limits), judge_facts(predictions, chosen, ledger)


def by_seed(question, gate):
    """Run 1 says 1, run 2 says 0, and so on."""
    return Reply(
        f"VERDICT: {(question.parameters['seed'] + 1) % 2}",
        model="invented-2026",
        system_fingerprint="fp_1",
        usage={"prompt_tokens": 100, "completion_tokens": 10},
        dropped=("max_tokens",),
    )


def test_each_run_has_its_own_seed_and_key():
    asked = judge_questions(answers(3), plan(runs=4, seed=10))
    assert [each.parameters["seed"] for each in asked] == [10] * 3 + [11] * 3 + [12] * 3 + [13] * 3
    assert len({each.key for each in asked}) == 12


def test_parameters_not_given_are_left_to_the_server():
    parameters = judge_questions(answers(1), plan(max_tokens=None))[0].parameters
    assert sorted(parameters) == ["model", "seed"]


def test_scores_of_every_run_in_the_order_of_the_predictions(tmp_path):
    runs, facts = collected(tmp_path, answers(3), plan(runs=2), by_seed)
    assert [[score.value for score in scores] for scores in runs] == [[1.0] * 3, [0.0] * 3]
    assert [score.sample_id for score in runs[0]] == ["invented-0", "invented-1", "invented-2"]
    assert (runs[0][0].scorer, runs[0][0].reason) == ("judge/vqa/invented-judge", None)
    assert runs[0][0].version.startswith("1+")
    assert facts["returned_models"] == {"invented-2026": 6}
    assert facts["system_fingerprints"] == {"fp_1": 6}
    assert (facts["seeds"], facts["dropped_parameters"]) == ([0, 1], ["max_tokens"])
    assert facts["usage"] == {"prompt_tokens": 600, "completion_tokens": 60}
    assert len(facts["prompt"]["sha256"]) == 64


def test_what_cannot_be_read_is_unscored_with_its_reason_and_never_0(tmp_path):
    def ask(question, gate):
        return Reply("VERDICT: 5")

    runs, _ = collected(tmp_path, written_reports(2), plan(kind="report"), ask)
    assert [each.value for each in runs[0]] == [None, None]
    assert runs[0][0].reason == "the verdict is none of 0, 1, 2, 3, 4 (asked 2 times)"


def test_the_first_usable_reply_counts(tmp_path):
    replies = iter(["no words", "VERDICT: 1"])
    runs, _ = collected(tmp_path, answers(1), plan(), lambda question, gate: Reply(next(replies)))
    assert (runs[0][0].value, runs[0][0].reason) == (1.0, None)


def test_a_missing_prediction_scores_0_and_costs_nothing(tmp_path):
    predictions = [*answers(1), *answers(2, prediction=None)[1:]]
    assert len(judge_questions(predictions, plan())) == 1
    runs, _ = collected(tmp_path, predictions, plan(), lambda *_: Reply("VERDICT: 1"))
    assert [(each.value, each.reason) for each in runs[0]] == [(1.0, None), (0.0, NO_PREDICTION)]


def test_equal_pairs_share_a_judgement(tmp_path):
    runs, facts = collected(
        tmp_path, written_reports(4, prediction="Clear."), plan(kind="report"), lambda *_: Reply("VERDICT: 3")
    )
    assert [each.value for each in runs[0]] == [3.0] * 4
    assert (facts["judgements"], facts["replies"]) == (1, 1)


def test_open_questions_give_no_scores(tmp_path):
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        with pytest.raises(DataError, match="invented-0 is not judged yet"):
            collect_scores(answers(1), plan(), ledger, Limits())


def test_reports_are_not_judged_as_answers():
    with pytest.raises(DataError) as caught:
        check_judgeable([*answers(1), *written_reports(1)], VQA)
    assert len(caught.value.problems) == 1
    with pytest.raises(DataError):
        check_judgeable(answers(1), REPORT)
    with pytest.raises(DataError):
        check_judgeable([], VQA)


def test_at_least_one_run():
    with pytest.raises(ConfigError):
        plan(runs=0)
