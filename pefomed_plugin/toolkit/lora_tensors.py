"""What the tensors of a checkpoint say of its LoRA: pairs, rank, adapted modules; what they add. No file is opened."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from ..errors import CheckpointError
from ..lora import RECORD, LoraSettings
from .tensor_names import canonical

LORA_PREFIX = "llama_model.base_model.model."
"""What a LoRA tensor's name begins with inside MiniGPT-v2; behind it follows its name in the language model."""
_LORA = re.compile(re.escape(LORA_PREFIX) + r"(.+)\.lora_(A|B|initial_A|initial_B|magnitude_vector)\.weight$")
_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")
Pairs = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""Module of the language model (``model.layers.0.self_attn.q_proj``) -> A (rank, in) and B (out, rank)."""


@dataclass(frozen=True)
class LoraParts:
    """The adapters of a file."""

    pairs: Pairs
    starts: Pairs = field(default_factory=dict)
    """A and B as they began, where they began as a part of the weights (PiSSA, OLoRA): scale B A of them is taken
    away from the weights that the adapters stand beside."""
    magnitudes: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """Module -> length of each row (out,), of DoRA."""

    @property
    def untrained(self) -> bool:
        """Whether they add nothing to the weights: B is zero, as it begins."""
        plain = not (self.starts or self.magnitudes)
        return plain and all(not bool(b.any()) for _, b in self.pairs.values())


def lora_parts(tensors: Mapping[str, torch.Tensor], source: str) -> LoraParts:
    """The adapters among tensors with canonical names; empty where there are none.

    Raises:
        CheckpointError: half of a pair is missing, the halves differ in rank, layers or modules differ in what is
            adapted, or the adapters are of a kind that is no LoRA on a linear layer; every tensor is named.
    """
    found: dict[str, dict[str, torch.Tensor]] = {}
    problems: list[str] = []
    for key, tensor in tensors.items():
        if "lora_" not in key:
            continue
        match = _LORA.match(key)
        if match is None or tensor.dim() != (1 if match.group(2) == "magnitude_vector" else 2):
            problems.append(f"{key}: no weight of a LoRA on a linear layer")
            continue
        found.setdefault(match.group(1), {})[match.group(2)] = tensor
    kinds = {"A", "B"}.union(*found.values()) if found else set()
    problems += [
        f"{module}: lora_{kind} is missing" for module, own in found.items() for kind in sorted(kinds - set(own))
    ]
    problems += [
        f"{module}: A {tuple(own[a].shape)} and B {tuple(own[b].shape)} are not of one rank"
        for module, own in found.items()
        for a, b in (("A", "B"), ("initial_A", "initial_B"))
        if a in own and b in own and own[a].shape[0] != own[b].shape[1]
    ]
    problems += [
        f"{module}: lora_magnitude_vector {tuple(own['magnitude_vector'].shape)}, B {tuple(own['B'].shape)}"
        for module, own in found.items()
        if "B" in own and "magnitude_vector" in own and len(own["magnitude_vector"]) != len(own["B"])
    ]
    problems += _uneven(found)
    if problems:
        raise CheckpointError(
            f"the LoRA of {source} is not whole; copy the file again, or take another checkpoint", problems
        )
    return LoraParts(
        {module: (own["A"], own["B"]) for module, own in found.items()},
        {module: (own["initial_A"], own["initial_B"]) for module, own in found.items() if "initial_A" in own},
        {module: own["magnitude_vector"] for module, own in found.items() if "magnitude_vector" in own},
    )


def start_tensors(starts: Pairs) -> dict[str, torch.Tensor]:
    """``LoraParts.starts`` under their names in a checkpoint."""
    return {
        f"{LORA_PREFIX}{module}.lora_initial_{side}.weight": tensor
        for module, pair in starts.items()
        for side, tensor in zip("AB", pair)
    }


def whole_tensors(tensors: Mapping[str, torch.Tensor], settings: LoraSettings) -> dict[str, torch.Tensor]:
    """Of tensors with canonical names those of the modules that are trained whole, by their name in the language
    model (``lm_head.weight``)."""
    inside = {key[len(LORA_PREFIX) :]: tensor for key, tensor in tensors.items() if key.startswith(LORA_PREFIX)}
    return {
        key: tensor
        for key, tensor in inside.items()
        if "lora_" not in key and settings.saves(key.rpartition(".")[0].replace(".original_module", ""))
    }


def merged_weight(
    weight: torch.Tensor,
    pair: tuple[torch.Tensor, torch.Tensor],
    scale: float,
    start: tuple[torch.Tensor, torch.Tensor] | None = None,
    magnitude: torch.Tensor | None = None,
) -> torch.Tensor:
    """W + scale B A in float32, in the precision of W again; the weight that computes what W and its adapter do.

    Args:
        weight: (out, in).
        pair: A (rank, in) and B (out, rank).
        start: the pair as it began, where W still holds what it began as; that is taken away.
        magnitude: (out,), the lengths that the rows are scaled to (DoRA).
    """
    a, b = pair
    merged = weight.float() + scale * (b.float() @ a.float())
    if start is not None:
        merged = merged - scale * (start[1].float() @ start[0].float())
    if magnitude is not None:
        merged = merged * (magnitude.float() / torch.linalg.norm(merged, dim=1))[:, None]
    return merged.to(weight.dtype)


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
    tensors = {canonical(key): tensor for key, tensor in content["model"].items()}
    parts = lora_parts(tensors, source)
    if not parts.pairs:
        return {}, ""
    if isinstance(content.get(RECORD), Mapping):
        return _stated_by_record(content[RECORD], parts, tensors, source), "written in the file"
    if parts.starts:
        raise CheckpointError(
            f"{source} holds what LoRA began as, but not its settings ({RECORD}); take the checkpoint it was made of"
        )
    ranks = {module: int(a.shape[0]) for module, (a, _) in parts.pairs.items()}
    rank = Counter(ranks.values()).most_common(1)[0][0]
    stated: dict[str, Any] = {
        "target_modules": _targets(parts),
        "use_dora": bool(parts.magnitudes),
        "init_lora_weights": True,
        "modules_to_save": (),
    }
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


def _targets(parts: LoraParts) -> tuple[str, ...]:
    """Names of the adapted modules, without their layers."""
    return tuple(sorted({module.rpartition(".")[2] for module in parts.pairs}))


def _stated_by_record(
    record: Mapping[str, Any], parts: LoraParts, tensors: Mapping[str, torch.Tensor], source: str
) -> dict[str, Any]:
    """What the settings say that lie beside the tensors. Raises CheckpointError where the tensors say otherwise."""
    if isinstance(record.get("target_modules"), str):  # all-linear, or a pattern: the tensors tell what it meant
        record = {**record, "target_modules": _targets(parts)}
    settings = LoraSettings.from_adapter_config(record, source)
    _require_agreement(settings, parts, whole_tensors(tensors, settings), source)
    return {name: value for name, value in settings.values().items() if name != "lora_plus_ratio"}


def _require_agreement(settings: LoraSettings, parts: LoraParts, whole: Mapping[str, Any], source: str) -> None:
    problems = [
        f"{module}: rank {len(a)} in the file, {settings.rank_of(module)} by its settings"
        for module, (a, _) in parts.pairs.items()
        if len(a) != settings.rank_of(module)
    ]
    targets = _targets(parts)
    told = tuple(sorted({target.rpartition(".")[2] for target in settings.target_modules}))
    if told != targets:
        problems.append(f"adapters on {', '.join(targets)} in the file, on {', '.join(told)} by its settings")
    if settings.use_dora != bool(parts.magnitudes):
        there = "magnitudes (DoRA)" if parts.magnitudes else "no magnitudes (DoRA)"
        problems.append(f"{there} in the file, use_dora is {settings.use_dora} by its settings")
    if settings.splits_weights != bool(parts.starts):
        problems.append(
            f"init_lora_weights {settings.init_lora_weights!r} changes the base weights as well, and what was taken "
            "from them is not in the file; save it with peft's path_initial_model_for_weight_conversion"
            if settings.splits_weights
            else f"initial values in the file, init_lora_weights is {settings.init_lora_weights} by its settings"
        )
    problems += [
        f"{name}: trained whole by its settings (modules_to_save), not in the file"
        for name in settings.modules_to_save
        if not any(key.rpartition(".")[0].endswith(name) for key in whole)
    ]
    if problems:
        raise CheckpointError(f"{source}: the LoRA tensors are not those that its settings describe", problems)


def _uneven(pairs: Mapping[str, Any]) -> list[str]:
    """Modules that other layers adapt and this one does not: they would be left out without a word."""
    kinds = {_LAYER.sub(".layers.*.", module) for module in pairs}
    wanted = {kind.replace("*", layer) for kind in kinds for layer in layers_of(pairs)}
    return [f"{module}: adapted in other layers, not in this one" for module in sorted(wanted - set(pairs))]
