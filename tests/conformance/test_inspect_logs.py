"""Logs that inspect_ai itself writes, with its mock model: both forms are recognised, read and joined."""

from __future__ import annotations

from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.services.results_in import FORMATS, recognise
from pefomed_plugin.storage import read_predictions

from ..unit.services.results_in.rows import QUESTIONS, TEXTS, lines

inspect_ai = pytest.importorskip("inspect_ai")
pytestmark = pytest.mark.slow
_PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def log_of(folder: Path, form: str, *, named: bool, epochs: int = 1) -> Path:
    """A log of the mock model's answers ``TEXTS``; ``named``: samples carry the ids of the data set."""
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match
    from inspect_ai.solver import generate

    samples = [
        Sample(
            id=key if named else None,
            input=[ChatMessageUser(content=[ContentImage(image=_PNG), ContentText(text=question)])],
            target=answer,
        )
        for key, _, question, answer in QUESTIONS
    ]
    outputs = [ModelOutput.from_content("mockllm/model", text) for text in TEXTS for _ in range(epochs)]
    for output in outputs:  # else it counts tokens, with a vocabulary that it downloads
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    task = inspect_ai.Task(dataset=MemoryDataset(samples), solver=generate(), scorer=match())
    (log,) = inspect_ai.eval(
        task,
        model=get_model("mockllm/model", custom_outputs=outputs, memoize=False),
        log_dir=str(folder),
        log_format=form,
        display="none",
        epochs=epochs,
        max_samples=1,
    )
    assert log.status == "success", log.error
    return Path(log.location.removeprefix("file://"))


@pytest.mark.parametrize("form", ["eval", "json"])
@pytest.mark.parametrize("named", [True, False])
def test_a_log_of_the_mock_model_is_imported(tmp_path: Path, form: str, named: bool) -> None:
    own = tmp_path / "own"
    own.mkdir()
    lines(own / "test.jsonl", [dict(zip(("id", "image", "question", "answer"), row)) for row in QUESTIONS])
    log = log_of(tmp_path / "logs", form, named=named)
    assert recognise(log).name == "inspect_ai"
    out = tmp_path / "out"
    where = ["--dataset", "medical_custom", "--data", str(own), "--out", str(out)]
    assert main(["import-predictions", str(log), *where]) == 0
    assert [found.prediction for found in read_predictions(out / "predictions.jsonl")] == list(TEXTS)


def test_of_two_epochs_the_first_is_taken(tmp_path: Path) -> None:
    found = FORMATS["inspect_ai"].read(log_of(tmp_path, "eval", named=True, epochs=2))
    assert len(found) == len(QUESTIONS) and all("several epochs" in answer.notes[0] for answer in found)


def test_a_log_that_it_put_into_folders_says_the_same(tmp_path: Path) -> None:
    chunked = pytest.importorskip("inspect_ai.log._recorders.chunked", reason="this inspect_ai writes no such logs")
    log = log_of(tmp_path / "logs", "eval", named=True)
    chunked.convert_eval_logs_to_chunked(str(log), str(tmp_path / "folders"))
    (folders,) = (tmp_path / "folders").iterdir()
    read = FORMATS["inspect_ai"].read
    assert recognise(folders).name == "inspect_ai" and read(folders) == read(log)
