"""A tiny random model of each language model family that is declared, in a folder as the Hugging Face hub has it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
import transformers

from pefomed_plugin.embedded.tiny_language import KINDS
from pefomed_plugin.embedded.tiny_tokenizer import write_tokenizer
from pefomed_plugin.families import FAMILIES, LanguageModelFamily
from pefomed_plugin.lora import LoraSettings
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from pefomed_plugin.toolkit.language_folder import open_language_folder
from pefomed_plugin.vision_encoders import encoder_of
from tests.conformance.golden import FOLDER, arrays, golden

OURS = tuple(FAMILIES.own)
"""Every family that is declared: one without an entry below fails the tests."""
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {"num_key_value_heads": 4},
    "llama3": {
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
    },
    "qwen2": {"tie_word_embeddings": True, "use_sliding_window": False},
    "qwen3": {"head_dim": 16, "use_sliding_window": False},
}
SMALL = {
    "vocab_size": 512,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
    "rms_norm_eps": 1e-6,
    "torch_dtype": "float32",
}
ASKED = [(0, 0), (0, 1), (1, 2), (2, 3), (2, 4), (2, 5), (1, 0), (0, 3)]
"""Image and question of the golden file; neighbours of one image come together."""


def write_family(name: str, folder: Path, seed: int = 0) -> Path:
    """Configuration, random weights (biases and norms too) and tokenizer of a tiny model whose answers end in time."""
    family, config = FAMILIES.find(name), {**SMALL, **CONFIGS[name]}
    folder.mkdir(parents=True)
    if name in KINDS:
        texts = [*golden()["instruction_input"], *golden()["answer"]] * 3
        config["vocab_size"] = write_tokenizer(folder, KINDS[name], texts, 400) + 3  # as Qwen: rows nobody names
    else:
        for file in ("tokenizer.model", "tokenizer_config.json"):
            shutil.copyfile(FOLDER / "tiny_llama" / file, folder / file)
    config_class = getattr(transformers, family.model_class).config_class
    tokenizer = family.load_tokenizer(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, family.model_class)(config_class(**config))
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if "norm" in key or key.endswith("bias"):
                    parameter.add_(torch.randn_like(parameter) * 0.2)
            for stop in tokenizer.stop_token_ids:
                model.lm_head.weight[stop] *= 3
    model.config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    told = json.loads((folder / "config.json").read_text())
    assert told["model_type"] in family.model_types
    return folder


def tiny_model(folder: Path, lora: LoraSettings | None = None, **settings: Any) -> MiniGPTv2:
    """MiniGPT-v2 around it, with LoRA that has learned something; float32 on the CPU."""
    opened = open_language_folder(folder)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = MiniGPTv2(
            language.load_language_model(opened, torch.float32),
            opened.family.load_tokenizer(folder),
            lora or LoraSettings(4, 16, ("q_proj", "v_proj")),
            encoder=encoder_of({"vit": golden()["vit"], "image_size": 56}),
            family=opened.family,
            **settings,
        )
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
    return model.eval()


def batch(model: MiniGPTv2, packed: bool, answers: bool = True) -> dict[str, Any]:
    """The questions of ``ASKED``, each by itself or behind the prefixes they share."""
    inputs = [golden()["instruction_input"][question] for _, question in ASKED]
    given: dict[str, Any] = {"image": arrays()["images"][[image for image, _ in ASKED]], "instruction_input": inputs}
    given["answer"] = [golden()["answer"][question] for _, question in ASKED]
    if not packed:
        return given
    packer: Any = model.packer()
    layout, firsts = packer(inputs, given["answer"] if answers else None, [image for image, _ in ASKED])
    return {**given, "layout": layout, "image": given["image"][firsts]}


def family_of(name: str) -> LanguageModelFamily:
    """By its name."""
    return FAMILIES.find(name)
