"""Run options: types, ranges, near names, and every mistake in one message."""

from __future__ import annotations

import pytest

from pefomed_plugin.config.run import RunConfig, read_run_config
from pefomed_plugin.errors import ConfigError

LEAST = {"task": "medical_vqa", "output_dir": "out"}


def problems(**section):
    with pytest.raises(ConfigError) as caught:
        read_run_config({**LEAST, **section})
    return caught.value.problems


def test_defaults_and_conversions():
    options = read_run_config({**LEAST, "init_lr": "3e-5", "max_epoch": 50.0, "test_splits": "test", "amp": True})
    assert (options.init_lr, options.max_epoch, options.test_splits) == (3e-5, 50, ("test",))
    assert options.amp_precision == "fp16"
    assert RunConfig(**LEAST).amp_precision is None
    assert RunConfig(**LEAST, amp=True, precision="bf16").amp_precision == "bf16"


def test_all_mistakes_come_together():
    found = problems(max_epochs=3, init_lr="fast", shuffle="yes", train_splits=3, iters_per_epoch=2.5)
    assert len(found) == 5
    assert "run.max_epochs: no such key; did you mean 'max_epoch'?" in found
    assert "run.init_lr: expected a number, found 'fast'" in found
    assert "run.shuffle: expected true or false, found 'yes'" in found
    assert "run.train_splits: expected a list of names, found 3" in found
    assert "run.iters_per_epoch: expected a whole number, found 2.5" in found


def test_missing_keys_are_named():
    with pytest.raises(ConfigError) as caught:
        read_run_config({})
    assert caught.value.problems == ("run.task: missing", "run.output_dir: missing")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"max_epoch": 0}, "run.max_epoch: 0 is less than 1"),
        ({"num_workers": -1}, "run.num_workers: -1 is less than 0"),
        ({"precision": "fp8"}, "run.precision: 'fp8' is none of fp32, fp16, bf16"),
        ({"device": "tpu"}, "run.device: 'tpu' is none of auto, cuda, cpu"),
        ({"init_lr": float("nan")}, "run.init_lr: expected a number, found nan"),
        ({"questions_per_image": "al"}, "run.questions_per_image: 'al' is none of auto, a whole number"),
        ({"questions_per_image": 0}, "run.questions_per_image: 0 is less than 1"),
        ({"seed": None}, "run.seed: expected a value, found nothing"),
        (
            {"test_splits": ["test", "val", "test"]},
            "run.test_splits: test stands there twice; name each split once",
        ),
    ],
)
def test_out_of_range(section, message):
    assert problems(**section) == (message,)


def test_ready_images_need_no_processes_that_load():
    section = {"task": "medical_vqa", "output_dir": "out", "num_workers": 6}
    assert read_run_config(section).loading_processes == 6
    assert read_run_config({**section, "image_cache": "features"}).loading_processes == 0


@pytest.mark.parametrize(("asked", "together"), [("auto", 24), (8, 8), (40, 24), (1, 1)])
def test_questions_of_an_image_in_a_batch(asked, together):
    options = read_run_config({**LEAST, "questions_per_image": asked})
    assert options.questions_together(24) == together
    assert options.shares_images == (asked != 1)
