"""Reporting guidelines filled in from a run: what it knows, and that the rest is left open."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.provenance import DataPart, ModelPart, RunRecord, WeightsFile, write_record
from pefomed_plugin.reporting.checklists import GUIDELINES
from pefomed_plugin.reporting.checklists.facts import KNOWN
from pefomed_plugin.reporting.checklists.filling import fill
from pefomed_plugin.reporting.results import read_run
from pefomed_plugin.scoring.leaks import SampleLeaks, TrainingFacts, write_leaks

from .made import answers, make_run

CONFIG: dict[str, Any] = {
    "model": {"arch": "minigpt_v2", "image_size": 448, "lora_r": 64, "ckpt": "somewhere/stage1.pth"},
    "datasets": {"vqa_rad": {"batch_size": 6, "limit": {"train": 100}}},
    "run": {"task": "medical_vqa", "max_epoch": 2, "valid_splits": [], "init_lr": 3e-5, "min_lr": 1e-5, "seed": 42},
}


def said(folder: Path, guideline: str = "claim") -> dict[str, Any]:
    return {answer.item.number: answer for answer in fill(GUIDELINES[guideline], read_run(folder))}


def test_every_item_is_there_once_and_every_fact_is_asked_for() -> None:
    assert [item.number for item in GUIDELINES["claim"].items] == [str(number) for number in range(1, 45)]
    parts = {3: "ab", 5: "abcde", 6: "abcde", 7: "abcde", 8: "abc", 9: "ab", 14: "abcdef", 16: "abcd", 19: "abcdefg"}
    table_2 = [f"{main}{part}" for main in range(1, 20) for part in parts.get(main, ("",))]
    assert [item.number for item in GUIDELINES["tripod_llm"].items] == table_2 and len(table_2) == 49
    asked = {key for guideline in GUIDELINES.values() for item in guideline.items for key in item.known}
    assert asked == set(KNOWN)


def test_what_a_run_says_is_its_own(tmp_path: Path) -> None:
    found = said(make_run(tmp_path / "run", answers([True, True, False, True]), config=CONFIG))
    assert "exact_match/pefomed overall 75.0 %" in found["37"].said and "[" in found["37"].said
    assert found["37"].where == "results/vqa_rad-test/metrics.json"
    assert "1 of 4 wrong" in found["39"].said
    assert "vqa_rad, train: the first 100" in found["10"].said
    assert "stage1.pth" in found["24"].said and "somewhere" not in found["24"].said
    assert found["26"].state == "open", "no record says which checkpoint answered"
    assert "4 answers" in found["21"].said and found["21"].state == "partly"
    assert "vqa_rad-test: 0 of 4 answers are missing" in found["12"].said
    assert {found[number].state for number in ("4", "6", "34", "36", "41", "44")} == {"open"}
    assert (found["18"].state, found["31"].state) == ("open", "open"), "nobody rated, nothing was explained"


@pytest.mark.parametrize(("name", "said_of"), [("best", "lowest loss on val"), ("last", "the last epoch")])
def test_the_checkpoint_that_answered_says_how_it_was_chosen(tmp_path: Path, name: str, said_of: str) -> None:
    """A split that is asked for may not be there: then nothing was chosen by it."""
    config = {**CONFIG, "run": {**CONFIG["run"], "valid_splits": ["val"]}}
    folder = make_run(tmp_path / "run", answers([True]), config=config)
    checkpoint = WeightsFile(f"out/checkpoint_{name}.pth", None)
    write_record(folder / "results", RunRecord({}, ModelPart("real", {"checkpoint": checkpoint})))
    assert said_of in said(folder)["26"].said


def test_the_metrics_and_people_that_item_17_refers_to_are_7a_and_7d() -> None:
    """Copies of the preprint number items 6 and 7 otherwise."""
    topics = {item.number: item.topic for item in GUIDELINES["tripod_llm"].items}
    assert topics["7a"].startswith("metrics") and topics["7d"].startswith("assessors")


def test_an_item_of_which_a_part_is_unknown_is_not_filled(tmp_path: Path) -> None:
    """Answers from elsewhere tell their outcome and metrics, and not when they were given."""
    undated = said(make_run(tmp_path / "import", answers([True, False])), "tripod_llm")["7c"]
    assert undated.said and (undated.state, undated.left) == ("partly", "what the run did not record")
    folder = make_run(tmp_path / "run", answers([True, False]), config=CONFIG)
    write_record(folder / "results", RunRecord({}, ModelPart("real"), written_at="2026-11-28T00:00:00"))
    dated = said(folder, "tripod_llm")["7c"]
    assert "Answered on 2026-11-28" in dated.said and (dated.state, dated.left) == ("filled", "")


def test_of_an_open_item_all_is_left_or_where_to_look(tmp_path: Path) -> None:
    found = said(make_run(tmp_path / "run", answers([True, False]), config=CONFIG))
    assert (found["31"].state, found["31"].left) == ("open", "all of it"), "and not only what a map would lack"
    assert (found["13"].state, found["13"].left) == ("open", "scanners and protocols, where the release says")


def test_people_who_rate_answers_did_not_annotate_the_references() -> None:
    for guideline in GUIDELINES.values():
        asks = {item.number for item in guideline.items if "raters" in item.known}
        assert asks <= {"7d"}, guideline.name


def test_what_nobody_looked_at_is_not_called_none(tmp_path: Path) -> None:
    said_by_all = answers([True, False, True])
    folder = make_run(tmp_path / "run", said_by_all, config=CONFIG)
    verdicts = {"image_in_training": [True, None, False], "question_in_training": [None] * 3}
    training = TrainingFacts(samples=9, sha256="", images_opened=False)
    write_leaks(folder / "results" / "vqa_rad-test", SampleLeaks.of(said_by_all, training, verdicts))
    told = said(folder)["20"]
    assert "image in training 1 of 2 (1 not known)" in told.said and "question in training not known" in told.said
    assert told.state == "partly"


def test_answers_from_elsewhere_leave_open_what_nobody_recorded(tmp_path: Path) -> None:
    found = said(make_run(tmp_path / "run", answers([True, False])))
    assert {found[number].state for number in ("9", "10", "22", "23", "24", "25", "26", "27", "33", "42")} == {"open"}
    assert found["37"].state == "filled"
    assert found["32"].state == "open", "it is not known what the model was trained on"


def test_data_of_ones_own_are_not_called_retrospective(tmp_path: Path) -> None:
    own = [replace(one, dataset="medical_custom", id=f"medical_custom-{n}") for n, one in enumerate(answers([True]))]
    config = {**CONFIG, "datasets": {"medical_custom": {}}}
    found = said(make_run(tmp_path / "run", own, config=config))
    assert found["5"].state == "open"


def test_prompts_of_ones_own_are_not_called_fixed_beforehand(tmp_path: Path) -> None:
    usual = make_run(tmp_path / "usual", answers([True]), config=CONFIG)
    config = {**CONFIG, "datasets": {"vqa_rad": {"prompt_pool": ["{question}"]}}}
    own = make_run(tmp_path / "own", answers([True]), config=config)
    assert said(usual, "tripod_llm")["9b"].state == "filled"
    assert said(own, "tripod_llm")["9b"].state == "open"


def test_the_command_writes_shows_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = make_run(tmp_path / "run", answers([True, False]), config=CONFIG)
    assert main(["checklist", str(folder), "--guideline", "claim", "--out", str(tmp_path / "claim.md")]) == 0
    text = (tmp_path / "claim.md").read_text(encoding="utf-8")
    assert text.count("\n| ") == 44 + 2 and "240300" in text
    (tmp_path / "claim.md").write_text("gone on with by hand", encoding="utf-8")
    assert main(["checklist", str(folder), "--guideline", "claim", "--out", str(tmp_path / "claim.md")]) == 0
    assert (tmp_path / "claim.md.1").read_text(encoding="utf-8") == "gone on with by hand"
    assert "it is now" in capsys.readouterr().out
    assert main(["checklist", str(folder), "--out", str(folder)]) == 2 and (folder / "results").is_dir()
    assert "is a folder: name a file in it" in capsys.readouterr().err
    assert main(["checklist", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {item["state"] for item in found["claim"]} == {"filled", "partly", "open"} and found["tripod_llm"]
    assert main(["checklist", str(folder), "--guideline", "clam"]) == 2
    assert "did you mean 'claim'" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["run", "import"])
def test_where_it_stands_is_there(tmp_path: Path, form: str) -> None:
    """Answers of a run lie in results/, those from elsewhere beside their record, which tells of the data alone."""
    folder = make_run(tmp_path / "run", answers([True, False]), config=CONFIG if form == "run" else None)
    if form == "import":
        (folder / "results" / "vqa_rad-test").rename(tmp_path / "import")
        folder = tmp_path / "import"
        write_record(folder, RunRecord({"vqa_rad": DataPart("vqa_rad", "real")}, ModelPart("real")))
    found = [answer for guideline in GUIDELINES.values() for answer in fill(guideline, read_run(folder))]
    named = {name for answer in found for name in answer.where.split(", ") if name and not name.startswith("docs/")}
    assert named and [name for name in sorted(named) if not (folder / name).exists()] == []
    assert not any(" None" in answer.said for answer in found)
    assert ("provenance.json" in named, "config.yaml" in named) == (form == "import", form == "run")


def test_what_no_record_says_of_answers_from_elsewhere_is_open(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", answers([True, False]))
    write_record(folder / "results", RunRecord({"vqa_rad": DataPart("vqa_rad", "real")}, ModelPart("real")))
    assert {said(folder)[number].state for number in ("23", "42")} == {"open"}, "software, the whole protocol"
    assert said(folder, "tripod_llm")["12"].state == "open", "compute"


def test_nothing_of_a_release_is_said_of_generated_data(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", answers([True, False]), config=CONFIG)
    record = RunRecord({"vqa_rad": DataPart("vqa_rad", "generated")}, ModelPart("real"), plugin={"version": "1"})
    write_record(folder / "results", record)
    claim, tripod = said(folder), said(folder, "tripod_llm")
    assert claim["5"].said == "Neither: generated data (VQA-RAD)."
    assert "osf.io" not in claim["7"].said and "generated in its layout" in claim["7"].said
    assert claim["14"].said == "References of VQA-RAD are generated with the images."
    assert claim["16"].said == "Nobody: the references of VQA-RAD are generated."
    assert claim["19"].said == "Generated data have those that they were generated with."
    assert tripod["19c"].state == "open", "what is odd in the release is not so of them"


def test_training_began_with_what_it_recorded(tmp_path: Path) -> None:
    """A variable of the environment says nothing to a reader; a run that answers alone has trained nothing."""
    config = {**CONFIG, "model": {**CONFIG["model"], "ckpt": "${oc.env:PEFOMED_CKPT}"}}
    folder = make_run(tmp_path / "run", answers([True]), config=config)
    write_record(folder, RunRecord({}, ModelPart("real", {"checkpoint": WeightsFile("somewhere/begun.pth", None)})))
    assert "Training began with the checkpoint begun.pth;" in said(folder)["24"].said
    evaluated = {**config, "run": {**config["run"], "evaluate": True}}
    assert said(make_run(tmp_path / "other", answers([True]), config=evaluated))["24"].state == "open"
