"""What helps on a small card, in which order, and what is said when memory has run out."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from pefomed_plugin.adapters.training.strategies import STRATEGIES
from pefomed_plugin.config.compose import refusals
from pefomed_plugin.errors import PefomedError
from pefomed_plugin.services.memory.advice import (
    best_options,
    explain_out_of_memory,
    is_out_of_memory,
    largest_batch,
)
from pefomed_plugin.services.memory.estimate import estimate
from tests.unit.services.memory.test_estimate import config

OOM = "CUDA out of memory. Tried to allocate 96.00 MiB. GPU 0 has a total capacity of 23.57 GiB"


def test_each_option_saves_what_it_says_on_top_of_those_before() -> None:
    given = config()
    steps = best_options(given)
    assert [step.options for step in steps] == [
        "model.llm_quantization=4bit",
        "model.use_grad_checkpoint_llm=true",
        "run.batch_size_eval=1",
    ]
    peak = estimate(given).peak
    for step in steps:
        parts = (part.split("=") for part in step.options.split())
        given = given.with_values({key: {"true": True, "1": 1}.get(value, value) for key, value in parts})
        assert estimate(given).peak == step.peak == peak - step.saves
        peak = step.peak


def test_what_is_free_comes_first() -> None:
    first, second, _ = best_options(config(run_precision="bf16", model_llm_precision="fp32"))
    assert first.options == "model.llm_precision=bf16"
    assert first.price.startswith("costs nothing")
    assert second.options == "model.llm_quantization=4bit"


def test_smaller_batches_keep_the_gradient() -> None:
    first = best_options(config(batch_size=24, run_accum_grad_iters=2))[0]
    assert first.options == "datasets.vqa_rad.batch_size=1 run.accum_grad_iters=48"
    assert "keeps the step's gradient" in first.price


def test_what_is_set_is_not_advised_again() -> None:
    steps = best_options(
        config(
            model_llm_quantization="4bit",
            model_use_grad_checkpoint_llm=True,
            run_batch_size_eval=1,
            model_vit_on_cpu=True,
        )
    )
    assert [step.options for step in steps] == ["datasets.vqa_rad.batch_size=1 run.accum_grad_iters=6"]


def test_upstreams_word_gives_way_to_four_bits() -> None:
    steps = best_options(config(model_low_resource=True))
    assert "model.low_resource=false model.llm_quantization=4bit" in [step.options for step in steps]


def test_a_run_that_only_answers_gets_advice_on_answering() -> None:
    options = [
        best_option.options
        for best_option in best_options(
            config(run_evaluate=True, run_num_beams=8, run_batch_size_eval=1, model_vit_on_cpu=True)
        )
    ]
    assert "run.num_beams=1" in options
    assert not any("grad" in option for option in options)


def test_the_largest_batch_is_the_largest() -> None:
    batch = largest_batch(config(), 48)
    assert estimate(config(batch_size=batch)).fits(48)
    assert not estimate(config(batch_size=batch + 1)).fits(48)
    assert largest_batch(config(), 8) == 0


def test_out_of_memory_names_three_options_in_order() -> None:
    error = torch.cuda.OutOfMemoryError(OOM)
    assert is_out_of_memory(error)
    told = explain_out_of_memory(error, config())
    assert isinstance(told, PefomedError)
    assert "Tried to allocate 96.00 MiB" in told.summary
    assert "By estimate this run needs 25.5 GiB" in told.summary
    assert [problem.split(":")[0] for problem in told.problems] == [
        "--options " + best_option.options for best_option in best_options(config())
    ]
    assert "saves 9.0 GiB, 16.5 are left; costs time" in told.problems[0]


def test_out_of_memory_with_nothing_left_to_try() -> None:
    told = explain_out_of_memory(
        torch.cuda.OutOfMemoryError(OOM),
        config(
            batch_size=1,
            model_llm_quantization="4bit",
            model_use_grad_checkpoint_llm=True,
            model_vit_on_cpu=True,
            run_batch_size_eval=1,
        ),
    )
    assert told.problems == ()
    assert "it takes a larger card" in told.summary


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (MemoryError(), False),
    ],
)
def test_which_errors_are_meant(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_nothing_is_advised_that_the_run_would_refuse() -> None:
    merging = config(run_merge_lora=True)
    cannot = partial(refusals, strategies=STRATEGIES)
    assert "model.llm_quantization=4bit" in [step.options for step in best_options(merging)]
    assert not any("quantization" in step.options for step in best_options(merging, cannot))
    spread = config(run_strategy="fsdp", run_test_splits=())
    advised = " ".join(step.options for step in best_options(spread, cannot))
    assert "use_grad_checkpoint_llm" in advised and "vit_on_cpu" not in advised and "quantization" not in advised
    assert "merge" not in str(explain_out_of_memory(torch.OutOfMemoryError(OOM), merging, cannot))
