"""What steps and answers of the real size ask of an H100: waits, precisions, kernels, memory."""

from __future__ import annotations

import pytest

KINDS = ["images", "features", "together", "uneven"]


@pytest.mark.parametrize("kind", [*KINDS, "pixels", "fp16"])
def test_no_step_waits_for_the_card(measured, kind):
    assert measured["step"][kind]["waits"] == {}


@pytest.mark.parametrize("kind", KINDS)
def test_all_products_are_in_the_runs_precision_and_the_encoders_in_its_own(measured, kind):
    """The language model's in bf16, the vision encoder's in fp16: 39 blocks of four."""
    counts = {"bf16": 0, "fp16": 0}
    for name, count in measured["step"][kind]["products"].items():
        counts[name.split()[0]] += count
    assert (counts["fp16"] >= 4 * 39) == (kind in ("images", "uneven"))
    assert counts["bf16"] == 836


def test_a_step_in_fp16_is_scaled_and_all_in_fp16(measured):
    assert {name.split()[0] for name in measured["step"]["fp16"]["products"]} == {"fp16"}


def test_kernels_of_a_step_and_of_a_token_grow_no_more(measured):
    """Ratchets: whoever makes them fewer lowers the bound."""
    assert measured["step"]["images"]["kernels"] <= 4841
    assert measured["step"]["together"]["kernels"] <= 4012
    assert measured["token"]["kernel by kernel"]["kernels"] <= 1630


@pytest.mark.parametrize("how", ["evaluating", "loaded", "served"])
def test_a_token_is_one_graph(measured, how):
    """Started as one thing, and a copy of the tokens to the host."""
    assert measured["token"][how]["kernels"] <= 2


@pytest.mark.parametrize("how", ["evaluating", "loaded", "served"])
def test_a_token_waits_once(measured, how):
    """To see whether all answers have ended."""
    assert measured["token"][how]["waits"] <= 1


def test_a_token_of_load_costs_what_one_of_evaluate_does(measured):
    assert measured["token"]["loaded"] == measured["token"]["evaluating"]


def test_memory_is_what_estimate_says(measured):
    memory = measured["memory"]
    assert 0.95 * memory["estimated"] < memory["taken"] <= memory["estimated"]


@pytest.mark.parametrize("what", ["training", "training from images", "evaluating", "loaded"])
def test_attention_takes_a_kernel_without_plans(measured, what):
    """cuDNN, which Hopper and newer would take, plans every new shape."""
    assert set(measured["attention"][what]) <= {"flash", "efficient"}


def test_frozen_weights_change_their_precision_on_the_card(start):
    """LLaMA-2-7B's take 13 s on a host."""
    code = (
        "import torch; from pefomed_plugin.adapters.training.strategies import strategy_of;"
        "from tests.fake_gpu.watch import Watch; layer = torch.nn.Linear(8, 8).half().requires_grad_(False)\n"
        "with Watch() as watch: placed = strategy_of('ddp').place(layer, 'cuda', 'bf16')\n"
        "print(placed.weight.dtype, watch.launches)"
    )
    assert start("-c", code).stdout.split() == ["torch.bfloat16", "2"]
