"""Every reader of a release, and every importer, with each of its text files damaged: a named error or samples."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from pefomed_plugin.embedded import DRAWN, make_sample
from pefomed_plugin.errors import PefomedError
from pefomed_plugin.readers import DATASETS
from pefomed_plugin.services.results_in import FORMATS

from .damage import DAMAGES, SECRET

pytestmark = pytest.mark.timeout(30, func_only=True)  # of each test; what all are made from takes longer
_TEXTS = (".json", ".jsonl", ".csv", ".txt", ".pkl", ".tsv", ".gz")
_ROWS = {
    "llava_med": [{"question_id": 1, "prompt": SECRET, "text": SECRET}],
    "medevalkit": [{"question": SECRET, "answer": "a", "response": SECRET}],
    "vlmevalkit": [{"index": 1, "question": SECRET, "answer": "a", "prediction": SECRET}],
    "lmms_eval": [{"doc": {"question": SECRET}, "target": "a", "filtered_resps": [[SECRET]]}],
    "ms_swift": [
        {"response": SECRET, "labels": "a", "messages": [{"role": "user", "content": SECRET}], "images": ["i"]}
    ],
    "llama_factory": [{"prompt": SECRET, "predict": SECRET, "label": "a"}],
    "inspect_ai": {"samples": [{"id": SECRET, "input": SECRET, "target": "a", "output": {"completion": SECRET}}]},
    "rexrank": {"study": {"model_prediction": SECRET}},
    "pefomed": [{"image_path": "a", "ground_truth": SECRET, "generated_report": SECRET}],
}


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("releases") / "sample"
    make_sample(folder, parts=DRAWN)
    return folder


def what_is_said(name: str, root: Path) -> str:
    """The error that is a user's, or how much was read; any other exception fails the test."""
    try:
        return f"{len(DATASETS.own[name].read(root).samples)} samples"
    except PefomedError as error:
        return str(error)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", DRAWN)
def test_a_damaged_release_is_named_or_read(releases: Path, tmp_path: Path, name: str, damage: str) -> None:
    root = tmp_path / name
    shutil.copytree(releases / name, root, copy_function=os.link)
    texts = sorted(path for path in root.rglob("*") if path.is_file() and path.suffix in _TEXTS)
    biggest, damaged = sorted(texts, key=lambda path: path.stat().st_size)[-2:], 0
    for path in biggest:
        content = path.read_bytes()
        path.unlink()  # else the link's other end changes
        path.write_bytes(content)
        try:
            DAMAGES[damage](path)
        except (ValueError, IndexError):
            continue
        said = what_is_said(name, root)
        assert said and "\x1b" not in said
        damaged += 1
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(content)
    if not damaged:
        pytest.skip("a damage of JSON, and these files are none")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", _ROWS)
def test_a_damaged_result_file_is_named_or_read(tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(_ROWS[name]), encoding="utf-8")
    assert FORMATS[name].read(path)
    DAMAGES[damage](path)
    try:
        FORMATS[name].read(path)
    except PefomedError as error:
        assert SECRET not in str(error) and "a.json" in str(error)
