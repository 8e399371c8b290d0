"""The paper's and its rivals' figures on docs/where-figures-come-from.md are those that the code has."""

from __future__ import annotations

import re
from pathlib import Path

from pefomed_plugin.reporting.comparison.paper_figures import BOTH, EXACT_MATCH, FIGURES, GPT4_JUDGE
from pefomed_plugin.reporting.comparison.paper_rivals import TABLE_2
from pefomed_plugin.services.audit.harnesses import HARNESSES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "where-figures-come-from.md").read_text(encoding="utf-8")
SETS = ("vqa_rad", "slake", "path_vqa")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]


def row(name, rule):
    (found,) = [cells for cells in ROWS if cells[0].startswith(name) and cells[4:] and rule in cells[4]]
    return [float(cell) for cell in found[1:4]]


def paper(measure):
    found = {
        figure.dataset: figure.value
        for figure in FIGURES
        if (figure.measure, figure.group, figure.stages) == (measure, "overall", BOTH)
    }
    return [found[name] for name in SETS]


def test_the_papers_rows():
    assert row("PeFoMed, both stages", "exact match") == paper(EXACT_MATCH)
    assert row("PeFoMed, the same answers", "GPT-4") == paper(GPT4_JUDGE)


def test_the_rivals_rows():
    published = {
        model.name: [model.figures[name].get("overall") for name in SETS if name in model.figures] for model in TABLE_2
    }
    assert row("MUMC", "classifier") == published["MUMC"]
    assert row("LLaVA-Med (Bio-CLIP)", "token recall") == published["LLaVA-Med (Bio-CLIP)"]


def test_every_source_is_given_and_used():
    text, _, sources = PAGE.partition("## Sources")
    given = set(re.findall(r"^(\d+)\. ", sources, re.MULTILINE))
    assert given == set(re.findall(r"\[(\d)\]", text))


def test_every_harness_has_rows_with_a_commit():
    named = " ".join(cells[0].lower() for cells in ROWS)
    for name in HARNESSES:
        assert re.search(rf"{name}( v1\.0\.0)? \(?[0-9a-f]{{7}}", named), name
