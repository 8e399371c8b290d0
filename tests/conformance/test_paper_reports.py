"""The paper's report tables of the tiny model on real data. No unit test: the metrics of reports take seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pefomed_plugin.reporting.paper.document import paper_tables
from pefomed_plugin.reporting.rendering import to_markdown
from tests.unit.reporting.made import make_run, rate
from tests.unit.reporting.paper.made import LEFT_OUT, PAPERS, material, rows


def test_reports_of_the_tiny_model_stand_beside_no_figure_of_the_paper(tmp_path: Path) -> None:
    producer = {"origin": {"data": {"iu_xray": "real"}, "model": "tiny"}}
    made = [replace(row, dataset="iu_xray", task="report", producer=producer) for row in rows()]
    both = str(make_run(tmp_path / "both", made, []))
    rate(tmp_path / "both/results/iu_xray-test", made, "judge/report/gpt-4o", [[4, 3, 2, 1, 0, 4, 3, 2]])
    for table in paper_tables(material(tmp_path, runs={"iu_xray": {"both": both}})):
        text = "\n\n".join(map(to_markdown, table.parts))
        if table.number in (5, 6, 7, 10, 11):
            assert PAPERS.findall(text) == [] and "in the paper" not in text, text
            assert len(LEFT_OUT.findall(text)) == len(table.parts), text
