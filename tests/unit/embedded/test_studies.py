"""Studies of two films: what each film shows, and that no question is answered by a film that does not decide it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pefomed_plugin.embedded import studies
from pefomed_plugin.embedded.scenes import CHEST, LATERAL, Scene
from pefomed_plugin.readers import read_data


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, Scene]]:
    """Sixty studies, and what their films would show if they were drawn."""
    drawn: dict[str, Scene] = {}
    monkeypatch.setattr(studies, "save", lambda scene, path: drawn.update({f"{path.parent.name}/{path.name}": scene}))
    studies.write_studies(tmp_path, Random(1), train=50, test=10)
    return tmp_path, drawn


def test_each_film_decides_what_its_questions_say(written: tuple[Path, dict[str, Scene]]) -> None:
    folder, drawn = written
    rows: list[dict[str, Any]] = [
        json.loads(line) for name in ("train", "test") for line in (folder / f"{name}.jsonl").read_text().splitlines()
    ]
    for row in rows:
        frontal, lateral = (drawn[row["images"][view]] for view in ("frontal", "lateral"))
        assert (frontal.kind, lateral.kind, frontal.seed) == (CHEST, LATERAL, lateral.seed)
        assert frontal.enlarged == lateral.enlarged and frontal.finding in (None, lateral.finding)
        if row["question_type"] == LATERAL:
            assert frontal.finding is None, "the frontal film of a finding and of none is the same"
        elif row["question_type"] == studies.FRONTAL:
            assert row["answer"].split()[0] == frontal.side
        elif "heart" not in row["question"] and "enlargement" not in row["question"]:
            assert frontal.finding == lateral.finding is not None
    by = [row["question_type"] for row in rows]
    assert min(by.count(kind) for kind in (LATERAL, studies.FRONTAL, studies.BOTH)) >= len(drawn) // 2 // 5


def test_they_are_read_as_data_of_ones_own(written: tuple[Path, dict[str, Scene]]) -> None:
    folder, _ = written
    for path in {f"images/{name}" for name in written[1]}:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"readers never open this")
    both, first = (read_data("medical_custom", folder, views=views) for views in ("all", "first"))
    assert {sample.views for sample in both.samples} == {("frontal", "lateral")}
    assert [sample.images for sample in first.samples] == [sample.images[:1] for sample in both.samples]
    assert sum(first.notes.values()) == len(both.samples) and {sample.views for sample in first.samples} == {()}
    assert len({sample.metadata["study"] for sample in both.samples}) == 60
