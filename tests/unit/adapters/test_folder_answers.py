"""Answers about a folder of images, by a model that is made up: what is written when an answer cannot be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from pefomed_plugin.adapters.folder_answers import answer_folder
from pefomed_plugin.services.images.decoding import DEFAULT_POLICY
from pefomed_plugin.services.images.image_folder import find_images, make_samples
from pefomed_plugin.storage import read_predictions


def test_half_a_character_of_an_answer_is_marked_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "scans").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "scans" / "a.png")
    samples = make_samples(find_images(tmp_path / "scans").images, "report")
    model = SimpleNamespace(
        facts={},
        policy=DEFAULT_POLICY,
        batch_size=1,
        prompt=lambda request: "?",
        answers=lambda requests, size, limit: ((place, "no \ud83d") for place, _ in enumerate(requests)),
    )
    answer_folder(model, tmp_path / "scans", samples, tmp_path / "out.jsonl")
    assert read_predictions(tmp_path / "out.jsonl")[0].prediction == "no \ufffd"
    assert "out.jsonl: 1 records hold half a character" in capsys.readouterr().err


def asked(model_answers: list[str], confidences: list[list[str]]) -> SimpleNamespace:
    """A model that is made up; ``confidences`` collects what it was asked about together."""

    def confidences_of(requests: object, answers: list[str]) -> list[float]:
        confidences.append(answers)
        return [0.5 + len(answer) / 100 for answer in answers]

    return SimpleNamespace(
        facts={},
        policy=DEFAULT_POLICY,
        batch_size=2,
        prompt=lambda request: "?",
        answers=lambda requests, size, limit: ((n, model_answers[n]) for n, _ in enumerate(requests)),
        confidences=confidences_of,
    )


def test_confidences_are_asked_together_and_stay_beside_their_answers(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for name in "abc":
        Image.new("L", (8, 8)).save(tmp_path / "scans" / f"{name}.png")
    samples = make_samples(find_images(tmp_path / "scans").images, "report")
    together: list[list[str]] = []
    model = asked(["one", "three", "seven22"], together)
    done = answer_folder(model, tmp_path / "scans", samples, tmp_path / "out.jsonl", confidence=True)
    assert together == [["one", "three"], ["seven22"]]
    assert [prediction.producer["confidence"] for prediction in done.predictions] == pytest.approx([0.53, 0.55, 0.57])
    again = answer_folder(model, tmp_path / "scans", samples, tmp_path / "out.jsonl", confidence=True)
    assert (again.reused, len(together)) == (3, 2), "nothing is asked twice"
    answer_folder(model, tmp_path / "scans", samples, tmp_path / "other.jsonl")
    plain = answer_folder(model, tmp_path / "scans", samples, tmp_path / "other.jsonl", confidence=True)
    assert (plain.reused, len(together)) == (0, 4), "answers without one are asked again"
