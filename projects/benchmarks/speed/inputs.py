"""Random weights and made-up text of a given size, as files that both toolkits read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pefomed_plugin.prompts import DEFAULT_STYLE, IMAGE_MARKER, IMAGE_PLACEHOLDER, VQA_INSTRUCTION, template_of
from projects.benchmarks.speed.sizes import SIZES, Size, Task

_WORDS = (
    "is",
    "there",
    "any",
    "sign",
    "of",
    "a",
    "fluid",
    "level",
    "on",
    "the",
    "left",
    "or",
    "right",
    "side",
    "in",
    "this",
    "image",
    "of",
    "the",
    "chest",
)


def write_inputs(folder: Path, name: str) -> None:
    """LLaMA folder, ``eva.pth`` and ``start.pth`` (projection and LoRA); of the real size only the tokenizer."""
    if (folder / "done").is_file():
        return
    import torch

    from pefomed_plugin.embedded.tiny_language import train_tokenizer

    size = SIZES[name]
    llama = folder / "llama"
    llama.mkdir(parents=True, exist_ok=True)
    (llama / "tokenizer.model").write_bytes(train_tokenizer(0))
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (llama / "tokenizer_config.json").write_text(
        json.dumps({**special, "tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "legacy": True}),
        encoding="utf-8",
    )
    (llama / "special_tokens_map.json").write_text(json.dumps(special), encoding="utf-8")
    if name != "real":
        torch.manual_seed(0)
        _write_weights(folder, size)
    (folder / "done").touch()


def _write_weights(folder: Path, size: Size) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from pefomed_plugin.families.llama import LLAMA, load_tokenizer
    from pefomed_plugin.lora import LoraSettings
    from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
    from pefomed_plugin.toolkit.checkpoint import trainable_state, write_checkpoint
    from pefomed_plugin.vision_encoders import encoder_of

    plain = LlamaForCausalLM(LlamaConfig(**llama_config(size)))
    with torch.no_grad():
        # no answer then holds a token that the tokenizer does not have
        plain.lm_head.weight[load_tokenizer(folder / "llama").pieces :] = 0
    plain.save_pretrained(str(folder / "llama"))
    model = MiniGPTv2(
        plain.requires_grad_(False),
        load_tokenizer(folder / "llama"),
        LoraSettings(size.lora_r, 16, LLAMA.lora_targets),
        encoder=encoder_of({"vit": size.vit, "image_size": size.image}),
    )
    for parameter in model.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.02)
    torch.save(model.visual_encoder.state_dict(), folder / "eva.pth")
    write_checkpoint({"model": trainable_state(model)}, folder / "start.pth")


def llama_config(size: Size) -> dict[str, Any]:
    """LLaMA's configuration of a size."""
    return {
        **size.llama,
        "num_key_value_heads": size.llama["num_attention_heads"],
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
    }


def spec_of(folder: Path, name: str, device: str) -> dict[str, Any]:
    """What a worker needs to know."""
    size = SIZES[name]
    visual = (size.image // 14) ** 2 // 4
    return {
        "folder": str(folder.resolve()),
        "device": device,
        "real": name == "real",
        "image": size.image,
        "vit": size.vit,
        "llama": llama_config(size),
        "lora_r": size.lora_r,
        "tokens_a_sample": 1 + _head_tokens(folder) + visual + size.question_tokens + size.answer_tokens,
    }


def with_text(task: Task, size: Size, folder: Path) -> dict[str, Any]:
    """The task with instructions and answers of the size's lengths, every one another text."""
    from pefomed_plugin.families.llama import load_tokenizer

    tokenizer = load_tokenizer(folder / "llama")
    limit = task.answer_tokens or size.answer_tokens
    count = task.images * task.questions_per_image
    words = len(tokenizer.encode(DEFAULT_STYLE.user_turn(_instruction(size, "")).split(IMAGE_PLACEHOLDER)[1]))
    questions = [_text(tokenizer, size.question_tokens - words, number) for number in range(count)]
    lengths = [round(limit * share) - 1 for share in task.answer_spread]
    answers = [_text(tokenizer, lengths[number % len(lengths)], 100 + number) for number in range(count)]
    return {
        "name": task.name,
        "kind": task.kind,
        "images": task.images,
        "answer_tokens": limit,
        "questions_per_image": task.questions_per_image,
        "answers": answers,
        "instructions": [_instruction(size, question) for question in questions],
    }


def _instruction(size: Size, question: str) -> str:
    return (
        template_of("vqa").instruction_input(VQA_INSTRUCTION.format(question=question))
        if size.tasks_words
        else (f"{IMAGE_MARKER} {question}")
    )


def _text(tokenizer: Any, tokens: int, start: int) -> str:
    """Words of the list from ``start`` on, as many as make ``tokens`` tokens (at least one word)."""
    words: list[str] = []
    while len(tokenizer.encode(" ".join(words))) < tokens or not words:
        words.append(_WORDS[(start + len(words)) % len(_WORDS)])
    return " ".join(words)


def _head_tokens(folder: Path) -> int:
    from pefomed_plugin.families.llama import load_tokenizer

    return len(load_tokenizer(folder / "llama").encode("[INST] <Img>"))
