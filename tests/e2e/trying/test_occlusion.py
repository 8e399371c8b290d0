"""What an answer leans on: by a real tiny model beside transformers' own figures, and the command."""

from __future__ import annotations

import json
import math

import pytest
import torch
from PIL import Image

from pefomed_plugin.adapters.medical_model import Request
from pefomed_plugin.adapters.occlusion import occlusion_map
from pefomed_plugin.cli import main
from pefomed_plugin.records import Prediction
from pefomed_plugin.reporting.page.explorer_data import page_data
from pefomed_plugin.reporting.results import read_run
from pefomed_plugin.storage import write_records


def test_the_log_probability_is_that_of_the_loss(model, scans):
    """The loss of one sample is the mean over the answer's tokens, its end among them."""
    path, answers = scans / "a.png", ["a lung", "the left kidney and the spleen"]
    found = model.log_probabilities([Request(path, "vqa", "What is it?")] * 2, answers)
    for answer, value in zip(answers, found):
        asked = model.instruction_input(Request(path, "vqa", "What is it?"))
        image = model.pixels(Image.open(path).convert("RGB"))[None]
        with torch.no_grad():
            told = model.network({"image": image, "instruction_input": [asked], "answer": [answer]})
        assert value == pytest.approx(-float(told["loss"]) * int(told["tokens"]), abs=1e-4)
        (confidence,) = model.confidences([Request(path, "vqa", "What is it?")], [answer])
        assert confidence == pytest.approx(math.exp(-float(told["loss"])), abs=1e-5)


def test_a_cell_is_what_is_lost_without_it(model, scans):
    request = Request(scans / "a.png", "vqa", "What is it?")
    found = occlusion_map(model, request, "a lung", grid=2)
    image = model.open(scans / "a.png")
    for (row, column), drop in ((cell, found.drops[cell[0]][cell[1]]) for cell in ((0, 0), (1, 0))):
        covered = image.copy()
        half = image.width // 2
        covered.paste((128, 128, 128), (column * half, row * half, (column + 1) * half, (row + 1) * half))
        (without,) = model.log_probabilities([request._replace(image=covered)], ["a lung"])
        assert drop == pytest.approx(found.log_probability - without, abs=1e-5)


def test_the_command_draws_one_image_and_explains_answers_of_a_run(files, scans, tmp_path, capsys):
    weights = ["--ckpt", str(files["checkpoint"]), "--llama", str(files["llama"]), "--vit", str(files["vit"])]
    out = tmp_path / "where.png"
    asked = ["explain", str(scans / "a.png"), "--question", "What is it?", "--answer", "a lung", "--grid", "3"]
    assert main([*asked, "--out", str(out), *weights]) == 0
    assert "answer: a lung" in capsys.readouterr().out and Image.open(out).height > 448

    rows = [
        Prediction(f"q{number}", "vqa_rad", "test", ("a.png",), "vqa", "What is it?", "lung", "OPEN", prediction=said)
        for number, said in enumerate(("a lung", "a spleen", None))
    ]
    folder = tmp_path / "run" / "results" / "vqa_rad-test"
    write_records(folder / "predictions.jsonl", rows)
    of_run = ["explain", "--run", str(tmp_path / "run"), "--image-root", str(scans), "--grid", "2", *weights]
    assert main([*of_run, "--samples", "q0"]) == 0
    assert main([*of_run, "--samples", "q1"]) == 0
    maps = json.loads((folder / "occlusion.json").read_text())["maps"]
    assert list(maps) == ["q0", "q1"] and len(maps["q0"]["drops"]) == 2
    shown = page_data([read_run(tmp_path / "run")])
    assert [row[-1] is None for row in shown["samples"]] == [False, False, True]
    assert main([*of_run, "--samples", "q2,q9"]) == 2
    told = capsys.readouterr().err
    assert "q2: the model gave no answer" in told and "q9: no such answer" in told

    write_records(folder / "predictions.jsonl", [Prediction.of(row.sample, "another", {}) for row in rows])
    assert read_run(tmp_path / "run").answered["vqa_rad-test"].occlusion == {}, (
        "a map is of the answer that it is about"
    )
