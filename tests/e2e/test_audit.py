"""``pefomed audit`` on the generated sample, as CI runs it: every scorer of ours gives what it declares."""

from __future__ import annotations

import json

from pefomed_plugin.cli import main
from pefomed_plugin.scoring import SCORERS
from pefomed_plugin.scoring.java import JavaError, find_java
from pefomed_plugin.services.audit.judges import known_judges


def has_java() -> bool:
    """METEOR and the tokens of reports need it."""
    try:
        return bool(find_java())
    except JavaError:
        return False


def test_every_scorer_of_ours_gives_what_it_declares(sample, monkeypatch, capsys):
    monkeypatch.setenv("PEFOMED_SAMPLE", str(sample))
    assert main(["audit", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["off"] == 0
    assert set(found["sets"]) == {"vqa_rad", "slake", "path_vqa", "iu_xray"}
    ours = {spec.name for spec in (*SCORERS.own.values(), *known_judges())}
    assert {each["scorer"] for each in found["findings"]} == ours - {"clinical/radeval"}
    not_run = {each["figure"] for each in found["findings"] if each["verdict"] == "not run"}
    assert not_run <= {"number", "measurement", *(() if has_java() else ("meteor",))}
