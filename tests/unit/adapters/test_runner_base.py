"""What MiniGPT-v2's ``runner_base`` is told and refused; that it trains is shown in ``tests/toolkit``."""

from __future__ import annotations

from types import SimpleNamespace

from omegaconf import OmegaConf

from pefomed_plugin.adapters.runner_base import by_name, drop_foreign_keys, refusals
from pefomed_plugin.config.run import RunConfig, read_run_config

PLAIN = {"task": "medical_vqa", "output_dir": "out", "runner": "runner_base"}


def test_options_that_would_do_nothing_are_refused_together():
    options = RunConfig(**PLAIN, valid_splits=("val",), max_grad_norm=1.0, resume="auto", precision="bf16")
    assert sorted(refusal.split(":")[0] for refusal in refusals(options)) == [
        "run.max_grad_norm",
        "run.precision",
        "run.resume",
        "run.valid_splits",
    ]
    assert refusals(RunConfig(**PLAIN, max_epoch=7, amp=True, accum_grad_iters=4, test_splits=("test",))) == []


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
