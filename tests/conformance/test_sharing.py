"""Shared folders as the other side's own software reads and runs them: ``datasets``, ``mlcroissant``, ``inspect_ai``.

Without the network: the mock model of inspect_ai answers. lmms-eval, whose pins are not ours, runs in an environment of
its own: ``LMMS_EVAL_PYTHON`` is its interpreter (docs/sharing.md).
"""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.readers.prepared import read_prepared
from pefomed_plugin.records import Prediction, Sample
from pefomed_plugin.scoring.metrics_file import METRICS
from pefomed_plugin.services.images.decoding import open_image
from pefomed_plugin.storage import read_predictions, read_samples, write_records
from tests.unit.sharing.studies import prepared_rad, prepared_studies

pytest.importorskip("pyarrow")
ROOT = Path(__file__).resolve().parents[2]
LMMS_EVAL = os.environ.get("LMMS_EVAL_PYTHON")


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "INSPECT_LOG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def share(prepared: Path, form: str, out: Path, *more: str) -> Path:
    assert main(["share", str(prepared), "--to", form, "--out", str(out), *more]) == 0
    return out


def ours(samples: list[Sample], answers: list[str | None], scorer: str, folder: Path) -> dict[str, Any]:
    """Group or metric -> value, as ``pefomed score`` writes it."""
    rows = [Prediction.of(sample, answer, {}) for sample, answer in zip(samples, answers)]
    write_records(folder / "predictions.jsonl", rows)
    assert main(["score", scorer, str(folder / "predictions.jsonl"), "--no-floor"]) == 0
    (figures,) = json.loads((folder / METRICS).read_text(encoding="utf-8"))["scores"].values()
    return {name: figure["value"] for name, figure in figures.items() if isinstance(figure, dict)}


def imported(log: Path, prepared: Path, out: Path) -> list[Prediction]:
    """A harness's log as our predictions."""
    dataset = read_prepared(prepared).dataset
    command = ["import-predictions", str(log), "--dataset", dataset, "--data", str(prepared), "--out", str(out)]
    assert main(command) == 0
    return read_predictions(out / "predictions.jsonl")


# -- datasets ----------------------------------------------------------------------------------------------------------


def load(folder: Path, tmp_path: Path) -> Any:
    datasets = pytest.importorskip("datasets")
    return datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))


def test_datasets_loads_what_was_shared(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    prepared = prepared_rad(tmp_path)
    found = load(share(prepared, "huggingface", tmp_path / "out"), tmp_path)
    release = read_prepared(prepared)
    assert {split: len(rows) for split, rows in found.items()} == {"train": 4, "test": 3}
    assert isinstance(found["test"].features["image"], datasets.Image)
    for sample, row in zip(release.splits()["test"], found["test"]):
        assert (row["id"], row["question"], row["answer"], row["organ"]) == (
            sample.id,
            sample.question,
            sample.answer,
            sample.organ,
        )
        assert json.loads(row["metadata"]) == sample.metadata
        expected = open_image(release.image_root, sample.only_image)
        assert row["image"].convert("RGB").tobytes() == expected.tobytes()


def test_datasets_loads_several_images(tmp_path: Path) -> None:
    prepared = prepared_studies(tmp_path)
    rows = load(share(prepared, "huggingface", tmp_path / "out"), tmp_path)["test"]
    assert [len(row["images"]) for row in rows] == [2, 1, 1, 1, 1]
    assert rows[0]["views"] == ["frontal", "lateral"] and rows[1]["views"] == []
    assert rows[1]["images"][0].mode == "I;16", "byte for byte, so with all its bits"


# -- mlcroissant -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [1, 2])
def test_mlcroissant_validates_and_iterates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    from pefomed_plugin.sharing import parquet

    if shards > 1:
        monkeypatch.setattr(parquet, "ROWS_A_GROUP", 3)
        monkeypatch.setattr(parquet, "BYTES_A_SHARD", 1)
    prepared = prepared_studies(tmp_path) if shards > 1 else prepared_rad(tmp_path)
    folder = share(prepared, "croissant", tmp_path / "out")
    assert len(list((folder / "data").glob("test-*"))) == shards
    dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not dataset.metadata.issues.errors and not dataset.metadata.issues.warnings, dataset.metadata.issues.report()
    records = list(dataset.records("test"))
    samples = read_prepared(prepared).splits()["test"]
    assert [record["test/id"].decode() for record in records] == [sample.id for sample in samples]
    if shards > 1:
        assert [len(record["test/images"]) for record in records] == [2, 1, 1, 1, 1]
        assert records[0]["test/images"][0].size == (64, 64)
    else:
        assert records[0]["test/image"].size == (64, 64)


def test_mlcroissant_sees_a_changed_file(tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    folder = share(prepared_rad(tmp_path), "croissant", tmp_path / "out", "--split", "test")
    (file,) = (folder / "data").iterdir()
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(Exception, match=r"Download\(data/test-"):
        next(iter(mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).records("test")))


# -- inspect_ai --------------------------------------------------------------------------------------------------------


def run_inspect(folder: Path, task: str, answers: dict[str, str], logs: Path, **more: Any) -> tuple[Any, list[Any]]:
    """The log of a run in which the mock model gives these answers by question, and what it was asked."""
    inspect_ai = pytest.importorskip("inspect_ai")
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    asked: list[Any] = []

    def answer(messages: Any, *_: Any) -> Any:
        content = messages[-1].content
        asked.append(content)
        text = next(text for question, text in answers.items() if question in str(content))
        output = ModelOutput.from_content("mockllm/model", text)
        output.usage = ModelUsage()  # else it counts tokens, with a file from the network
        return output

    (log,) = inspect_ai.eval(
        f"{folder / 'pefomed_task.py'}@{task}",
        model=get_model("mockllm/model", custom_outputs=answer),
        display="none",
        log_dir=str(logs),
        **more,
    )
    assert log.status == "success", log.error
    return log, asked


def figures_in(log: Any) -> dict[str, dict[str, float]]:
    return {score.name: {name: found.value for name, found in score.metrics.items()} for score in log.results.scores}


def test_inspect_ai_gives_our_figures(tmp_path: Path) -> None:
    prepared = prepared_rad(tmp_path)
    scorers = ["--scorer", "exact_match", "--scorer", "exact_match/clean"]
    folder = share(prepared, "inspect_ai", tmp_path / "out", *scorers)
    samples = read_samples(folder / "test.jsonl")
    said = ["<think>hm</think> Yes.", "yes, I see", "<think>hm"]
    answers = {str(sample.question): text for sample, text in zip(samples, said)}
    log, asked = run_inspect(folder, "pefomed_vqa_rad_test", answers, tmp_path / "logs")
    given: list[str | None] = ["Yes.", "yes, I see", None]
    for scorer, name in (("exact_match", "exact_match_pefomed"), ("exact_match/clean", "exact_match_clean")):
        wanted = ours(samples, given, scorer, tmp_path / name)
        assert figures_in(log)[name] == pytest.approx(
            {key: value for key, value in wanted.items() if value is not None}
        )
    assert figures_in(log)["exact_match_pefomed"]["overall"] == pytest.approx(100 / 3)
    back = imported(Path(log.location), prepared, tmp_path / "back")
    assert [row.prediction for row in back] == given
    image, text = next(content for content in asked if str(samples[0].question) in str(content))
    assert image.type == "image" and image.image.startswith("data:image/png;base64,")
    assert text.text == f"Based on the image, respond to this question with a short answer: {samples[0].question}"


def test_the_printed_command_runs_the_task(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """inspect_ai takes a pattern below the folder it runs in: neither an absolute path nor a bracket is one."""
    pytest.importorskip("inspect_ai")
    share(prepared_rad(tmp_path), "inspect_ai", tmp_path / "out [1]")
    (line,) = (text for text in capsys.readouterr().err.splitlines() if text.startswith("next: inspect "))
    words = [sys.executable, "-m", "inspect_ai", *shlex.split(line)[2:-1], "mockllm/model", "--display", "none"]
    words += ["--log-dir", str(tmp_path / "logs")]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "logs").glob("*.eval"))) == 1


def test_inspect_ai_moved_repeated_and_of_several_images(tmp_path: Path) -> None:
    """Scorers of the whole set, a mean over epochs, and a folder that lies elsewhere than it was written."""
    first = share(prepared_studies(tmp_path), "inspect_ai", tmp_path / "out", "--scorer", "consistency")
    folder = Path(shutil.move(str(first), tmp_path / "elsewhere"))
    samples = read_samples(folder / "test.jsonl")
    log, asked = run_inspect(folder, "pefomed_medical_custom_test", {"": "No effusion."}, tmp_path / "logs", epochs=2)
    assert len(asked) == 10
    several = next(content for content in asked if len(content) > 2)
    assert [getattr(part, "text", "image") for part in several][:4] == ["frontal:", "image", "lateral:", "image"]
    wanted = ours(samples, ["No effusion."] * 5, "consistency", tmp_path / "ours")
    found = figures_in(log)["clinical_consistency"]
    assert found == pytest.approx({key: value for key, value in wanted.items() if value is not None})


def test_inspect_ai_names_a_missing_image_before_it_asks(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai")
    from pefomed_plugin.errors import ConfigError, DataError
    from pefomed_plugin.sharing.inspect_task import make_task

    folder = share(prepared_rad(tmp_path), "inspect_ai", tmp_path / "out")
    with pytest.raises(ConfigError, match="exact_match"):
        make_task(folder, "test", ["exact_mach"])
    image = next((folder / "images").iterdir())
    image.unlink()
    with pytest.raises(DataError, match=image.name):
        make_task(folder, "test", ["exact_match"])


def test_an_inspect_ai_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from pefomed_plugin import requirements
    from pefomed_plugin.errors import ConfigError

    monkeypatch.delitem(sys.modules, "pefomed_plugin.sharing.inspect_task", raising=False)
    monkeypatch.setattr(requirements, "installed_version", lambda name: "0.3.200")
    with pytest.raises(ConfigError, match=r"pip install 'inspect_ai>=0.3.245'"):
        import pefomed_plugin.sharing.inspect_task  # noqa: F401


# -- lmms-eval ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not LMMS_EVAL, reason="LMMS_EVAL_PYTHON is not set: no environment of lmms-eval")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("several", [False, True])
def test_lmms_eval_gives_our_figures(tmp_path: Path, several: bool) -> None:
    prepared = prepared_studies(tmp_path) if several else prepared_rad(tmp_path)
    scorer = "consistency" if several else "exact_match"
    folder = share(prepared, "lmms_eval", tmp_path / "out", "--scorer", scorer)
    (task,) = (path.stem for path in folder.glob("*.yaml"))
    # read_bytes makes its dummy model ask for the images, which it else leaves alone
    arguments = "--tasks pefomed --model dummy --model_args response=yes,read_bytes=1 --batch_size 1 --log_samples"
    command = [str(LMMS_EVAL), "-m", "lmms_eval", "--include_path", str(folder), *arguments.split()]
    command += ["--output_path", "logs"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    results = list((tmp_path / "logs").rglob("*_results.json"))
    assert results, done.stderr[-3000:]
    found = json.loads(results[0].read_text(encoding="utf-8"))["results"][task]
    samples = read_prepared(prepared).splits()["test"]
    (log,) = (tmp_path / "logs").rglob("*_samples_*.jsonl")
    back = imported(log, prepared, tmp_path / "back")
    assert [(row.id, row.prediction) for row in back] == [(sample.id, "yes") for sample in samples]
    wanted = ours(samples, ["yes"] * len(samples), scorer, tmp_path / "ours")
    name = "clinical_consistency" if several else "exact_match_pefomed"
    for figure, value in wanted.items():
        measured = found[f"{name}_{figure},none"]
        assert measured == pytest.approx(value) if value is not None else math.isnan(float(measured)), figure


def test_lmms_evals_functions_without_lmms_eval(tmp_path: Path) -> None:
    """What its YAML names, on rows as ``datasets`` gives them."""
    from pefomed_plugin.sharing.lmms_task import Scoring, doc_to_messages, doc_to_target, doc_to_text, doc_to_visual

    pytest.importorskip("datasets")
    folder = share(prepared_studies(tmp_path), "lmms_eval", tmp_path / "out", "--scorer", "consistency")
    from datasets import load_dataset

    rows = load_dataset("parquet", data_files=str(folder / "data" / "*.parquet"), cache_dir=str(tmp_path / "cache"))[
        "train"
    ]
    assert [image.mode for image in doc_to_visual(rows[0])] == ["RGB", "RGB"]
    assert (
        doc_to_text(rows[0]) == "Image 1: frontal. Image 2: lateral.\nDescribe the given chest x-ray image in detail."
    )
    assert [part["type"] for part in doc_to_messages(rows[0])[0]["content"]] == [
        "text",
        "image",
        "text",
        "image",
        "text",
    ]
    assert doc_to_target(rows[0]) == "Report 0."
    scoring = Scoring([("exact_match/pefomed", "overall")])
    records = [scoring.process_results(row, [text]) for row, text in zip(rows, ["report 0.", "", "<think>x", "a", "b"])]
    name = "exact_match_pefomed_overall"
    assert [record[name]["prediction"] for record in records] == ["report 0.", "", None, "a", "b"]
    assert scoring.aggregation(name)([record[name] for record in records]) == pytest.approx(20.0)


@pytest.mark.parametrize("module", ["lmms_task", "inspect_task"])
def test_what_the_tasks_call_needs_core_packages_alone(module: str) -> None:
    """A harness's environment has no torch of ours, and need not have pyarrow."""
    if module == "inspect_task":
        pytest.importorskip("inspect_ai")
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'transformers', 'pyarrow', 'timm', 'peft')));"
        f"import pefomed_plugin.sharing.{module} as found; print(found.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == (f"pefomed_plugin.sharing.{module}", 0), done.stderr[-2000:]
