"""The weights that variants of LoRA stand beside: parted as peft does, of 16 bits, quantised, of other shapes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.lora import LoraSettings
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.language_folder import open_language_folder
from tests.conformance.golden import golden_model
from tests.conformance.test_lora import logits_of, plain_llama
from tests.conformance.test_peft_variants import TARGETS, VARIANTS
from tests.unit.adapters.exported import LLAMA


def test_begins_as_peft_lets_it_begin() -> None:
    """PiSSA's and OLoRA's A, B and weights without them are peft's."""
    from peft import LoraConfig, get_peft_model

    for begin in ("pissa", "olora"):
        ours = golden_model(lora=LoraSettings(4, 16, TARGETS, init_lora_weights=begin)).llama_model
        theirs = get_peft_model(
            plain_llama(), LoraConfig(r=4, lora_alpha=16, target_modules=list(TARGETS), init_lora_weights=begin)
        )
        for name, own in theirs.state_dict().items():
            assert torch.allclose(ours.state_dict()[name], own, rtol=0, atol=1e-6), name


@pytest.mark.parametrize("begin", ["pissa", "olora"])
def test_weights_in_16_bits_are_parted_the_same_way_when_read(begin: str) -> None:
    """And what is trained is in 32."""
    settings = LoraSettings(4, 16, TARGETS, init_lora_weights=begin, modules_to_save=("lm_head",))

    def adapted() -> Any:
        return language.add_lora(language.load_language_model(open_language_folder(LLAMA), torch.float16), settings)

    one, two = adapted(), adapted()
    starts = language.begin_as_parts(one, settings)
    language.take_away(two, starts)
    assert {own.dtype for own in one.parameters() if own.requires_grad} == {torch.float32}
    pairs = list(zip(language.lora_layers(one).values(), language.lora_layers(two).values()))
    assert len(pairs) == 4
    for first, second in pairs:
        assert first.base_layer.weight.dtype == torch.float16
        assert torch.equal(first.base_layer.weight, second.base_layer.weight)
    language.take_away(two, starts, starts)
    assert all(torch.equal(first.base_layer.weight, second.base_layer.weight) for first, second in pairs)
    other = {name: (1.01 * a, b) for name, (a, b) in starts.items()}
    language.take_away(two, other, starts)
    language.take_away(two, starts, other)
    for first, second in pairs:
        assert torch.allclose(first.base_layer.weight, second.base_layer.weight, rtol=2e-3, atol=1e-5), "rounded anew"


def test_quantised_weights_are_not_parted() -> None:
    model = language.add_lora(plain_llama(), VARIANTS["pissa"])
    next(iter(language.lora_layers(model).values())).base_layer.weight = torch.nn.Parameter(
        torch.zeros(64, 64, dtype=torch.int8), requires_grad=False
    )
    with pytest.raises(ConfigError, match="cannot be taken out of quantised weights"):
        language.take_away(model, {})


@pytest.mark.parametrize("variant", ["dora on all, rslora", "pissa", "olora"])
def test_matrices_with_biases_and_of_fewer_keys_are_merged_the_same(variant: str) -> None:
    """As other families have them; merged by us, by peft, and not at all. The output layer is the embedding."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=100,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        attention_bias=True,
        mlp_bias=True,
        tie_word_embeddings=True,
    )
    base = LlamaForCausalLM(config).eval()
    for name, own in base.named_parameters():
        torch.nn.init.normal_(own, mean=float("norm" in name), std=0.3)
    before = logits_of(base)
    settings = replace(VARIANTS[variant], modules_to_save=("norm",))
    model: Any = language.add_lora(base, settings).eval()
    if settings.splits_weights:
        language.begin_as_parts(model, settings)
    assert torch.allclose(logits_of(model), before, rtol=0, atol=1e-5)
    for own in model.parameters():
        if own.requires_grad:
            own.data += 0.05 * torch.randn(own.shape)
    expected = logits_of(model)
    assert not torch.allclose(expected, before, atol=1e-2)
    with language.merged_lora(model):
        assert torch.allclose(logits_of(model), expected, rtol=0, atol=1e-5)
    assert torch.equal(logits_of(model), expected)
    assert torch.allclose(logits_of(model.merge_and_unload()), expected, rtol=0, atol=1e-5)
