"""``pefomed init``: what it writes, what it keeps out of git, and that it overwrites nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from pefomed_plugin.cli import main, make_parser
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.readers.custom import MEDICAL_CUSTOM
from pefomed_plugin.services.project_template import TEMPLATE, write_project
from tests.unit.services.own_data.files import run, write_images, write_table

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path):
    write_project(tmp_path / "study")
    return tmp_path / "study"


def test_what_is_written(project):
    assert sorted(path.name for path in project.iterdir()) == [
        ".gitignore",
        "README.md",
        "data",
        "evaluate.yaml",
        "stage1.yaml",
        "stage2.yaml",
    ]


def test_the_example_data_are_read_and_no_image_of_the_test_split_is_in_training(project):
    questions, captions = (
        MEDICAL_CUSTOM.read(project / "data" / "questions"),
        MEDICAL_CUSTOM.read(project / "data" / "captions"),
    )
    assert {split: len(rows) for split, rows in questions.splits().items()} == {"train": 8, "test": 4}
    assert [sample.task for sample in captions.samples] == ["caption"] * 4
    images = {
        split: {(questions.image_root / row.only_image).read_bytes() for row in rows}
        for split, rows in questions.splits().items()
    }
    assert len(images["train"]) == 4 and len(images["test"]) == 2
    assert not images["train"] & images["test"]


@pytest.mark.parametrize(
    ("ours", "shipped"),
    [
        ("stage1", "train_configs/pefomed_stage1"),
        ("stage2", "projects/pefomed/stage2_vqa_rad"),
        ("evaluate", "eval_configs/pefomed_vqa_rad"),
    ],
)
def test_the_yamls_are_the_shipped_ones_but_for_the_data(ours, shipped, project):
    own = yaml.safe_load((project / (ours + ".yaml")).read_text(encoding="utf-8"))
    theirs = yaml.safe_load((ROOT / (shipped + ".yaml")).read_text(encoding="utf-8"))
    assert own["model"] == theirs["model"]
    assert {**own["run"], "output_dir": ""} == {**theirs["run"], "output_dir": ""}
    assert own["embedded"]["model"] == theirs["embedded"]["model"]
    assert own["datasets"] == {
        "medical_custom": {"build_info": {"storage": "data/captions" if ours == "stage1" else "data/questions"}}
    }


def test_a_project_for_reports(tmp_path, capsys):
    folder = tmp_path / "study"
    assert main(["init", str(folder), "--task", "report"]) == 0
    assert capsys.readouterr().out.startswith("task: report\n")
    release = MEDICAL_CUSTOM.read(folder / "data" / "reports")
    assert {sample.task for sample in release.samples} == {"report"}
    assert {split: len(rows) for split, rows in release.splits().items()} == {"train": 4, "test": 2}
    for name in ("stage2", "evaluate"):
        own = yaml.safe_load((folder / (name + ".yaml")).read_text(encoding="utf-8"))
        assert own["run"]["task"] == "report_generation"
        assert own["datasets"]["medical_custom"]["build_info"]["storage"] == "data/reports"
    for path in folder.iterdir():
        assert path.is_dir() or not re.search(r"@\w+@|data/questions", path.read_text(encoding="utf-8")), path


def test_the_default_task_is_said(tmp_path, capsys):
    assert main(["init", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("task: vqa (the default; the other is --task report)\n")
    assert "task: medical_vqa" in (tmp_path / "stage2.yaml").read_text(encoding="utf-8")


def test_every_command_in_its_texts_parses(project):
    text = "\n".join(path.read_text(encoding="utf-8") for path in project.iterdir() if path.is_file())
    commands = re.findall(r"^(?:# )?pefomed (.+)$", text, re.MULTILINE)
    assert len(commands) == 10
    for command in commands:
        words = command.split()
        assert make_parser([words[0]]).parse_args(words).command == words[0]


def test_nothing_is_overwritten(project, capsys):
    (project / "stage2.yaml").write_text("mine", encoding="utf-8")
    (project / "stage1.yaml").unlink()
    with pytest.raises(ConfigError, match="nothing is overwritten") as caught:
        write_project(project)
    assert f"{project / 'stage2.yaml'} is there" in caught.value.problems
    assert (project / "stage2.yaml").read_text(encoding="utf-8") == "mine"
    assert not (project / "stage1.yaml").exists()
    assert main(["init", str(project)]) == 2
    assert capsys.readouterr().out == ""


def test_a_folder_with_other_things_in_it_is_taken(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert main(["init", str(tmp_path)]) == 0
    assert "pefomed train --cfg-path stage2.yaml" in capsys.readouterr().err  # the next step
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["init", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.startswith("error: ")


KEPT_OUT = [
    "data/questions/train.jsonl",
    "data/notes.txt",
    "scan.PNG",
    "a/b/scan.Jpeg",
    "series/0001.dcm",
    "x.nii.gz",
    "prepared/q/train.jsonl",
    "output/stage2/checkpoint_last.pth",
    "weights.safetensors",
    "llama/model.bin",
    "llama/tokenizer.model",
    "predictions.jsonl",
    "results.csv",
    "ratings/rater_1.xlsx",
    "report.html",
    ".env",
    ".pefomed-salt",
    "judge.ledger.jsonl",
    "shards/train-000000.tar",
    "elsewhere/MIMIC.CSV.GZ",
]
KEPT = ["README.md", ".gitignore", "stage1.yaml", "stage2.yaml", "evaluate.yaml", "scripts/plot.py"]


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_git_ignores_images_weights_and_texts(project):
    subprocess.run(["git", "init", "--quiet", str(project)], check=True)
    done = subprocess.run(
        ["git", "-C", str(project), "check-ignore", "--", *KEPT_OUT, *KEPT], capture_output=True, text=True, check=False
    )
    assert done.stdout.split("\n")[:-1] == KEPT_OUT


def test_the_template_is_packaged():
    """setup.py: package_data must name ``configs/project/*``."""
    assert {path.name for path in TEMPLATE.iterdir()} == {
        "README.md",
        "gitignore",
        "stage1.yaml",
        "stage2.yaml",
        "evaluate.yaml",
    }
    assert "configs/project/*" in (ROOT / "setup.py").read_text(encoding="utf-8")


def prepared_reports(folder, *options):
    write_images(folder / "bilder", *(f"a{number}.png" for number in range(6)))
    rows = [f"a{number}.png,The lungs are clear {number}." for number in range(6)]
    write_table(folder / "texts.csv", "image,report", *rows)
    words = ["--source", str(folder / "texts.csv"), "--image-root", str(folder / "bilder"), *options]
    assert main(["prepare", "medical_custom", *words, "--out", str(folder / "prepared #1")]) == 0
    return folder / "prepared #1"


def test_a_project_for_data_that_are_prepared(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data = prepared_reports(tmp_path, "--split", "60/20/20", "--split-by", "image").relative_to(tmp_path)
    capsys.readouterr()
    assert main(["init", "study", "--data", str(data)]) == 0
    shown = capsys.readouterr()
    assert f"task: report (as {data} says)\n" in shown.out and "example" not in shown.out
    assert f"name {data}: train 4, val 1, test 1 sample(s)" in shown.out
    assert shown.err.endswith("next: cd study && pefomed train --cfg-path stage2.yaml\n")
    for name in ("stage2", "evaluate"):
        own = yaml.safe_load((tmp_path / "study" / (name + ".yaml")).read_text(encoding="utf-8"))
        assert own["datasets"]["medical_custom"]["build_info"]["storage"] == "../prepared #1"
        assert own["run"]["task"] == "report_generation"
        assert own["run"].get("valid_splits", ["val"]) == ["val"], "what was split off is used"
    readme = (tmp_path / "study" / "README.md").read_text(encoding="utf-8")
    assert str(data) in readme and "one JSON object" not in readme.lower() and "pefomed evaluate" in readme
    assert not re.search(r"@\w+@", readme) and not (tmp_path / "study" / "data" / "reports").exists()


def test_data_that_a_project_is_not_for(tmp_path, capsys):
    release = prepared_reports(tmp_path, "--split", "test")
    for words, told in (
        (["--data", str(release), "--task", "vqa"], "holds reports: leave --task vqa out"),
        (["--data", str(tmp_path / "bilder")], "no manifest.json; prepare the data set first"),
    ):
        assert main(["init", str(tmp_path / "study"), *words]) == 2
        assert told in capsys.readouterr().err and not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("split", "missing", "command"),
    [
        ("train", "no test split is among them, which evaluate.yaml answers", "train --cfg-path stage2.yaml"),
        ("test", "no train split is among them, which stage2.yaml trains on", "evaluate --cfg-path evaluate.yaml"),
    ],
)
def test_data_of_one_split_alone(split, missing, command, tmp_path, capsys):
    release = prepared_reports(tmp_path, "--split", split)
    capsys.readouterr()
    assert main(["init", str(tmp_path / "study"), "--data", str(release)]) == 0
    shown = capsys.readouterr()
    assert missing in shown.out and shown.err.endswith(f"&& pefomed {command}\n")
    run = yaml.safe_load((tmp_path / "study" / "stage2.yaml").read_text())["run"]
    assert (run["valid_splits"], run["test_splits"]) == ([], ["test"] if split == "test" else [])


def test_captions_are_for_stage_1(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path, "a.png", "b.png")
    write_table(tmp_path / "t.csv", "image;caption", "a.png;A disc.", "b.png;A square.")
    assert run("prepare medical_custom --source t.csv --split train --out prepared") == 0
    assert "next: pefomed init my_study --data prepared" in capsys.readouterr().err
    assert run("init my_study --data prepared") == 0
    shown = capsys.readouterr()
    assert "stage1.yaml names prepared: train 2 sample(s)" in shown.out and "drawn examples" in shown.out
    assert "cd my_study && pefomed train --cfg-path stage1.yaml" in shown.err
    project = tmp_path / "my_study"
    storages = {
        name: yaml.safe_load((project / (name + ".yaml")).read_text())["datasets"]["medical_custom"]["build_info"]
        for name in ("stage1", "stage2")
    }
    assert storages == {"stage1": {"storage": "../prepared"}, "stage2": {"storage": "data/questions"}}
    assert not (project / "data" / "captions").exists() and (project / "data" / "questions").is_dir()
    monkeypatch.chdir(project)
    assert run("prepare medical_custom --source ../t.csv --split train --out p") == 0
    assert "doctor --cfg-path stage1.yaml --options datasets.medical_custom" in capsys.readouterr().err


def test_texts_of_two_tasks_have_no_next_step_that_fails(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_images(tmp_path / "d", "a.png", "b.png")
    write_table(folder / "train.csv", "image;report", "a.png;Clear.")
    write_table(folder / "test.csv", "image;question;answer", "b.png;Is it?;yes")
    assert run("prepare medical_custom --source d --out prepared") == 0
    shown = capsys.readouterr()
    assert "next:" not in shown.err and "it holds report and vqa: a project (pefomed init) is for one" in shown.out
    assert run("init my_study --data prepared") == 2
    assert "prepare each by itself" in capsys.readouterr().err
