"""A test set asked again about other images: by a model that looks, by one that does not, interrupted and gone on."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from pefomed_plugin.adapters.data.datasets import MedicalDataset
from pefomed_plugin.adapters.devices import make_accelerator
from pefomed_plugin.adapters.evaluation import evaluate_split
from pefomed_plugin.adapters.tasks import MedicalVqaTask
from pefomed_plugin.config.run import RunConfig, read_run_config
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.records import Sample
from pefomed_plugin.scoring.reliance import VARIANTS

SIDES = ("left", "right", "left", "right", "left", "right")
PRODUCER = {"model": "m", "images": "own"}


class Looks:
    """Says on which side the image is brighter."""

    prompt_template = ""

    def __init__(self, fails_after=10**9):
        self.asked, self.fails_after = 0, fails_after

    def eval(self):
        return self

    def says(self, image):
        left, right = float(image[..., :2].mean()), float(image[..., 2:].mean())
        return "nothing" if abs(left - right) < 0.1 else "left" if left > right else "right"

    def generate(self, images, prompts, **_):
        if self.asked >= self.fails_after:
            raise KeyboardInterrupt
        self.asked += len(prompts)
        return [self.says(image) for image in images]


class Guesses(Looks):
    """Says left, whatever is shown."""

    def says(self, image):
        return "left"


@pytest.fixture
def dataset(tmp_path):
    """Images with a bright half, and the question which one it is."""
    samples = []
    for number, side in enumerate(SIDES):
        pixels = np.full((4, 4, 3), 10 * number, np.uint8)
        pixels[:, :2] += 200 * (side == "left")
        pixels[:, 2:] += 200 * (side == "right")
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        samples.append(
            Sample(f"d-{number}", "d", "test", (f"{number}.png",), "vqa", "Which half is bright?", side, "OPEN")
        )

    def tensor(image):
        return torch.from_numpy(np.asarray(image.resize((4, 4)), np.float32) / 255).permute(2, 0, 1)

    return MedicalDataset("d", samples, tmp_path, tensor, str, draws_instructions=False)


def evaluate(dataset, model, folder, **given):
    options = RunConfig(
        task="medical_vqa", output_dir=str(folder), device="cpu", batch_size_eval=2, reliance=True, **given
    )
    return evaluate_split(make_accelerator(options), MedicalVqaTask(), model, dataset, options, folder, PRODUCER)


def shares(metrics):
    return {name: figure["value"] for name, figure in metrics["reliance"]["figures"].items()}


def test_a_model_that_looks(dataset, tmp_path):
    metrics = evaluate(dataset, Looks(), tmp_path / "out")
    found = shares(metrics)
    assert (found["right own"], found["right blind"], found["shortcut"]) == (100, 0, 0)
    assert (found["changed blind"], found["changed mirrored"], found["mirror followed"]) == (100, 100, 100)
    assert found["right mirrored"] == 100, "of a mirrored image the other side is right"
    assert 0 < found["changed shuffled"] < 100
    assert metrics["scores"]["exact_match/pefomed"]["overall"]["correct"] == 6, "those about its own image stay"
    for variant in VARIANTS:
        folder = tmp_path / "out" / "reliance" / variant
        answers = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
        assert [answer["id"] for answer in answers] == [f"d-{number}" for number in range(6)]
        assert {answer["producer"]["images"] for answer in answers} == {variant}
        assert [path.name for path in folder.iterdir()] == ["predictions.jsonl"], "nobody is asked to score them"
    assert dataset.images_of(0) == ("0.png",), "shows its own images again"


def test_a_model_that_does_not(dataset, tmp_path):
    found = shares(evaluate(dataset, Guesses(), tmp_path / "out"))
    assert (found["right own"], found["shortcut"], found["gain over blind"]) == (50, 100, 0)
    assert [found[f"changed {variant}"] for variant in VARIANTS] == [0, 0, 0]
    assert (found["mirror followed"], found["right mirrored"]) == (0, 50)


def test_it_goes_on_where_it_stopped(dataset, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        evaluate(dataset, Looks(fails_after=10), tmp_path / "out")
    model = Looks()
    metrics = evaluate(dataset, model, tmp_path / "out")
    assert model.asked == 4 * 6 - 10
    assert shares(metrics) == shares(evaluate(dataset, Looks(), tmp_path / "whole"))


def test_mirrored_images_have_names_and_keys_of_their_own(dataset):
    names, keys = dataset.images(), dataset.content_key(next(iter(dataset.images().values())))
    dataset.show_images("mirrored", 0)
    assert not set(names) & set(dataset.images())
    assert dataset.content_key(next(iter(dataset.images().values()))) != keys


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"images": "blind", "test_splits": ["test"]}, "set run.images=own"),
        ({"evaluate": False}, "run.test_splits is empty"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_the_start(section, message):
    with pytest.raises(ConfigError, match=message):
        read_run_config({"task": "medical_vqa", "output_dir": "out", "reliance": True, **section})
