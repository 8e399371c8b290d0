"""What MiniGPT-v2's ``runner_base`` is told and refused; that it trains is shown in ``tests/toolkit``."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from pefomed_plugin.adapters.runner_base import _look_ahead as look_ahead
from pefomed_plugin.adapters.runner_base import by_name, drop_foreign_keys, refusals
from pefomed_plugin.config.compose import read_configuration
from pefomed_plugin.config.run import RunConfig, read_run_config
from pefomed_plugin.errors import ConfigError


def configuration(datasets, **run):
    return read_configuration({"model": {}, "datasets": datasets, "run": {**PLAIN, "max_epoch": 7, **run}})


PLAIN = {"task": "medical_vqa", "output_dir": "out", "runner": "runner_base"}


def test_options_that_would_do_nothing_are_refused_together():
    options = {"valid_splits": ["test"], "train_splits": ["train", "val"], "max_grad_norm": 1.0, "resume": "auto"}
    refused = refusals(configuration({"slake": {"passes": 3}, "vqa_rad": {"passes": 7}}, **options, precision="bf16"))
    assert sorted(refusal.split(":")[0] for refusal in refused) == [
        "datasets.slake.passes",
        "run.max_grad_norm",
        "run.precision",
        "run.resume",
        "run.train_splits",
        "run.valid_splits",
    ]
    plain = {"amp": True, "accum_grad_iters": 4, "test_splits": ["test"], "valid_splits": ["val"]}
    assert refusals(configuration({"slake": {"passes": 7}, "vqa_rad": {"passes": 7}}, **plain)) == []


class Split(list):
    def __init__(self, name, size, batch_size=6, ratio=1.0):
        super().__init__(range(size))
        self.name, self.batch_size, self.sample_ratio = name, batch_size, ratio


def runner(datasets, **values):
    run = OmegaConf.create({**PLAIN, "valid_splits": ["val"], "evaluate": False, "distributed": False, "max_epoch": 4,
                            "iters_per_epoch": None, **values})  # fmt: skip
    return SimpleNamespace(config=SimpleNamespace(run_cfg=run, datasets_cfg=datasets), datasets=datasets)


def test_the_start_says_passes_and_what_is_left_out(capsys):
    own = runner({"a": {"train": Split("a", 62, ratio=2.0), "val": [1]}, "b": {"train": Split("b", 30)}})
    look_ahead(own)
    said = capsys.readouterr().out
    assert "a: 67% of the batches, about 4 passes over 62 samples in 4 epoch(s)" in said
    assert "random, and a pass leaves 2 out\nb: 33% of the batches, about 4 passes over 30 samples" in said
    assert "checkpoint_best.pth" in said
    assert own.config.run_cfg.valid_splits == ["val"]


def test_a_validation_split_that_no_data_set_has_is_taken_out(capsys):
    """``runner_base.py:392`` asserts that there is a loader for it."""
    own = runner({"a": {"train": Split("a", 60)}})
    look_ahead(own)
    assert own.config.run_cfg.valid_splits == []
    assert "checkpoint_best" not in capsys.readouterr().out


def test_a_data_set_that_fills_no_batch_is_refused_at_the_start():
    with pytest.raises(ConfigError, match="b: 5 training samples, and 6 are taken at once; set datasets.b.batch_size"):
        look_ahead(runner({"a": {"train": Split("a", 60)}, "b": {"train": Split("b", 5)}}))


def test_data_sets_by_name_however_they_are_sorted():
    a, b = SimpleNamespace(name="a"), SimpleNamespace(name="b")
    plain = {"a": {"train": a}, "b": {"train": b, "test": b}}
    assert by_name(plain) is plain
    assert by_name({"train": [a, b], "test": [b]}) == plain


def test_what_torchrun_left_in_the_run_section_is_no_mistake_of_the_user():
    """``init_distributed_mode`` of the checkout (``common/dist_utils.py:65-76``) writes these three."""
    run = OmegaConf.create({**PLAIN, "rank": 1, "gpu": 1, "dist_backend": "nccl"})
    drop_foreign_keys(run)
    assert read_run_config(OmegaConf.to_container(run)) == RunConfig(**PLAIN)
