"""What docs/where-figures-come-from.md says of the published test sets, counted again."""

from __future__ import annotations

import json
from pathlib import Path

from pefomed_plugin.cli import main
from pefomed_plugin.readers import read_data
from pefomed_plugin.records import CLOSED
from tests.real_data.data import real_data

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "where-figures-come-from.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def splits(name, **options):
    return read_data(name, real_data(name), **options).splits()


def images(samples):
    return {sample.only_image for sample in samples}


def test_vqa_rad():
    found = splits("vqa_rad")
    test = found["test"]
    assert (len(found["train"]), len(test)) == (3064, 451) and "(3,064 / 451" in TEXT
    assert len(images(test)) == len(images(test) & images(found["train"])) == 203 and "all 203 test images" in TEXT
    yes_or_no = sum(sample.answer.strip().lower() in ("yes", "no") for sample in test)
    closed = sum(sample.answer_type == CLOSED for sample in test)
    assert (yes_or_no, closed) == (251, 272) and "251 questions are closed, by the release's own flags 272" in TEXT
    yes = [sample.answer.strip() for sample in test if sample.answer.strip().lower() == "yes"]
    shares = [f"{100 * count / len(test):.1f}" for count in (yes.count("yes"), len(yes))]
    assert shares == ["11.3", "26.2"] and all(f"| {share} |" in PAGE for share in shares)


def test_slake():
    english, chinese, both = (splits("slake", language=language) for language in ("en", "zh", "all"))
    assert (len(english["test"]), len(both["test"])) == (1061, 2094)
    assert "has 1,061 questions, both languages 2,094" in TEXT
    shares = [
        100 * sum(sample.answer_type == CLOSED for sample in found["test"]) / len(found["test"])
        for found in (english, both)
    ]
    assert [round(share, 1) for share in shares] == [39.2, 39.9] and "(39.2 % and 39.9 % closed)" in TEXT
    test = images(english["test"])
    assert not test & images(english["train"])
    assert (len(test & images(chinese["train"])), len(test)) == (72, 96) and "72 of the 96 English test images" in TEXT


def test_what_a_second_language_does_to_the_floor(capsys):
    data = ["--data", str(real_data("slake")), "--json"]
    predictors = ["--predictor", "nearest_question", "--predictor", "most_frequent_of_type"]
    assert main(["baseline", "slake", *data, *predictors, "--option", "language=all"]) == 0
    found = {each["predictor"]: round(each["strict"], 1) for each in json.loads(capsys.readouterr().out)["baselines"]}
    assert found == {"nearest_question": 56.2, "most_frequent_of_type": 10.6}
    assert "56.2 % in both" in TEXT and "21.5 % and 10.6 %" in TEXT


def test_path_vqa():
    test = splits("path_vqa")["test"]
    distinct = {(sample.only_image, sample.question, sample.answer) for sample in test}
    assert (len(test), len(distinct)) == (6761, 6719) and "6,761 test questions in the release. 6,719 of them" in TEXT
    assert 100 * sum(sample.answer_type != CLOSED for sample in test) / len(test) == 100 * 3370 / 6761  # 49.8


def test_iu_xray():
    test = splits("iu_xray")["test"]
    assert (len(test), len({sample.metadata["study"] for sample in test})) == (1180, 590)
    assert "1,180 test samples are 590 reports" in TEXT
