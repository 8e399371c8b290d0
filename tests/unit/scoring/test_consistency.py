"""What a report states beside its reference: negation, side, count, measurement."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.consistency import ALL, KINDS, NAME, score_consistency
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.scoring.report_facts import _STATED, FINDINGS, PLACES, read_facts
from tests.unit.steps import count_steps


def report(answer, prediction, number=0):
    return Prediction(
        f"r-{number}", "iu_xray", "test", (f"{number}.png",), "report", None, answer, prediction=prediction
    )


def values(answer, prediction):
    scores = score_consistency([report(answer, prediction)])
    return {score.scorer.rsplit("/", 1)[1]: score.value for score in scores}


def negation(text):
    return {" ".join(fact[:-1]) + (" -" if fact[-1] == "absent" else " +") for fact in read_facts(text).negation}


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("No pneumothorax, effusion or consolidation.", {"pneumothorax -", "effusion -", "consolidation -"}),
        ("No effusion. Pneumothorax on the left.", {"effusion -", "pneumothorax +"}),
        ("No effusion but a large mass", {"effusion -", "mass +"}),
        ("No effusion, the heart is enlarged", {"effusion -", "cardiomegaly +"}),
        ("Pneumothorax or effusion is not seen", {"pneumothorax -", "effusion -"}),
        ("The heart is not enlarged", {"cardiomegaly -"}),
        ("Without change in the opacity", {"opacity +"}),
        ("No significant interval change in effusions", {"effusion +"}),
        ("Pneumonia cannot be excluded", {"pneumonia +"}),
        ("The fracture has resolved", {"fracture -"}),
        ("Heart and lungs are normal", {"normal heart +", "normal lung +"}),
        ("The heart is not normal", {"normal heart -"}),
        ("Negative for haemorrhage or oedema", {"hemorrhage -", "edema -"}),
        ("NO PLEURAL EFFUSION", {"effusion -"}),
        ("A knotted notebook of masses", {"mass +"}),
        ("", set()),
        ("Nothing of the kind", set()),
    ],
)
def test_findings_are_present_or_absent(text, stated):
    assert negation(text) == stated


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        (
            "Opacity in the left base and mass in the right apex",
            {"left opacity", "left base", "right mass", "right apex"},
        ),
        ("Bilateral effusions", {"left effusion", "right effusion"}),
        ("Left and right effusions", {"left effusion", "right effusion"}),
        ("Effusion", set()),
    ],
)
def test_sides_belong_to_what_is_near(text, stated):
    assert {" ".join(fact) for fact in read_facts(text).laterality} == stated


def test_counts_levels_and_measurements():
    facts = read_facts("Two nodules, 3 rib fractures; fracture of T12. A 1.2 x 3 cm mass, 15mm cyst. Seen 2 days ago.")
    assert set(facts.number) == {("2", "nodule"), ("3", "rib"), ("level", "t12")}
    assert set(facts.measurement) == {("12", "mm"), ("30", "mm"), ("15", "mm")}


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ("There is pneumothorax. A 12 mm nodule in the left base, two masses.", "negation"),
        ("There is no pneumothorax. A 12 mm nodule in the right base, two masses.", "laterality"),
        ("There is no pneumothorax. A 12 mm nodule in the left base, three masses.", "number"),
        ("There is no pneumothorax. A 22 mm nodule in the left base, two masses.", "measurement"),
    ],
)
def test_a_change_of_one_word_lowers_its_kind_and_no_other(changed, kind):
    reference = "There is no pneumothorax. A 12 mm nodule in the left base, two masses."
    assert set(values(reference, reference).values()) == {1.0}
    found = values(reference, changed)
    assert found[kind] < 1 and found[ALL] < 1
    assert {found[other] for other in KINDS if other != kind} == {1.0}


def test_other_words_for_the_same_change_nothing():
    assert values("1.2 cm opacity, pleural fluid", "effusions and a 12 mm density")[ALL] == 1.0


def test_silence_is_0_and_nothing_on_either_side_is_not_scored():
    assert values("No effusion.", None)[ALL] == values("No effusion.", "Thank you.")[ALL] == 0.0
    assert values("Thank you.", "No effusion.")["negation"] == 0.0
    assert values("Thank you.", "Dear colleague") == dict.fromkeys((*KINDS, ALL))


def test_figures_have_intervals_and_groups(tmp_path):
    rows = [report("No effusion.", "No effusion." if number % 2 else "Effusion.", number) for number in range(8)]
    figures = write_scores(rows, ["consistency"], tmp_path, {}, axes=["dataset"])["scores"][NAME]
    assert figures["negation"]["value"] == 0.5 and figures["negation"]["interval"]["low"] < 0.5
    assert figures["measurement"]["value"] is None and figures["measurement"]["unscored"] == 8
    assert figures["facts dataset iu_xray"]["value"] == 0.5
    with pytest.raises(DataError):
        score_consistency([])


def test_every_word_list_is_read_as_its_own_name():
    """A word that two lists hold would be read as the first alone."""
    for name in set(FINDINGS) - {"tube or line"}:  # of which none is written so
        assert set(read_facts(name).negation) == {(name, "present")}
    for name in PLACES:
        assert ("left", name) in read_facts(f"left {name}").laterality, name


@pytest.mark.parametrize("unit", ["no ", "1 x ", ", the a "])
def test_reading_is_linear(unit):
    few, many = (count_steps(_STATED, unit * (length // len(unit)) + "!") for length in (20, 80))
    assert many <= 6 * few
