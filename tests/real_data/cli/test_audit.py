"""``pefomed audit`` on the published test sets of questions."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pefomed_plugin.cli import main
from tests.real_data.data import real_data

PAGE = Path(__file__).resolve().parents[3] / "docs" / "audits.md"
SETS = {"vqa_rad": 451, "slake": 1061, "path_vqa": 6761}


def test_every_scorer_gives_what_it_declares(capsys):
    given = [part for name in SETS for part in ("--data", f"{name}={real_data(name)}")]
    assert main(["audit", *given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sets"], found["off"]) == (SETS, 0)
    said = re.search(r"\(([\d,]+) questions, ([\d,]+) figures", PAGE.read_text(encoding="utf-8"))
    assert said and said.groups() == (f"{sum(SETS.values()):,}", f"{len(found['findings']):,}")
    always_yes = {
        (each["dataset"], each["figure"]): round(each["value"], 1)
        for each in found["findings"]
        if each["probe"] == "always yes" and each["scorer"] == "exact_match/clean"
    }
    assert [always_yes[name, "overall"] for name in SETS] == [26.2, 16.5, 27.3]
