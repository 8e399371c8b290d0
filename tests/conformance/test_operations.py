"""The operations of a training sample as ``docs/scale.md`` counts them, against torch's own count."""

from __future__ import annotations

from typing import Any

from torch.nn.attention import SDPBackend, sdpa_kernel

from pefomed_plugin.families import LanguageSize, ModelSize
from pefomed_plugin.services.memory.operations import sample_flops
from pefomed_plugin.vision_encoders import VisionEncoder
from projects.benchmarks.speed.operations import counting_operations
from tests.conformance.golden import golden, golden_model, samples


def test_operations_are_those_that_torch_counts() -> None:
    model: Any = golden_model().train()
    config, given = model.llama_model.config, golden()["model"]
    names = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
    )
    size = ModelSize(
        LanguageSize(**{name: getattr(config, name) for name in names}),
        VisionEncoder(**golden()["vit"], image_size=given["img_size"]),
        given["lora_r"],
        ("q_proj", "v_proj"),
    )
    batch = samples(0)
    layout, _ = model.packer()(batch["instruction_input"], batch["answer"], range(1))
    counted = sample_flops(size, layout.separately_padded_length, len(layout.targets))
    with counting_operations() as fused:
        model(batch)["loss"].backward()  # without a layout: transformers' own layers, the last one whole as well
    assert fused.get_total_flops() == sum(counted.values())
    with counting_operations() as apart, sdpa_kernel(SDPBackend.MATH):
        model(batch)["loss"].backward()
    scores_again = counted["its attention"] // 7  # what a fused kernel does once more in the backward pass, 2 of 14
    assert apart.get_total_flops() == sum(counted.values()) - scores_again
