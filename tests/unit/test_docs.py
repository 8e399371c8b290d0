"""``docs/files.md`` against the code: its tables name every field, its examples are what is written and read."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.origins import mark_generated
from pefomed_plugin.prompts import DEFAULT_STYLE, template_of
from pefomed_plugin.provenance import DataPart, RunRecord
from pefomed_plugin.readers.layouts import Skip
from pefomed_plugin.readers.prepared import read_manifest
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from pefomed_plugin.records import Prediction, Score
from pefomed_plugin.reporting.results import read_scores
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.scoring.metrics_file import SECTIONS, VALUES
from pefomed_plugin.services.data.prepare import prepare
from pefomed_plugin.storage import SCHEMA, read_predictions
from tests.unit.services.small import LEAKY, write_rad

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "files.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [*sorted(DOCS.rglob("*.md")), DOCS.parent / "README.md"], ids=lambda page: page.name)
def test_every_column_of_a_table_has_a_name(page: Path) -> None:
    """Whoever hears a page is told which column a place is in."""
    heads = re.findall(r"^(\|.*\|)\n\|[-:| ]+\|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [head for head in heads if any(not name.strip() for name in head[1:-1].split("|"))] == []


def example(name: str) -> str:
    """The code block below the last words that name a file."""
    found = re.findall(rf"`{re.escape(name)}`[^`\n]*:\n\n```json\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 1, f"one example of {name}"
    return found[0]


def names_in_tables(section: str) -> list[str]:
    """Every name in the first columns of a section's tables."""
    text = re.split(r"^## ", PAGE.split(f"## {section}\n")[1], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with the example's predictions, scored."""
    (tmp_path / "predictions.jsonl").write_text(example("predictions.jsonl"), encoding="utf-8")
    predictions = read_predictions(tmp_path / "predictions.jsonl")
    write_scores(predictions, ["exact_match"], tmp_path, {"images": "own"})
    return tmp_path


@pytest.fixture
def manifest(tmp_path: Path) -> dict[str, Any]:
    """Of a small VQA-RAD, as it is written."""
    source = write_rad(tmp_path / "sample" / "vqa_rad", LEAKY)
    mark_generated(tmp_path / "sample", {})
    prepare(VQA_RAD, source, tmp_path / "out")
    return read_manifest(tmp_path / "out")


@pytest.mark.parametrize(("section", "record"), [("predictions.jsonl", Prediction), ("scores/*.jsonl", Score)])
def test_the_tables_name_every_field_in_order(section: str, record: Any) -> None:
    assert names_in_tables(section) == [field_.name for field_ in fields(record)]


def test_the_table_says_which_fields_are_needed() -> None:
    needed = re.findall(r"^\| `(\w+)` \| needed", PAGE, re.MULTILINE)
    with pytest.raises(ValueError, match="missing") as caught:
        Prediction.from_json({})
    assert str(caught.value) == "not a Prediction: missing " + ", ".join(sorted(needed))


def test_the_example_predictions_are_records() -> None:
    whole, *short = [json.loads(line) for line in example("predictions.jsonl").splitlines()]
    assert Prediction.from_json(whole).to_json() == whole
    prompt = DEFAULT_STYLE.user_turn(template_of("vqa").ask(whole["question"]))
    assert whole["producer"]["prompt"] == prompt
    assert [Prediction.from_json(each).prediction for each in short] == ["on the right", None]


def test_the_example_scores_are_those_of_the_example_predictions(run: Path) -> None:
    path = run / "scores" / "exact_match-pefomed.jsonl"
    assert path.read_text(encoding="utf-8") == example("scores/exact_match-pefomed.jsonl")
    assert [score.value for score in read_scores(path)] == [1.0, 0.0, 0.0]


def test_the_example_metrics_are_those_of_the_example_predictions(run: Path) -> None:
    shown = json.loads(example("metrics.json"))
    written = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert shown == written
    assert list(shown) == list(written)
    assert set(written) | set(written["scores"]["exact_match/pefomed"]["open"]) <= set(names_in_tables("metrics.json"))
    assert {*SECTIONS, *VALUES} <= set(names_in_tables("metrics.json"))


def test_the_table_of_the_manifest_names_every_key(manifest: dict[str, Any]) -> None:
    assert names_in_tables("manifest.json") == list(manifest)


def test_the_example_manifest_is_that_of_a_small_release(manifest: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(example("manifest.json"), encoding="utf-8")
    shown = read_manifest(tmp_path)
    assert (list(shown), shown["schema"]) == (list(manifest), SCHEMA)
    for key in ("verdicts", "repetitions", "leaks", "lengths"):
        assert shown[key] == manifest[key][:1]
    assert [list(each) for each in shown["sources"]] == [list(each) for each in manifest["sources"][:1]]
    assert list(shown["files"]) == list(manifest["files"])
    elsewhere = {"verdicts", "repetitions", "leaks", "lengths", "sources", "files", "image_root", "plugin_version"}
    assert {key: shown[key] for key in set(shown) - elsewhere} == {key: manifest[key] for key in set(shown) - elsewhere}


def test_the_tables_of_the_record_name_every_field() -> None:
    known = {field_.name for record in (RunRecord, DataPart) for field_ in fields(record)} | {"schema"}
    assert set(names_in_tables("provenance.json")) == known


def test_the_example_of_a_skipped_row_is_a_skip() -> None:
    assert Skip(**json.loads(example("skipped.jsonl"))).reason == "empty answer"
