"""The hospital's way: own files as they are, prepared, trained on with the tiny model, evaluated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from pefomed_plugin import environment
from pefomed_plugin.cli import main
from pefomed_plugin.readers.prepared import read_prepared
from tests.unit.services.own_data.files import run, write_book, write_film, write_images, write_table


@pytest.fixture
def ward(tmp_path: Path, sample: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the current one; no PEFOMED_ variable set but where the tiny model lies."""
    for name in environment.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PEFOMED_SAMPLE", str(sample))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_latin_1_table_of_one_piece_and_a_folder_of_jpegs(ward: Path, capsys: pytest.CaptureFixture) -> None:
    """Four commands: init, prepare, train, evaluate."""
    assert run("init study --task report") == 0
    names = [f"tag{number % 2}/Thorax_{number}.JPG" for number in range(10)]
    write_images(ward / "bilder", *names)
    rows = [f'Thorax_{number}.jpg;{number // 2:03d};"Herz groß;\r\nLunge frei, {number}."' for number in range(10)]
    write_table(ward / "befunde.csv", "Dateiname;PatID;Befund", *rows, encoding="latin-1")
    assert (
        run(
            "prepare medical_custom --source befunde.csv --image-root bilder --map image=Dateiname report=Befund "
            "patient=PatID --split 60/20/20 --split-by patient --seed 1 --out prepared/reports"
        )
        == 0
    )
    release = read_prepared(ward / "prepared/reports")
    assert {split: len(rows) for split, rows in release.splits().items()} == {"train": 6, "val": 2, "test": 2}
    storage = "datasets.medical_custom.build_info.storage=prepared/reports"
    assert main(["train", "--cfg-path", "study/stage2.yaml", "--options", storage]) == 0
    assert main(["evaluate", "--cfg-path", "study/evaluate.yaml", "--options", storage]) == 0
    answers = ward / "output/try/evaluate/results/medical_custom-test/predictions.jsonl"
    asked = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    assert len(asked) == 2 and all(row["answer"].startswith("Herz groß;") for row in asked)
    assert yaml.safe_load((ward / "study/evaluate.yaml").read_text())["run"]["task"] == "report_generation"


def test_a_dicom_tree_and_a_spreadsheet(ward: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("pydicom")
    pytest.importorskip("openpyxl")
    for number in range(1, 7):
        study, patient = f"1.2.3.{number}", f"PAT-471{number}"
        write_film(ward / "pacs" / patient / "a", 2 * number, study=study, patient=patient, ViewPosition="PA")
        write_film(ward / "pacs" / patient / "b", 2 * number + 1, study=study, patient=patient, ViewPosition="LL")
    write_book(
        ward / "befunde.xlsx", ["AccNr", "Befund"], *([f"A{number}", f"Herz {number}."] for number in range(1, 7))
    )
    assert (
        run(
            "prepare medical_custom --source pacs --reports befunde.xlsx --join accession --per study --split 50/50 "
            "--out prepared/pacs"
        )
        == 0
    )
    assert "frontal + lateral" in capsys.readouterr().out
    assert run("init study --task report") == 0
    options = ["datasets.medical_custom.build_info.storage=prepared/pacs", "model.max_txt_len=320"]
    assert main(["train", "--cfg-path", "study/stage2.yaml", "--options", *options]) == 0
    texts = "\n".join(path.read_text(encoding="utf-8") for path in Path("output").rglob("*.json*"))
    assert "PAT-471" not in texts and "1.2.3." not in texts
