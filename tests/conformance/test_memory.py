"""The arithmetic of ``pefomed estimate`` against what torch really has: parameters, kept bytes, optimizer state."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from pefomed_plugin.config.compose import read_configuration
from pefomed_plugin.config.model import read_model_config
from pefomed_plugin.families import FAMILIES, LanguageModelFamily, LanguageSize, ModelSize, read_model_size
from pefomed_plugin.families.llama import LLAMA
from pefomed_plugin.lora import LoraSettings
from pefomed_plugin.services.memory.estimate import estimate, kept_bytes
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.bundled.decoder import Places, block_of, decode
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from pefomed_plugin.vision_encoders import VisionEncoder
from tests.conformance.golden import golden_model, samples

WIDTHS = LanguageSize(
    vocab_size=100,
    hidden_size=256,
    intermediate_size=688,
    num_hidden_layers=2,
    num_attention_heads=8,
    num_key_value_heads=4,
    head_dim=32,
)
TARGETS = ("q_proj", "v_proj")
RANK, ROWS, TOKENS = 8, 2, 48
CPU_MASK_BYTES = 4


def parameters(*modules: Any) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def as_transformers(size: LanguageSize, family: LanguageModelFamily = LLAMA) -> Any:
    names = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
    )
    config_class = getattr(transformers, family.model_class).config_class
    return config_class(**{name: getattr(size, name) for name in names})


@pytest.mark.parametrize(
    ("section", "llama"),
    [
        ({}, LLAMA.published_size),
        (
            {
                "vit": {"embed_dim": 96, "depth": 2, "num_heads": 4, "mlp_ratio": 4.0},
                "image_size": 112,
                "lora_r": 4,
                "lora_target_modules": ["k_proj", "o_proj", "down_proj", "gate_proj"],
            },
            WIDTHS,
        ),
    ],
)
def test_every_part_has_as_many_parameters_as_the_model(section: dict[str, Any], llama: LanguageSize) -> None:
    read = read_model_size(read_model_config(section))
    size = ModelSize(llama, read.vision, read.lora_rank, read.lora_targets)
    with torch.device("meta"):
        model = MiniGPTv2(
            language.empty_language_model(LLAMA, as_transformers(llama)),
            tokenizer=None,
            encoder=size.vision,
            lora=LoraSettings(size.lora_rank, 16, size.lora_targets),
        )
    assert parameters(model.visual_encoder, model.ln_vision) == size.vision.parameters
    assert parameters(model.llama_model) == llama.in_matrices + llama.elsewhere + size.lora
    assert sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad) == size.trained
    assert model.visual_tokens == size.vision.patches // 4


def kept_of(forward: Any, frozen: Any) -> int:
    """Bytes of all storages that autograd keeps during ``forward``, those of the parameters not counted."""
    own = {parameter.untyped_storage().data_ptr() for parameter in frozen.parameters()}
    kept: dict[int, int] = {}
    alive: list[torch.Tensor] = []  # so that no address is used twice

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        alive.append(forward())
    return sum(kept.values())


def kept_in_layers(
    layers: int,
    mixed: bool,
    dropout: float,
    decoder: str = "packed",
    weights: Any = None,
    recompute: bool = False,
    dora: bool = False,
    family: LanguageModelFamily = LLAMA,
) -> int:
    size = LanguageSize(**{**vars(WIDTHS), "num_hidden_layers": layers})
    dtype = torch.bfloat16 if mixed else torch.float32
    llama = language.empty_language_model(family, as_transformers(size, family)).to(weights or dtype)
    model: Any = language.add_lora(llama, LoraSettings(RANK, 16, TARGETS, dropout, use_dora=dora)).train()
    inner = model.get_base_model().model
    embeddings = torch.randn(ROWS, TOKENS, size.hidden_size, dtype=dtype, requires_grad=True)
    places = Places(torch.arange(TOKENS).expand(ROWS, TOKENS), torch.zeros(ROWS, TOKENS, dtype=torch.long))
    if recompute and decoder == "plain":
        language.recompute_layers(model)

    def forward() -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            if decoder == "plain":
                return inner(inputs_embeds=embeddings, use_cache=False).last_hidden_state
            return decode(inner, block_of(family), embeddings, places, recompute=recompute)

    return kept_of(forward, model)


def kept_a_layer(*arguments: Any, **settings: Any) -> int:
    """Of one layer more, so that what all layers share drops out."""
    return kept_in_layers(3, *arguments, **settings) - kept_in_layers(2, *arguments, **settings)


@pytest.mark.parametrize("decoder", ["packed", "plain"])
@pytest.mark.parametrize("dropout", [0.0, 0.05])
@pytest.mark.parametrize("mixed", [False, True])
def test_autograd_keeps_what_the_formula_says(mixed: bool, dropout: float, decoder: str) -> None:
    """To the byte; only what a dropout mask takes is another on a GPU (one byte an element)."""
    expected = (
        kept_bytes(
            WIDTHS,
            RANK,
            TARGETS,
            "bf16" if mixed else "fp32",
            dropout=dropout > 0,
            decoder=decoder,
            mask_bytes=CPU_MASK_BYTES,
        )
        * ROWS
        * TOKENS
    )
    if mixed:  # counted apart, as "their copies in bf16"
        expected += 2 * ModelSize(WIDTHS, VisionEncoder(), RANK, TARGETS).lora // WIDTHS.num_hidden_layers
    assert kept_a_layer(mixed, dropout, decoder) == expected


@pytest.mark.parametrize("family", FAMILIES.own.values(), ids=FAMILIES.own)
@pytest.mark.parametrize("mixed", [False, True])
def test_a_layer_of_every_family_keeps_what_the_formula_says(mixed: bool, family: LanguageModelFamily) -> None:
    """To the byte, in the packed decoder: biases cost nothing, norms of heads their inputs."""
    size = family.read_size({"model_type": "", **vars(WIDTHS), "tie_word_embeddings": False})
    expected = kept_bytes(size, RANK, TARGETS, "bf16" if mixed else "fp32", dropout=False) * ROWS * TOKENS
    if mixed:
        expected += 2 * ModelSize(size, VisionEncoder(), RANK, TARGETS).lora // size.num_hidden_layers
    assert kept_a_layer(mixed, 0.0, family=family) == expected


@pytest.mark.parametrize("decoder", ["packed", "plain"])
@pytest.mark.parametrize("mixed", [False, True])
def test_dora_keeps_two_outputs_of_each_target_more(mixed: bool, decoder: str) -> None:
    """To the byte; what one matrix takes to find its rows' lengths is let go behind it, and is the layer's work."""
    element, precision = (2, "bf16") if mixed else (4, "fp32")
    settings: dict[str, Any] = {"dropout": False, "decoder": decoder}
    formula = [kept_bytes(WIDTHS, RANK, TARGETS, precision, **settings, dora=dora) for dora in (False, True)]
    matrices = [WIDTHS.matrices()[name] for name in TARGETS]
    let_go = sum(element * (inputs * inputs + inputs * RANK) for inputs, _ in matrices)  # identity, and A of it
    lengths = sum(3 * 4 * outputs for _, outputs in matrices)
    found = kept_a_layer(mixed, 0.0, decoder, dora=True) - kept_a_layer(mixed, 0.0, decoder)
    assert found == (formula[1] - formula[0]) * ROWS * TOKENS + let_go + lengths


@pytest.mark.parametrize("decoder", ["packed", "plain"])
@pytest.mark.parametrize("mixed", [False, True])
def test_with_checkpointing_a_layers_input_is_all_that_is_kept(mixed: bool, decoder: str) -> None:
    element = 2 if mixed else 4
    assert kept_a_layer(mixed, 0.05, decoder, recompute=True) == element * WIDTHS.hidden_size * ROWS * TOKENS


def test_frozen_weights_of_another_precision_are_kept_as_casts() -> None:
    extra = kept_a_layer(True, 0.0, weights=torch.float16) - kept_a_layer(True, 0.0)
    assert extra == 2 * WIDTHS.in_matrices // WIDTHS.num_hidden_layers


@pytest.mark.parametrize("decoder", ["packed", "plain"])
def test_a_whole_step_keeps_no_more_than_estimated(decoder: str) -> None:
    """The golden model's own step: the formula takes the last layer for a whole one, and every row for the longest."""
    model = golden_model()
    model.decoder = decoder
    model.train()
    batch = samples()
    if decoder == "packed":
        packer: Any = model.packer()
        batch["layout"], _ = packer(batch["instruction_input"], batch["answer"], range(6))
        rows, tokens = batch["layout"].token_ids.shape
    else:
        layout = model.lay_out(
            [model.prompt_template.format(each) for each in batch["instruction_input"]], batch["answer"]
        )
        rows, tokens = layout.token_ids.shape
    size = LLAMA.read_size(model.llama_model.get_base_model().config.to_dict())
    layers = kept_bytes(size, 8, TARGETS, "fp32", dropout=False, decoder=decoder) * rows * tokens * 2
    answer_tokens = int(model(batch)["tokens"])
    visual = rows * model.visual_tokens * 4 * 32 * 4
    expected = layers + 12 * size.vocab_size * answer_tokens + visual
    kept = kept_of(lambda: model(batch)["loss"], model)
    assert 0.5 * expected < kept < 1.15 * expected


def test_optimizer_state_is_that_of_adamw() -> None:
    model = golden_model()
    trained: list[Any] = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    model(samples())["loss"].backward()
    optimizer.step()
    moments = sum(each.nbytes for state in optimizer.state.values() for each in state.values() if each.ndim)
    count = sum(parameter.numel() for parameter in trained)
    assert moments == 8 * count
    assert sum(each.grad.nbytes for each in trained) == 4 * count
    sections = {"model": {}, "datasets": {"vqa_rad": {}}, "run": {"task": "medical_vqa", "output_dir": "out"}}
    found = estimate(read_configuration(sections))
    assert found.training is not None
    assert found.training["AdamW's two moments, fp32"] == 8 * 56_627_200
    assert found.training["gradients, fp32"] == 4 * 56_627_200
