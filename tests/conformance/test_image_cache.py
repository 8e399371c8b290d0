"""Images made ready once give the batches, losses and answers of images opened each time."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from pefomed_plugin.adapters.data.collating import PackedCollater
from pefomed_plugin.adapters.data.datasets import MedicalDataset
from pefomed_plugin.adapters.data.image_cache import show_ready_made
from pefomed_plugin.adapters.devices import make_accelerator
from pefomed_plugin.adapters.runner import RunnerPefomed
from pefomed_plugin.adapters.tasks import MedicalVqaTask
from pefomed_plugin.config.run import RunConfig
from pefomed_plugin.errors import CheckpointError, ConfigError, DataError
from pefomed_plugin.records import Sample
from pefomed_plugin.toolkit.bundled.processors import Blip2ImageTrainProcessor
from pefomed_plugin.toolkit.bundled.vision import normalise_pixels
from tests.conformance.golden import golden_model
from tests.conformance.golden_run import Cfg

SIZE_PX = 56


@pytest.fixture(scope="module")
def model():
    return golden_model()


@pytest.fixture
def dataset(tmp_path):
    """Seven questions about four files, two of which hold the same bytes."""
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (40 + number, 70, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    shutil.copy(tmp_path / "0.png", tmp_path / "copy.png")
    names = ["0.png", "1.png", "2.png", "copy.png", "0.png", "1.png", "1.png"]
    return new_dataset(tmp_path, names)


def new_dataset(root, names, processor=None):
    samples = [
        Sample(f"s{number}", "d", "train", name, "vqa", f"Is it {number}?", "yes") for number, name in enumerate(names)
    ]
    return MedicalDataset(
        "d", samples, root, processor or Blip2ImageTrainProcessor(SIZE_PX), str, draws_instructions=False
    )


def options(tmp_path, kind):
    return RunConfig(
        task="medical_vqa", output_dir=str(tmp_path), device="cpu", image_cache=kind, cache_dir=str(tmp_path / "cache")
    )


def make_ready(tmp_path, model, dataset, kind):
    chosen = options(tmp_path, kind)
    show_ready_made(make_accelerator(chosen), model, [dataset], chosen)
    return dataset


def batch_of(model, dataset):
    return PackedCollater(model.packer(), share=True)([dataset[number] for number in range(len(dataset))])


@pytest.mark.parametrize("kind", ["pixels", "features"])
def test_the_loss_is_that_of_images_opened_each_time(model, dataset, tmp_path, kind):
    expected = model(batch_of(model, dataset))["loss"]
    ready = batch_of(model, make_ready(tmp_path, model, dataset, kind))
    shape = {"pixels": (4, 3, SIZE_PX, SIZE_PX), "features": (4, 16, golden_width(model))}[kind]
    assert ready["image"].shape == shape
    assert ready["image"].dtype == {"pixels": torch.uint8, "features": torch.float32}[kind]
    assert model(ready)["loss"].item() == pytest.approx(expected.item(), rel=0, abs=1e-6)


def golden_width(model):
    return model.ln_vision.weight.shape[0]


def test_each_distinct_image_goes_through_the_encoder_once(model, dataset, tmp_path):
    before = model.vit_forwards
    make_ready(tmp_path, model, dataset, "features")
    assert model.vit_forwards - before == 3, "0.png and its copy are one image"
    for _ in range(3):
        model(batch_of(model, dataset))
    make_ready(tmp_path, model, new_dataset(tmp_path, ["2.png", "copy.png"]), "features")
    assert model.vit_forwards - before == 3, "a later run finds all of them"


def test_pixels_are_those_of_the_processor_before_it_normalises(model, dataset, tmp_path):
    expected = dataset[1]["image"]
    pixels = make_ready(tmp_path, model, dataset, "pixels")[1]["image"]
    assert torch.equal(normalise_pixels(pixels[None])[0], expected)


def test_other_weights_have_features_of_their_own(model, dataset, tmp_path):
    make_ready(tmp_path, model, dataset, "features")
    other = golden_model()
    with torch.no_grad():
        other.ln_vision.weight[0] += 1
    make_ready(tmp_path, other, dataset, "features")
    folders = sorted((tmp_path / "cache").iterdir())
    assert len(folders) == 2
    facts = [json.loads((folder / "meta.json").read_text()) for folder in folders]
    assert facts[0]["encoder"] != facts[1]["encoder"] and facts[0]["image_size"] == SIZE_PX


def test_another_normalisation_has_features_of_its_own(model, dataset, tmp_path):
    make_ready(tmp_path, model, dataset, "features")
    other, mean = golden_model(), (0.5, 0.5, 0.5)
    other.encoder = replace(other.encoder, mean=mean)  # as another encoder that happens to have the same weights
    with pytest.raises(ConfigError, match="the vision encoder's mean and deviation"):
        make_ready(tmp_path, other, dataset, "features")
    odd = new_dataset(tmp_path, ["0.png"], Blip2ImageTrainProcessor(SIZE_PX, mean=mean))
    make_ready(tmp_path, other, odd, "features")
    assert len(list((tmp_path / "cache").iterdir())) == 2
    assert not torch.equal(dataset[0]["image"], odd[0]["image"])


def test_shuffled_and_blind_images_are_ready_too(model, dataset, tmp_path):
    dataset.shuffle_images(seed=0)
    shuffled = [dataset[number]["image"].clone() for number in range(7)]
    make_ready(tmp_path, model, dataset, "features")
    assert all(
        torch.allclose(model.encode_vision(image[None])[0], dataset[number]["image"], atol=1e-6)
        for number, image in enumerate(shuffled)
    )
    dataset.blind_images()
    make_ready(tmp_path, model, dataset, "features")
    assert torch.equal(dataset[0]["image"], dataset[1]["image"])


def test_a_full_disk_is_known_before_anything_is_made(model, dataset, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 0, 10))
    before = model.vit_forwards
    with pytest.raises(ConfigError, match=r"3 images need .* GB .*another run.cache_dir"):
        make_ready(tmp_path, model, dataset, "features")
    assert model.vit_forwards == before
    assert not list((tmp_path / "cache").rglob("*.bin"))


def test_a_damaged_cache_is_named(model, dataset, tmp_path):
    make_ready(tmp_path, model, dataset, "pixels")
    (data,) = (tmp_path / "cache").rglob("*.bin")
    data.write_bytes(b"\xff" * data.stat().st_size)
    again = make_ready(tmp_path, model, dataset, "pixels")
    with pytest.raises(DataError, match="is damaged; remove this file"):
        again[0]


def test_a_processor_of_another_normalisation(model, tmp_path, dataset):
    odd = new_dataset(tmp_path, ["0.png"], Blip2ImageTrainProcessor(SIZE_PX, mean=(0.5, 0.5, 0.5)))
    with pytest.raises(ConfigError, match="without chance and with the vision encoder's mean"):
        make_ready(tmp_path, model, odd, "pixels")


def train(tmp_path, dataset, **chosen):
    """Two epochs of the golden model on the seven questions; its runner and the log's lines."""
    dataset.batch_size = 4
    cfg = Cfg(
        {
            "task": "medical_vqa",
            "output_dir": str(tmp_path / "run"),
            "device": "cpu",
            "max_epoch": 2,
            "log_freq": 1,
            "init_lr": 1e-3,
            "cache_dir": str(tmp_path / "cache"),
            **chosen,
        }
    )
    runner = RunnerPefomed(cfg, MedicalVqaTask(), golden_model(), {"d": {"train": dataset}})
    return runner, lambda: [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("cache", "questions", "encoded"), [("features", 3, [3] * 4), ("features", 1, [3] * 4), ("none", 1, [4, 7, 11, 14])]
)
def test_how_many_images_a_whole_run_encodes(dataset, tmp_path, cache, questions, encoded):
    """Three distinct images; without a cache every question of every epoch."""
    runner, log = train(tmp_path, dataset, image_cache=cache, questions_per_image=questions)
    runner.train()
    assert [each["encoded_images"] for each in log()] == encoded


def test_a_run_with_shared_prefixes_and_ready_images_resumes_exactly(dataset, tmp_path):
    chosen = {"image_cache": "features", "questions_per_image": 3, "save_every_steps": 1, "resume": "auto"}
    whole, _ = train(tmp_path / "whole", dataset, **chosen)
    whole.train()
    first, _ = train(tmp_path / "parts", dataset, **chosen)
    original, taken = first.task.train_step, []

    def train_step(model, batch):
        if len(taken) == 3:
            raise KeyboardInterrupt
        taken.append(1)
        return original(model, batch)

    first.task.train_step = train_step
    with pytest.raises(KeyboardInterrupt):
        first.train()
    second, log = train(tmp_path / "parts", dataset, **chosen)
    second.train()
    assert [each["iteration"] for each in log()] == [1, 2, 3, 4]
    for (name, one), (_, two) in zip(whole.model.named_parameters(), second.model.named_parameters()):
        assert torch.equal(one, two), name
    with pytest.raises(CheckpointError, match="run.questions_per_image: 3 then, 2 now"):
        train(tmp_path / "parts", dataset, **{**chosen, "questions_per_image": 2})[0].train()
