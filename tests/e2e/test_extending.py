"""docs/extending.md followed to the letter: its package is built, installed and used by its commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.records import Prediction
from pefomed_plugin.storage import write_records
from tests.unit.services.small import small_image

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([^`]+)`:\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = [
    line
    for language, text in re.findall(r"^```(\w*)\n(.*?)^```\n", PAGE, re.MULTILINE | re.DOTALL)
    for line in text.splitlines()
    if not language
]
NOTES = "film,question,reply,ward\n{}"


def write_package(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def install(source: Path, target: Path) -> Path:
    """The package as pip installs it, without any other."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--disable-pip-version-check",
            "--target",
            str(target),
            str(source),
        ],
        check=True,
        capture_output=True,
    )
    return target


@pytest.fixture(scope="module")
def installed(tmp_path_factory: Any) -> Path:
    """The page's package, installed in a folder of its own."""
    source = write_package(
        tmp_path_factory.mktemp("source"), {name: text for name, text in FILES.items() if not name.endswith(".yaml")}
    )
    return install(source, tmp_path_factory.mktemp("site"))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A release of ward notes, predictions about it, and the page's YAML, as the current folder."""
    release = tmp_path / "downloads" / "ward_notes"
    for name in ("notes_train.csv", "notes_test.csv"):
        rows = f"{name[6:8]}1.png,Which side is the tube on?,left,B2\n{name[6:8]}2.png,Is the heart enlarged?,no,C1\n"
        write_package(release, {name: NOTES.format(rows)})
        for number in (1, 2):
            path = release / "films" / f"{name[6:8]}{number}.png"
            path.parent.mkdir(exist_ok=True)
            small_image(len(name) + number).save(path)
    (tmp_path / "ward_run.yaml").write_text(FILES["ward_run.yaml"], encoding="utf-8")
    write_records(
        tmp_path / "predictions.jsonl",
        [
            Prediction(
                f"ward_notes-{number}", "ward_notes", "test", "te1.png", "vqa", "Which side?", answer, prediction=said
            )
            for number, (answer, said) in enumerate([("left", "on the left"), ("left lung", "right"), ("no", "no")])
        ],
    )
    return tmp_path


def run(arguments: str, folder: Path, *sites: Path, code: int = 0) -> str:
    """What the command prints; with packages installed in ``sites``."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*sites, ROOT)))}
    done = subprocess.run(
        [sys.executable, "-m", "pefomed_plugin.cli", *shlex.split(arguments)],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def python(code: str, folder: Path, *sites: Path) -> str:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*sites, ROOT)))}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def broken(
    tmp_path: Path, name: str, group: str, point: str, module: str = "raise RuntimeError('half a package')\n"
) -> Path:
    """An installed package with one entry point, written as pip leaves it."""
    site = tmp_path / name
    write_package(
        site,
        {
            name + ".py": module,
            name + "-0.3.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 0.3\n",
            name + "-0.3.dist-info/entry_points.txt": f"[pefomed_plugin.{group}]\n{point}\n",
        },
    )
    return site


def test_the_example_of_the_repository_is_the_pages() -> None:
    lie = ROOT / "examples" / "third_party"
    assert {name: (lie / name).read_text(encoding="utf-8") for name in FILES} == FILES
    assert [command.split(" --")[0] for command in COMMANDS] == [
        "pefomed prepare ward_notes",
        "pefomed prepare ward_notes",
        "pefomed score same_side predictions.jsonl",
        "pefomed evaluate",
    ]


def test_the_data_set_is_prepared_with_its_option(installed: Path, here: Path) -> None:
    assert "ward_notes, notes layout" in run(COMMANDS[0].partition(" ")[2], here, installed)
    run(COMMANDS[1].partition(" ")[2], here, installed)
    assert len((here / "data/ward_notes/test.jsonl").read_text().splitlines()) == 2
    assert len((here / "data/ward_b2/test.jsonl").read_text().splitlines()) == 1
    assert "another ward" in (here / "data/ward_b2/skipped.jsonl").read_text()
    mistyped = COMMANDS[1].partition(" ")[2].replace("ward=", "wrad=")
    assert "did you mean 'ward'" in run(mistyped, here, installed, code=2)
    assert "unknown data set 'ward_notes'" in run(COMMANDS[0].partition(" ")[2], here, code=2)


def test_the_scorer_scores(installed: Path, here: Path) -> None:
    run(COMMANDS[2].partition(" ")[2], here, installed)
    lines = (here / "scored/scores/same_side.jsonl").read_text().splitlines()
    assert [re.search(r'"value": ([^,]+)', line).group(1) for line in lines] == ["1.0", "0.0", "null"]  # type: ignore
    shown = run("compare scored", here)  # the metrics say what the scores are, also where the package is not installed
    assert "ward_notes-test, same_side" in shown and "overall %" in shown and "50.0" in shown


def test_the_scorer_is_audited(installed: Path, here: Path) -> None:
    shown = run("audit --data ward_notes=downloads/ward_notes --scorer same_side", here, installed)
    assert "figures of 1 scorers as declared, 0 off" in shown and re.search(
        r"perfect +100.0 % +100.0 % +same_side", shown
    )


def test_a_bare_function_is_refused_with_how_to_convert_it(installed: Path, here: Path, tmp_path: Path) -> None:
    site = broken(tmp_path, "of_before", "scorers", "sides = ward_notes.scorer:score_same_side")
    shown = run("score sides predictions.jsonl --out scored", here, installed, site, code=2)
    assert "scorer 'sides' of the package of-before 0.3" in shown and "not a ScorerSpec; declare SPEC = " in shown
    assert not (here / "scored").exists()


def test_the_run_finds_data_set_and_task(installed: Path, here: Path) -> None:
    run(COMMANDS[0].partition(" ")[2], here, installed)
    shown = python(
        """
import os
os.environ.update(PEFOMED_LLAMA="unused", PEFOMED_VIT="unused", PEFOMED_CKPT="unused")
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry
from pefomed_plugin.config.compose import compose_tree
names = register_all()
cfg = compose_tree("ward_run.yaml", ["datasets.ward_notes.batch_size=2"], registry)
task = registry.get_task_class(cfg.run.task)
splits = registry.get_builder_class("ward_notes")(cfg.datasets.ward_notes).build_datasets()
print("ward_notes" in names["builder"], task.__name__, task.max_new_tokens, splits["train"].batch_size)
print(splits["test"][0]["instruction_input"])
""",
        here,
        installed,
    )
    assert "ward_notes: notes layout, train 2, test 2" in shown
    assert "True WardQuestionsTask 40 2" in shown
    assert "[vqa] Based on the image, respond to this question with a short answer: Which side is the tube on?" in shown


def test_the_estimate_finds_the_data_set(installed: Path, here: Path) -> None:
    shown = run("estimate --cfg-path ward_run.yaml --json", here, installed)
    assert json.loads(shown)["loads"]["answering"]["dataset"] == "ward_notes"


def test_the_doctor_lists_what_is_installed_and_what_is_broken(installed: Path, here: Path, tmp_path: Path) -> None:
    site = broken(tmp_path, "half_done", "scorers", "half = half_done:score")
    shown = " ".join(
        python(
            """
from pefomed_plugin.doctor.packages import check_plugins
from pefomed_plugin.doctor.data import check_data
for finding in [*check_plugins(), *check_data("ward_notes", "downloads/ward_notes")]:
    print(finding.what, finding.state, finding.found)
""",
            here,
            installed,
            site,
        ).split()
    )
    assert "data set ward_notes ok of ward-notes 0.1" in shown and "task ward_questions ok of ward-notes 0.1" in shown
    assert "scorer half warning scorer 'half' of the package half-done 0.3 (half_done:score) cannot be loaded" in shown
    assert "RuntimeError: half a package; repair the package, or pip uninstall half-done" in shown
    assert "data set ward_notes ok downloads/ward_notes: notes layout" in shown


def test_a_broken_package_disturbs_nobody_who_does_not_ask_for_it(here: Path, tmp_path: Path) -> None:
    site = broken(tmp_path, "half_done", "scorers", "half = half_done:score")
    run("score exact_match predictions.jsonl --out scored", here, site)
    shown = run("score half predictions.jsonl --out scored", here, site, code=2)
    assert shown.startswith("error: scorer 'half' of the package half-done 0.3") and "Traceback" not in shown


def test_a_broken_task_is_named_and_left_out(here: Path, tmp_path: Path) -> None:
    site = broken(tmp_path, "half_done", "tasks", "half = half_done:Task")
    other = broken(tmp_path, "no_task", "tasks", "no_task = no_task:answer", "def answer():\n    pass\n")
    shown = python(
        "from pefomed_plugin.registration import register_all\nprint(sorted(register_all()['task']))", here, site, other
    )
    assert "warning: task 'half' of the package half-done 0.3" in shown
    assert "warning: task 'no_task' of the package no-task 0.3" in shown and "not a subclass of BaseTask" in shown
    assert "'medical_vqa'" in shown and "'half'," not in shown


def test_two_packages_of_one_name_are_both_named(installed: Path, here: Path, tmp_path: Path) -> None:
    sites = [
        broken(tmp_path, "copy_cat", "datasets", "ward_notes = copy_cat:SPEC"),
        broken(tmp_path, "bold_one", "datasets", "slake = bold_one:SPEC"),
    ]
    shown = run(COMMANDS[0].partition(" ")[2], here, installed, *sites, code=2)
    assert "data set 'ward_notes' is claimed by 2 packages: copy-cat 0.3 and ward-notes 0.1; uninstall one" in shown
    shown = run("prepare slake --source downloads/ward_notes --out data/slake", here, *sites, code=2)
    assert "data set 'slake' is claimed by 2 packages: pefomed_plugin and bold-one 0.3" in shown


@pytest.mark.parametrize(
    ("group", "point", "told"),
    [
        ("datasets", "wardnotes = ward_notes.reader:WARD_NOTES", "it calls itself 'ward_notes'"),
        ("datasets", "wardnotes = ward_notes.reader:read_csv", "not a DatasetSpec"),
        (
            "readers",
            "wardnotes = ward_notes.reader:read_csv",
            "declare it in pefomed_plugin.datasets",
        ),
    ],
)
def test_what_is_no_data_set_of_that_name_is_refused(
    installed: Path, here: Path, tmp_path: Path, group: str, point: str, told: str
) -> None:
    site = broken(tmp_path, "renamed", group, point)
    shown = run("prepare wardnotes --source downloads/ward_notes --out data/wardnotes", here, installed, site, code=2)
    assert shown.startswith("error: data set 'wardnotes' of the package renamed 0.3")
    assert told in shown and "Traceback" not in shown


def test_help_loads_no_entry_point(here: Path, tmp_path: Path) -> None:
    site = broken(tmp_path, "half_done", "datasets", "half = half_done:SPEC", "open('imported', 'w')\n")
    run("--help", here, site)
    run("prepare --help", here, site)
    assert not (here / "imported").exists()
