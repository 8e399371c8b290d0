"""A hospital with own images and reports: prepare, init, train, report, evaluate, report, and a look for patients."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.services.own_data.files import write_book, write_film, write_images, write_table

from .terminal import Newcomer

COMMANDS = 7
WORDS = "tiny model, real data (medical_custom)"
pytestmark = pytest.mark.slow


def write_jpegs(folder: Path) -> str:
    """A Latin-1 table of one piece beside JPEGs; the command that prepares them."""
    write_images(folder / "bilder", *(f"tag{number % 2}/Thorax_{number}.JPG" for number in range(10)))
    rows = [f'Thorax_{number}.jpg;{number // 2:03d};"Herz groß;\r\nLunge frei, {number}."' for number in range(10)]
    write_table(folder / "befunde.csv", "Dateiname;PatID;Befund", *rows, encoding="latin-1")
    return (
        "pefomed prepare medical_custom --source befunde.csv --image-root bilder --map image=Dateiname report=Befund "
        "patient=PatID --split 60/20/20 --split-by patient --seed 1 --out prepared/befunde"
    )


def write_dicom(folder: Path) -> str:
    """A tree of DICOM files and a spreadsheet; the command that prepares them."""
    pytest.importorskip("pydicom")
    pytest.importorskip("openpyxl")
    for number in range(1, 7):
        study, patient = f"1.2.3.{number}", f"PAT-471{number}"
        write_film(folder / "pacs" / patient / "a", 2 * number, study=study, patient=patient, ViewPosition="PA")
    rows = ([f"A{number}", f"Herz {number}."] for number in range(1, 7))
    write_book(folder / "befunde.xlsx", ["AccNr", "Befund"], *rows)
    return (
        "pefomed prepare medical_custom --source pacs --reports befunde.xlsx --join accession --map accession=AccNr "
        "report=Befund --split 50/25/25 --out prepared/pacs"
    )


@pytest.mark.parametrize("write", [write_jpegs, write_dicom])
def test_own_images_and_reports(newcomer: Callable[..., Newcomer], write: Callable[[Path], str]) -> None:
    hospital = newcomer()
    prepared = hospital.types(write(hospital.folder))
    begun = hospital.follows(prepared)
    assert "task: report" in begun.text
    trained = hospital.follows(begun)
    study = hospital.folder / "my_study"
    hospital.folder = study  # the step began with cd
    hospital.follows(trained)
    assert hospital.commands == 4
    page = study / "output/try/stage2/report.html"
    assert WORDS in page.read_text(encoding="utf-8") and "Herz" in page.read_text(encoding="utf-8")

    line = next(
        line for line in (study / "evaluate.yaml").read_text(encoding="utf-8").splitlines() if "pefomed" in line
    )
    evaluated = hospital.types(line[len("# ") :].replace("output/stage2", "output/try/stage2"))
    hospital.follows(evaluated)
    answers = study / "output/try/evaluate/results/medical_custom-test/predictions.jsonl"
    rows = [json.loads(row) for row in answers.read_text(encoding="utf-8").splitlines()]
    assert rows and all(row["answer"].startswith("Herz") for row in rows)

    scanned = hospital.types("pefomed privacy scan output ../prepared", code=0)
    assert "looked at" in scanned.text
    written = [path for path in [*study.rglob("*"), *hospital.folder.parent.joinpath("prepared").rglob("*")]]
    texts = "\n".join(
        path.read_text(encoding="utf-8") for path in written if path.suffix in (".json", ".jsonl", ".html")
    )
    assert "PAT-471" not in texts and "1.2.3." not in texts and "Muster" not in texts
    assert hospital.commands == COMMANDS
