"""The checkpoint that MiniGPT-v2 wrote, for the tests of exports."""

from __future__ import annotations

import torch

from pefomed_plugin.adapters.exports.contents import Contents, Lora, find_lora
from tests.conformance.golden import FOLDER, golden_model

UPSTREAM = FOLDER / "checkpoint_upstream.pth"
"""Written by MiniGPT-v2 itself: rank 8 on q_proj and v_proj of two layers, LLaMA width 64."""
LLAMA = FOLDER / "tiny_llama"
TOKENS = torch.tensor([[1, 5, 9, 40, 7, 77, 3]])


def lora_of(contents: Contents, alpha: float | None = None) -> Lora:
    lora = find_lora(contents, alpha)
    assert lora is not None
    return lora


def adapter_logits() -> torch.Tensor:
    """What LLaMA with the checkpoint's LoRA says, in float32."""
    model = golden_model()
    model.load_checkpoint(UPSTREAM)
    with torch.no_grad():
        return model.llama_model(TOKENS).logits
