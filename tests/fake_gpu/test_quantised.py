"""Runs with the language model in 4 and 8 bits. Skipped without bitsandbytes (extra ``quant``)."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="bitsandbytes is missing: pip install bitsandbytes"
)
A_PRODUCT = """
import bitsandbytes, torch
from pefomed_plugin.adapters.devices import match_frozen_weights
from tests.fake_gpu.watch import Watch

layer = bitsandbytes.nn.Linear4bit(256, 256, compute_dtype=torch.float16, quant_type="nf4").requires_grad_(False).cuda()
match_frozen_weights(layer, "bf16")
inputs = torch.zeros(4096, 256, device="cuda", dtype=torch.bfloat16)
with Watch() as watch, torch.autocast("cuda", torch.bfloat16):
    layer(inputs)
print(*watch.kernels, *watch.products, sep="\\n")
"""


@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_a_run_in_few_bits_trains_and_answers_and_says_nothing_a_product(train, said, bits):
    done = train("run.precision=bf16", f"model.llm_quantization={bits}")
    assert done.returncode == 0, said(done)
    assert "inputs will be cast" not in done.stdout + done.stderr


def test_four_bits_become_the_runs_precision_and_no_other(start):
    """They are loaded to compute in fp16, as ``model.llm_precision`` says."""
    found = start("-c", A_PRODUCT)
    assert found.returncode == 0, found.stderr[-3000:]
    assert "bf16 " in found.stdout and "nv_bfloat16" in found.stdout and "__half" not in found.stdout
