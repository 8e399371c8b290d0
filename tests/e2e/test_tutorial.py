"""The tutorial notebook runs from the first cell to the last, on the embedded default, and shows what its text says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebooks" / "tutorial.ipynb"
pytestmark = pytest.mark.slow


def test_it_runs_and_shows_figures_floors_answers_and_a_page(small_sample, tmp_path, monkeypatch):
    monkeypatch.setenv("PEFOMED_SAMPLE", str(small_sample))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    said = "\n".join(output["text"] for output in outputs if output.output_type == "stream")
    assert "ready: nothing to fix" in said and "Not a result: tiny model, generated data (vqa_rad)." in said
    assert re.search(r"figures  +vqa_rad-test: exact_match/pefomed overall [\d.]+ %, 95 %: [\d.]+ - [\d.]+", said)
    assert "most_frequent" in said and "reference:" in said
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert (tmp_path / "tutorial" / "report.html").is_file() and (
        tmp_path / "tutorial" / "my_study" / "stage2.yaml"
    ).is_file()


def test_it_is_committed_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
