"""Folds: whole groups, each sample tested once, equal shares; written so that every command reads them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pefomed_plugin.cli import main
from pefomed_plugin.errors import DataError
from pefomed_plugin.readers import read_data
from pefomed_plugin.records import Prediction
from pefomed_plugin.reporting.results import read_run
from pefomed_plugin.scoring.breakdown import groups_of
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.services.data.folds import make_folds
from pefomed_plugin.services.images.fingerprints import Fingerprint
from pefomed_plugin.storage import write_records

from ..small import sample, write_rad


def questions(count: int, images: int) -> list:
    kinds = ("OPEN", "CLOSED", "CLOSED")
    return [
        replace(sample(number, image=f"{number % images}.png"), answer_type=kinds[number % 3])
        for number in range(count)
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_every_sample_is_tested_once_and_no_image_twice(seed) -> None:
    samples = questions(300, 60)
    folds = make_folds(samples, 4, "image", seed, {})
    assert sorted(row.id for fold in folds for row in fold.test) == sorted(row.id for row in samples)
    for fold in folds:
        assert len(fold.train) + len(fold.test) == 300
        assert not {row.images for row in fold.train} & {row.images for row in fold.test}
        assert {row.split for row in fold.test} == {"test"} and {row.split for row in fold.train} == {"train"}
        assert len(fold.test) == 75 and Counter(row.answer_type for row in fold.test) == {"CLOSED": 50, "OPEN": 25}
    again = make_folds(samples, 4, "image", seed, {})
    assert [[row.id for row in fold.test] for fold in again] == [[row.id for row in fold.test] for fold in folds]


def test_another_seed_makes_other_folds() -> None:
    one, other = (make_folds(questions(90, 30), 3, "image", seed, {}) for seed in (0, 1))
    assert [row.id for row in one[0].test] != [row.id for row in other[0].test]


def test_copies_and_what_looks_alike_stay_together() -> None:
    samples = questions(8, 8)
    same, alike = Fingerprint("1" * 64, "a" * 16), Fingerprint("2" * 64, "a" * 16)
    prints = {"0.png": same, "5.png": same, "7.png": alike}
    for fold in make_folds(samples, 3, "image", 3, prints):
        inside = {row.id for row in fold.test} & {"vqa_rad-0", "vqa_rad-5", "vqa_rad-7"}
        assert len(inside) in (0, 3)


def test_a_chain_of_shared_images_is_one_group() -> None:
    samples = [replace(sample(number), images=(f"{number}.png", f"{number + 1}.png")) for number in range(5)]
    with pytest.raises(DataError, match=r"1 group\(s\) by image cannot make 2 folds"):
        make_folds(samples, 2, "image", 0, {})


def test_patients_keep_their_studies_and_must_be_known() -> None:
    samples = [replace(sample(number), metadata={"study": number // 2, "subject": number // 4}) for number in range(16)]
    for fold in make_folds(samples, 2, "patient", 0, {}):
        assert not {row.metadata["subject"] for row in fold.train} & {row.metadata["subject"] for row in fold.test}
    with pytest.raises(DataError, match="1 of 17 samples do not say theirs"):
        make_folds([*samples, sample(99)], 2, "patient", 0, {})


def test_what_restates_another_is_never_tested() -> None:
    samples = [*questions(6, 6), replace(sample(9, image="0.png"), metadata={"frame_of": "vqa_rad-0"})]
    folds = make_folds(samples, 2, "image", 0, {})
    assert "vqa_rad-9" not in {row.id for fold in folds for row in fold.test}
    assert sum("vqa_rad-9" in {row.id for row in fold.train} for fold in folds) == 1  # where its image is


def test_the_command_writes_what_trains_and_evaluates(tmp_path: Path, capsys) -> None:
    rows = [{"qid": number, "image": number // 2, "split": ("train", "test")[number % 2]} for number in range(8)]
    data = write_rad(tmp_path / "data", rows)
    out = tmp_path / "folds"
    assert main(["folds", "vqa_rad", "--data", str(data), "-k", "99", "--out", str(out)]) == 2
    assert "4 group(s) by image cannot make 99 folds" in capsys.readouterr().err  # and may be tried again
    command = ["folds", "vqa_rad", "--data", str(data), "-k", "2", "--out", str(out)]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [fold["test"] for fold in told["folds"]] == [4, 4] and not any(
        count for fold in told["folds"] for what, count in fold["leaks"].items() if what.startswith("test: images")
    )
    assert main(command) == 2 and "not empty" in capsys.readouterr().err
    ids = [row["qid"] for row in rows]
    found = []
    for number in (1, 2):
        config = yaml.safe_load((out / f"fold_{number}.yaml").read_text())
        storage = config["datasets"]["vqa_rad"]["build_info"]["storage"]
        assert list(config["datasets"]) == ["vqa_rad"] and config["run"]["valid_splits"] == []
        splits = read_data("vqa_rad", Path(storage)).splits()
        found += [row.metadata["source_id"] for row in splits["test"]]
        run = Path(config["run"]["output_dir"]) / "results" / "vqa_rad-test"
        answers = [Prediction.of(row, "yes" if number == 1 else "never", {}) for row in splits["test"]]
        write_records(run / "predictions.jsonl", answers)
        write_scores(answers, ["exact_match"], run, {})
        assert main(["floors", str(run), "--data", storage, "--predictor", "most_frequent"]) == 0
        assert main(["leaks", str(run), "--data", storage]) == 0
    assert sorted(found) == ids

    capsys.readouterr()
    runs = [str(out / "runs" / f"fold_{number}") for number in (1, 2)]
    assert main(["folds-summary", *runs, "--out", str(out / "all"), "--json"]) == 0
    overall = json.loads(capsys.readouterr().out)["figures"]["exact_match/pefomed"]["overall"]
    assert overall["n"] == 8 and overall["mean"] == overall["value"] and list(overall["folds"]) == runs
    (together,) = read_run(out / "all").answered.values()
    assert {groups_of(row, "leak") for row in together.predictions} == {("none found",)}
    assert main(["compare", str(out / "all")]) == 0
    assert "floor: most_frequent" in capsys.readouterr().out
    assert main(["folds-summary", runs[0], runs[0] + "/", "--out", str(out / "twice")]) == 2
    capsys.readouterr()
    assert main(["folds-summary", runs[0], str(out / "all"), "--out", str(out / "twice")]) == 2
    assert "answered by two of them" in capsys.readouterr().err


def test_samples_without_an_image_are_in_no_fold_and_counted(tmp_path: Path, capsys) -> None:
    rows = [{"qid": number, "image": number // 2, "split": ("train", "test")[number % 2]} for number in range(8)]
    data = write_rad(tmp_path / "data", rows)
    next(iter(sorted((data / "images").iterdir()))).unlink()
    assert main(["folds", "vqa_rad", "--data", str(data), "-k", "2", "--out", str(tmp_path / "folds")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "8 samples of all splits; each of the others is tested once. 2 sample(s) are in no fold: image: no such"
        in shown
    )
    assert "restate" not in shown


def test_shards_are_refused(tmp_path: Path, capsys) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "index.json").write_text("{}")
    assert main(["folds", "vqa_rad", "--data", str(tmp_path / "shards"), "--out", str(tmp_path / "out")]) == 2
    assert "shards" in capsys.readouterr().err and not (tmp_path / "out").exists()
