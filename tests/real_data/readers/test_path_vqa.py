"""PathVQA as released: its published figures."""

from __future__ import annotations

from collections import Counter

from pefomed_plugin.readers.path_vqa import FIGURE_4_TYPES, PATH_VQA
from pefomed_plugin.records import SPLITS
from tests.real_data.data import real_data


def test_real_files_have_their_published_figures() -> None:
    splits = PATH_VQA.read(real_data("path_vqa"), question_types="released").splits()
    assert {name: len(part) for name, part in splits.items()} == {"train": 19755, "val": 6279, "test": 6761}
    closed = [sum(sample.answer_type == "CLOSED" for sample in splits[name]) for name in SPLITS]
    assert closed == [5428 + 4378, 1721 + 1414, 1844 + 1547] == [9806, 3135, 3391]
    assert [len({sample.only_image for sample in splits[name]}) for name in SPLITS] == [2599, 832, 858]
    types = [Counter(sample.question_type for sample in splits[name]) for name in SPLITS]
    names = ("what", "yes/no", "where", "how", "why", "how many/how much", "who/whose", "when")
    assert types == [
        dict(zip(names, counts))
        for counts in (
            (8083, 9804, 1316, 362, 71, 67, 21, 31),
            (2565, 3135, 409, 108, 21, 22, 6, 13),
            (2754, 3390, 432, 119, 22, 22, 15, 7),
        )
    ]
    triples = [{(sample.only_image, sample.question, sample.answer) for sample in splits[name]} for name in SPLITS]
    assert [len(part) for part in triples] == [19654, 6259, 6719]
    assert [sum("  " in str(sample.question) for sample in splits[name]) for name in SPLITS] == [433, 113, 145]


def test_real_questions_have_the_types_of_figure_4() -> None:
    test = PATH_VQA.read(real_data("path_vqa")).splits()["test"]
    found = Counter(sample.question_type for sample in test)
    printed = (1800, 1307, 19, 2754, 432, 7, 118, 22, 13, 2, 22)
    assert {name: found[name] for name in FIGURE_4_TYPES} == dict(zip(FIGURE_4_TYPES, printed))
    others = {"are": 165, "do": 77, "was": 14, "has": 5, "were": 2, "had": 1, "other": 1}
    assert {name: count for name, count in found.items() if name not in FIGURE_4_TYPES} == others
