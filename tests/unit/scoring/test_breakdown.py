from __future__ import annotations

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Prediction, Score
from pefomed_plugin.scoring.breakdown import AXES, break_down, cluster_of
from pefomed_plugin.scoring.exact_match import score_exact_match

from .rows import predicted


def cells(rows: list[Prediction], axis: str) -> dict:
    return {cell.group: (cell.n, cell.value) for cell in break_down(rows, score_exact_match(rows), axis)}


def test_a_row_with_two_question_types_counts_in_both() -> None:
    rows = [
        predicted("yes", "yes", 1, question_type="ATTRIB, PRES"),
        predicted("yes", "no", 2, question_type="PRES"),
        predicted("yes", "no", 3, question_type="PRES, PRES, "),
        predicted("yes", "yes", 4),
    ]
    found = cells(rows, "question_type")
    assert found == {"ATTRIB": (1, 1.0), "PRES": (3, pytest.approx(1 / 3)), "not given": (1, 1.0)}


def test_the_other_axes() -> None:
    rows = [
        predicted("yes", "yes", 1, organ="HEAD", phrase_type="para", answer_type="OPEN", metadata={"modality": "CT"}),
        predicted("yes", "no", 2, organ="CHEST", phrase_type="freeform", answer_type="CLOSED ", dataset="slake"),
        predicted("yes", "no", 3, organ=" ", answer_type="OPEN", metadata={"modality": None}),
    ]
    assert cells(rows, "organ") == {"CHEST": (1, 0.0), "HEAD": (1, 1.0), "not given": (1, 0.0)}
    assert cells(rows, "phrase_type") == {"freeform": (1, 0.0), "para": (1, 1.0), "not given": (1, 0.0)}
    assert cells(rows, "modality") == {"CT": (1, 1.0), "not given": (2, 0.0)}
    assert cells(rows, "dataset") == {"slake": (1, 0.0), "vqa_rad": (2, 0.5)}
    assert cells(rows, "answer_type") == {"CLOSED": (1, 0.0), "OPEN": (2, 0.5)}
    assert cells(rows, "overall") == {"all": (3, pytest.approx(1 / 3))}


def test_groups_are_in_alphabetical_order_with_not_given_last() -> None:
    rows = [predicted(number=number, organ=organ) for number, organ in enumerate(["spleen", None, "liver", "zygoma"])]
    assert [cell.group for cell in break_down(rows, score_exact_match(rows), "organ")] == [
        "liver",
        "spleen",
        "zygoma",
        "not given",
    ]


def test_unscored_rows_are_counted_and_not_averaged() -> None:
    rows = [predicted(number=number, organ="HEAD" if number < 3 else "CHEST") for number in range(4)]
    values = (1.0, None, 0.0, None)
    scores = [Score(row.id, "judge", "1", value) for row, value in zip(rows, values)]
    chest, head = break_down(rows, scores, "organ")
    assert (head.n, head.unscored, head.value) == (2, 1, 0.5)
    assert (chest.n, chest.unscored, chest.value, chest.interval.reason) == (0, 1, None, "nothing was scored")


def test_views_of_a_study_are_drawn_together() -> None:
    widths = []
    for views in (2, 1):
        rows = [
            predicted("yes", "yes" if number % 4 < 2 else "no", number, metadata={"study": number // views})
            for number in range(80)
        ]
        interval = break_down(rows, score_exact_match(rows))[0].interval
        assert interval.low is not None and interval.high is not None
        widths.append(interval.high - interval.low)
    assert widths[0] > 1.2 * widths[1]


def test_studies_of_a_patient_are_drawn_together() -> None:
    said = {"subject": "p1", "study": "s1"}, {"subject": "p1", "study": "s2"}, {"study": "s1"}, {}
    one, other, without, alone = (
        cluster_of(predicted(number=number, metadata=metadata)) for number, metadata in enumerate(said)
    )
    assert one == other and len({one, without, alone}) == 3


def test_a_cell_does_not_depend_on_the_other_groups() -> None:
    rows = [predicted("yes", "yes" if number % 3 else "no", number, organ="HEAD") for number in range(30)]
    alone = break_down(rows, score_exact_match(rows), "organ")[0]
    rows = [predicted(number=number, organ="ABD") for number in range(100, 130)] + rows
    assert break_down(rows, score_exact_match(rows), "organ")[1] == alone


def test_codes_have_their_data_sets_words_beside_them() -> None:
    rows = [predicted(number=number, organ=organ) for number, organ in enumerate(["ABD", "CHEST", "odd", None])]
    labels = [cell.label for cell in break_down(rows, score_exact_match(rows), "organ")]
    assert labels == ["ABD (abdomen)", "CHEST", "odd", "not given"]
    imported = [predicted(organ="ABD", dataset="of nobody")]
    assert break_down(imported, score_exact_match(imported), "organ")[0].label == "ABD"


def test_a_field_that_the_data_set_declares_is_an_axis() -> None:
    rows = [predicted(number=number, dataset="roco", metadata={"kind": kind}) for number, kind in enumerate("aab")]
    assert [(cell.group, cell.n) for cell in break_down(rows, score_exact_match(rows), "kind")] == [("a", 2), ("b", 1)]
    with pytest.raises(ConfigError, match="'kin': did you mean 'kind'"):
        break_down(rows, score_exact_match(rows), "kin")
    with pytest.raises(ConfigError, match="'kind': known: "):
        break_down([predicted()], score_exact_match([predicted()]), "kind")


def test_mistakes_are_named() -> None:
    rows = [predicted()]
    with pytest.raises(ConfigError, match="did you mean 'organ'"):
        break_down(rows, score_exact_match(rows), "organs")
    with pytest.raises(DataError, match="no predictions"):
        break_down([], [])


def test_as_many_rows_as_path_vqa_on_every_axis() -> None:
    """At full size every row is in a cell and every cell has its interval; how long it takes: projects/benchmarks."""
    rows = [
        predicted(
            "yes",
            "yes" if number % 7 else "no",
            number,
            image=f"image{number % 858}",
            question_type=("what", "where", "how", "is", "does, why")[number % 5],
        )
        for number in range(6761)
    ]
    scores = score_exact_match(rows)
    for axis in AXES:
        cells = break_down(rows, scores, axis)
        assert sum(cell.n for cell in cells) >= (6761 if cells else 0), axis
    (overall,) = break_down(rows, scores, "overall")
    assert overall.n == 6761
    assert overall.interval.low < overall.value < overall.interval.high
