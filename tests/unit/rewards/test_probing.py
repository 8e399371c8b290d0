"""Which answers a reward overpays, and which completions look like them."""

from __future__ import annotations

import json

import pytest

from pefomed_plugin.cli import audit, main
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.records import CLOSED, OPEN
from pefomed_plugin.rewards import ProbeWatch, earnings, reward
from pefomed_plugin.rewards.probing import COMMONEST
from pefomed_plugin.rewards.watching import REPEATED
from pefomed_plugin.scoring.probes import ECHO, EMPTY, NO, OPTIONS, PERFECT, PROBES, RETRACTED, YES, YES_OR_NO
from pefomed_plugin.services.audit.harness_calls import AuditedSet
from tests.unit.scoring.rows import predicted

ASKED = "Which organ is shown in this image?"
PAIRS = (("yes", CLOSED), ("no", CLOSED), ("left lung", OPEN), ("x-ray", OPEN), ("heart", OPEN), ("kidney", OPEN))
SAMPLES = [
    predicted(answer, None, n, answer_type=kind, question=ASKED).sample for n, (answer, kind) in enumerate(PAIRS)
]


def overpaid(name):
    return {row.probe for row in earnings(reward(name), SAMPLES) if row.is_overpaid}


def test_a_sound_reward_overpays_nothing_and_recall_pays_for_lists():
    assert not overpaid("exact_match")
    assert overpaid("token_recall") == {OPTIONS, RETRACTED, COMMONEST.name}
    assert {YES_OR_NO, OPTIONS} <= overpaid("llava_med_closed")


def test_the_first_row_is_perfect_and_what_is_not_scored_is_counted():
    first = earnings(reward("token_recall"), SAMPLES)[0]
    assert (first.probe, first.mean, first.right, first.scored, first.unscored) == (PERFECT, 1.0, 1.0, 4, 2)


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("yes", {YES}),
        ("No.", {NO}),
        ("yes or no", {YES_OR_NO}),
        ("the organ shown in this image is which", {ECHO}),
        ("heart, kidney, left lung", {OPTIONS}),
        ("heart. No, sorry: kidney", {RETRACTED, OPTIONS}),
        ("lung lung lung", {REPEATED}),
        ("", {EMPTY}),
        ("left lung", set()),
    ],
)
def test_what_a_completion_looks_like(text, looks):
    watch = ProbeWatch(reward("exact_match"), SAMPLES)
    watch(prompts=[""], completions=[text], answer=["left lung"], question=[ASKED])
    assert {share.probe for share in watch.shares() if share.count} == looks


def test_every_look_is_a_probe_and_every_probe_of_questions_is_seen_as_itself():
    watch = ProbeWatch(reward("exact_match"), SAMPLES)
    for name in {share.probe for share in looked(watch)} - {REPEATED}:
        answers = PROBES[name].predictions(SAMPLES)
        seen = ProbeWatch(reward("exact_match"), SAMPLES).add(answers)
        assert seen[name] > 0.6, name


def looked(watch):
    watch.add([predicted()])
    return watch.shares()


def test_the_reward_is_passed_on_logged_and_counted_beside_the_references():
    logged = {}
    watch = ProbeWatch(reward("exact_match"), SAMPLES)
    values = watch(completions=["yes", "yes"], answer=["yes", "no"], log_metric=logged.__setitem__)
    assert values == [1.0, 0.0]
    assert watch.__name__ == "exact_match/pefomed"
    assert logged["probes/always yes"] == 1.0
    assert logged["probes/most common completion"] == 1.0
    yes = next(share for share in watch.shares() if share.probe == YES)
    assert (yes.completions, yes.references, yes.of) == (1.0, 0.5, 2)
    assert watch.most_common() == [("yes", 2)]
    assert watch.words == 1.0


def test_nothing_to_look_for_is_refused():
    with pytest.raises(ConfigError, match="training set"):
        ProbeWatch(reward("exact_match"), [])


def test_the_command_says_what_is_overpaid(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(audit, "_read_sets", lambda *_: [AuditedSet("vqa_rad", tmp_path, "six questions", SAMPLES)])
    assert main(["audit", "--reward", "exact_match"]) == 0
    assert "nothing is paid for more" in capsys.readouterr().out
    assert main(["audit", "--reward", "token_recall", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    rows = {row["probe"]: row for row in told["rewards"]["token_recall/llava_med"]["vqa_rad"]}
    assert rows[OPTIONS]["is_overpaid"]
    assert not rows[PERFECT]["is_overpaid"]
    assert main(["audit", "--reward", "consistency/facts"]) == 2
    assert "not for the tasks" in capsys.readouterr().err
    assert main(["audit", "--reward", "exact_match", "--scorer", "exact_match"]) == 2
    assert "--reward stands alone" in capsys.readouterr().err
