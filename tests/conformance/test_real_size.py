"""The real configuration, counted without weights: LLaMA-2-7B, ViT-g at 448 pixels, LoRA rank 64."""

from __future__ import annotations

import torch
from transformers import LlamaConfig

from pefomed_plugin.families.llama import LLAMA
from pefomed_plugin.lora import LoraSettings
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2


def test_trainable_parameters_of_the_paper():
    with torch.device("meta"):
        model = MiniGPTv2(
            language.empty_language_model(
                LLAMA,
                LlamaConfig(
                    vocab_size=32000,
                    hidden_size=4096,
                    intermediate_size=11008,
                    num_hidden_layers=32,
                    num_attention_heads=32,
                ),
            ),
            tokenizer=None,
            lora=LoraSettings(64, 16, LLAMA.lora_targets),
        )
    trainable = {name: value for name, value in model.named_parameters() if value.requires_grad}
    assert sum(parameter.numel() for parameter in trainable.values()) == 56_627_200
    assert all("lora_" in name or name.startswith("llama_proj.") for name in trainable)
    assert len(trainable) == 32 * 2 * 2 + 2
    assert model.visual_tokens == 256
    assert len(model.visual_encoder.blocks) == 39
    assert tuple(model.visual_encoder.pos_embed.shape) == (1, 1025, 1408)
