"""``pefomed audit``: its table, its exit codes, and scorers of other packages."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import metadata
from types import SimpleNamespace

import pytest

from pefomed_plugin import plugins
from pefomed_plugin.cli import audit as cli_audit
from pefomed_plugin.cli import main
from pefomed_plugin.plugins import EntryPoint
from pefomed_plugin.records import Score
from pefomed_plugin.scoring.exact_match import PEFOMED
from tests.unit.scoring.rows import predicted
from tests.unit.services.small import LEAKY, write_rad


def everything(predictions):
    return [Score(found.id, "generous", "1", 1.0) for found in predictions]


GENEROUS = replace(PEFOMED, name="generous", function=everything, short="")
SILENT = replace(GENEROUS, name="silent", known=())


@pytest.fixture
def audit(tmp_path, capsys):
    """Runs the command on a small VQA-RAD; gives exit code and what it printed."""
    write_rad(tmp_path / "vqa_rad", LEAKY)

    def run(*arguments):
        code = main(["audit", "--data", f"vqa_rad={tmp_path / 'vqa_rad'}", *arguments])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return run


@pytest.fixture
def installed(monkeypatch):
    """A package with two scorers of its own."""
    points = [
        EntryPoint("scorer", name, "invented 1.0", metadata.EntryPoint(name, f"{__name__}:{name.upper()}", group))
        for group in (plugins.GROUPS["scorer"],)
        for name in ("generous", "silent")
    ]
    monkeypatch.setattr(plugins, "find_entry_points", lambda kind: points if kind == "scorer" else ())


def test_ours_are_as_declared(audit):
    code, shown = audit()
    assert code == 0
    assert "vqa_rad-test, 3 questions" in shown and ", 0 off" in shown
    assert "not audited: clinical/radeval, because it fetches models" in shown
    assert "exact_match/* (5)" in shown


def test_a_scorer_of_another_package_is_audited_or_said_to_be_not(audit, installed):
    code, shown = audit()
    assert code == 1
    assert "OFF" in shown and "generous" in shown
    assert "not audited: silent declares nothing about known answers" in shown


def test_json_says_every_figure(audit):
    code, shown = audit("--json", "--scorer", "exact_match")
    found = json.loads(shown)
    assert (code, found["off"], found["sets"]) == (0, 0, {"vqa_rad": 3})
    perfect = [each for each in found["findings"] if each["probe"] == "perfect"]
    assert {(each["figure"], each["low"], each["value"], each["verdict"]) for each in perfect} >= {
        ("overall", 100.0, 100.0, "as declared")
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--data", "vqa_rad"), "write it as DATASET=DIR"),
        (("--scorer", "exact"), "unknown scorer"),
        (("--reports", "-1"), "--reports must be at least 0"),
        (("--scorer", "consistency"), "none of these scorers"),
    ],
)
def test_mistakes(audit, arguments, told):
    code, shown = audit(*arguments)
    assert code == 2 and told in shown


def test_only_scorers_that_declare_nothing(audit, installed):
    code, shown = audit("--scorer", "silent")
    assert code == 2 and "nothing to audit" in shown and "silent declares nothing" in shown


def test_questions_and_reports_of_one_data_set_are_apart(monkeypatch, capsys):
    asked = [predicted(answer, None, number) for number, answer in enumerate(("left", "no"))]
    written = [
        predicted(answer, None, number, task="report", question=None)
        for number, answer in enumerate(("No mass in the left lung.", "A fracture of the right rib."), 2)
    ]
    release = SimpleNamespace(splits=lambda: {"test": [found.sample for found in (*asked, *written)]})
    monkeypatch.setattr(cli_audit, "read_data", lambda name, folder: release)
    assert main(["audit", "--data", "vqa_rad=x", "--scorer", "exact_match", "--scorer", "consistency"]) == 0
    shown = capsys.readouterr().out
    assert "vqa_rad-test, 2 questions" in shown and "vqa_rad-test, 2 reports" in shown
    assert "clinical/consistency" in shown and "exact_match/pefomed" in shown
