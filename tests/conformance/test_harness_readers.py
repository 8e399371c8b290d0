"""Files in other projects' formats, read as those projects read them: pandas for VLMEvalKit and R2Gen, lmms-eval's own
loader and writer where it is installed.
"""

from __future__ import annotations

import json
import types
from dataclasses import replace
from pathlib import Path

import pytest

from pefomed_plugin.services.results_in import FORMATS, join_answers, recognise
from pefomed_plugin.services.results_out import FORMATS_OUT, Given

from ..unit.services.results_out.test_export import ANSWERS, REPORTS, TEXTS

pytestmark = pytest.mark.slow
GIVEN = Given("model")
_TO_PANDAS = {None: "Failed to obtain answer via API.", "None": None}
"""What pandas makes of an answer, where it is not the same text."""


def written(name: str, folder: Path, predictions: list) -> list[Path]:
    paths = []
    for file, content in FORMATS_OUT[name].files_of(predictions, GIVEN).contents.items():
        (folder / file).write_bytes(content)
        paths.append(folder / file)
    return paths


def texts_of(column: object) -> list[str | None]:
    return [text if isinstance(text, str) else None for text in column]  # type: ignore[attr-defined]


def test_vlmevalkits_tsv_as_its_load_reads_it(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    (path,) = written("vlmevalkit_tsv", tmp_path, ANSWERS)
    table = pandas.read_csv(path, sep="\t")
    assert {"index", "question", "answer", "prediction", "image_path"} <= set(table)
    assert texts_of(table["prediction"]) == [_TO_PANDAS.get(text, text) for text in TEXTS]
    assert list(table["index"]) == list(range(len(TEXTS)))


def test_vlmevalkits_spreadsheet_as_its_load_reads_it(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl")
    (path,) = written("vlmevalkit", tmp_path, ANSWERS)
    found = texts_of(pandas.read_excel(path)["prediction"])
    escaped = {"carriage\rreturn": "carriage_x000D_return", "_x000D_ \U0001f600": "_x005F_x000D_ \U0001f600"}
    assert found == [escaped.get(text, _TO_PANDAS.get(text, text)) for text in TEXTS]  # what the command says of it


@pytest.mark.parametrize("name", ["vlmevalkit", "vlmevalkit_tsv"])
def test_vlmevalkits_own_load_reads_both(tmp_path: Path, name: str) -> None:
    load = pytest.importorskip("vlmeval.smp.file").load
    (path,) = written(name, tmp_path, ANSWERS)
    assert list(load(str(path))["sample_id"]) == [answer.id for answer in ANSWERS]


def test_r2gens_files_as_its_descendants_read_them(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    generated, references = written("r2gen", tmp_path, REPORTS)
    read = [pandas.read_csv(path, header=None, skip_blank_lines=False)[0] for path in (generated, references)]
    assert texts_of(read[0]) == [None if text == "None" else text for text in TEXTS]
    assert texts_of(read[1]) == [report.answer for report in REPORTS]


def test_lmms_evals_loader_counts_what_is_right(tmp_path: Path) -> None:
    loader = pytest.importorskip("lmms_eval.baselines.loader")
    answers = [
        replace(found, prediction=found.answer.upper() if number % 2 else "x") for number, found in enumerate(ANSWERS)
    ]
    (path,) = written("lmms_eval", tmp_path, answers)
    scores, _ = loader.load_baseline(str(path), "medical_custom")
    assert scores == {number: float(number % 2) for number in range(len(answers))}


def test_what_lmms_evals_own_writer_writes_is_imported(tmp_path: Path) -> None:
    tracker = pytest.importorskip("lmms_eval.loggers.evaluation_tracker").EvaluationTracker
    logged = [
        {
            "doc_id": number,
            "doc": {"question": found.question},
            "target": found.answer,
            "arguments": [f"{found.question}\nAnswer briefly.", {"max_new_tokens": 16}],
            "resps": [[text]],
            "filtered_resps": [text],
            "token_counts": [None],
            "doc_hash": "0",
            "exact_match": 0.0,
        }
        for number, (found, text) in enumerate(zip(ANSWERS, ["an answer", *TEXTS[1:-1]]))
    ]
    place = types.SimpleNamespace(
        output_path=str(tmp_path),
        general_config_tracker=types.SimpleNamespace(model_name_sanitized="model"),
        date_id="20260101_000000",
        api=None,
    )
    tracker.save_results_samples(place, "medical_custom", logged)
    (path,) = (tmp_path / "model").glob("*_samples_*.jsonl")
    assert "doc" not in json.loads(path.read_text().splitlines()[0])
    assert recognise(path).name == "lmms_eval"
    found = join_answers(FORMATS["lmms_eval"].read(path), [answer.sample for answer in ANSWERS[:-1]], {})
    assert [answer.prediction for answer in found] == ["an answer", *TEXTS[1:-1]]
