"""What the tensors of a checkpoint say of its LoRA: pairs, rank, adapted modules. No file is opened."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch

from ..errors import CheckpointError
from ..lora import RECORD, LoraSettings
from .tensor_names import canonical

LORA_PREFIX = "llama_model.base_model.model."
"""What a LoRA tensor's name begins with inside MiniGPT-v2; behind it follows its name in the language model."""
_LORA = re.compile(re.escape(LORA_PREFIX) + r"(.+)\.lora_([AB])\.weight$")
_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")
Pairs = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""Module of the language model (``model.layers.0.self_attn.q_proj``) -> A (rank, in) and B (out, rank)."""


def lora_pairs(tensors: Mapping[str, torch.Tensor], source: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The adapters among tensors with canonical names, as ``Pairs``; empty where there are none.

    Raises:
        CheckpointError: half of a pair is missing, the halves differ in rank, layers differ in what is adapted, or the
            adapters are of a kind that is no plain LoRA; every tensor is named.
    """
    sides: dict[str, dict[str, torch.Tensor]] = {}
    problems: list[str] = []
    for key, tensor in tensors.items():
        if "lora_" not in key:
            continue
        match = _LORA.match(key)
        if match is None or tensor.dim() != 2:
            problems.append(f"{key}: no weight of a plain LoRA on a linear layer")
            continue
        sides.setdefault(match.group(1), {})[match.group(2)] = tensor
    problems += [
        f"{module}: lora_{side} is missing" for module, pair in sides.items() for side in "AB" if side not in pair
    ]
    pairs = {module: (pair["A"], pair["B"]) for module, pair in sides.items() if len(pair) == 2}
    problems += [
        f"{module}: A {tuple(a.shape)} and B {tuple(b.shape)} are not of one rank"
        for module, (a, b) in pairs.items()
        if a.shape[0] != b.shape[1]
    ]
    problems += _uneven(pairs)
    if problems:
        raise CheckpointError(
            f"the LoRA of {source} is not whole; copy the file again, or take another checkpoint", problems
        )
    return pairs


def layers_of(pairs: Mapping[str, Any]) -> list[str]:
    """Numbers of the decoder layers that have adapters."""
    return sorted({match.group(1) for match in map(_LAYER.search, pairs) if match}, key=int)


def stated_lora(
    content: Mapping[str, Any], source: str, given: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], str]:
    """What a checkpoint says of its LoRA under peft's names, and where its alpha stands, in words.

    Files of this plugin and PEFT adapters say everything. Of others (MiniGPT-v2, PeFoMed) the tensors tell rank and
    modules, and the ``config`` beside them alpha, where it is there.

    Args:
        content: as ``toolkit.checkpoint.read_checkpoint`` gives it.
        given: by the user, under the same names.

    Returns:
        An empty dictionary for a file without LoRA.

    Raises:
        CheckpointError: the LoRA is not whole, or the file's own words are not those of its tensors and ``given``
            does not say what alpha was.
    """
    given = given or {}
    pairs = lora_pairs({canonical(key): tensor for key, tensor in content["model"].items()}, source)
    if not pairs:
        return {}, ""
    ranks = {module: int(a.shape[0]) for module, (a, _) in pairs.items()}
    targets = tuple(sorted({module.rpartition(".")[2] for module in pairs}))
    if isinstance(content.get(RECORD), Mapping):
        settings = LoraSettings.from_adapter_config(content[RECORD], source)
        _require_agreement(settings, ranks, targets, source)
        said = {key: value for key, value in settings.record().items() if key != "peft_type"}
        return {**said, "target_modules": settings.target_modules}, "written in the file"
    rank = Counter(ranks.values()).most_common(1)[0][0]
    stated: dict[str, Any] = {"target_modules": targets}
    if "rank_pattern" not in given:  # whose keys may be spelt otherwise; shapes are compared anyway
        others = {module: own for module, own in ranks.items() if own != rank}
        stated.update({"r": rank, **({"rank_pattern": others} if others else {})})
    config = content.get("config")
    model = (config.get("model") if isinstance(config, Mapping) else None) or {}
    alpha, own_rank = model.get("lora_alpha"), model.get("lora_r")
    if own_rank not in (None, rank):
        if "lora_alpha" not in given:
            raise CheckpointError(
                f"{source}: its configuration says lora_r {own_rank}, its tensors are of rank {rank}; they are not of "
                "one run. Say what alpha was (model.lora_alpha, --lora-alpha)"
            )
        return stated, f"as given; the file's configuration is of another rank ({own_rank})"
    if model.get("lora_dropout") is not None:
        stated["lora_dropout"] = model["lora_dropout"]
    if alpha is None:
        return stated, ""
    return {**stated, "lora_alpha": alpha}, "the configuration in the file"


def _require_agreement(settings: LoraSettings, ranks: Mapping[str, int], targets: tuple[str, ...], source: str) -> None:
    problems = [
        f"{module}: rank {rank} in the file, {settings.rank_of(module)} by its settings"
        for module, rank in ranks.items()
        if rank != settings.rank_of(module)
    ]
    told = tuple(sorted({target.rpartition(".")[2] for target in settings.target_modules}))
    if told != targets:
        problems.append(f"adapters on {', '.join(targets)} in the file, on {', '.join(told)} by its settings")
    if problems:
        raise CheckpointError(f"{source}: the LoRA tensors are not those that its settings describe", problems)


def _uneven(pairs: Mapping[str, Any]) -> list[str]:
    """Modules that other layers adapt and this one does not: they would be left out without a word."""
    kinds = {_LAYER.sub(".layers.*.", module) for module in pairs}
    wanted = {kind.replace("*", layer) for kind in kinds for layer in layers_of(pairs)}
    return [f"{module}: adapted in other layers, not in this one" for module in sorted(wanted - set(pairs))]
