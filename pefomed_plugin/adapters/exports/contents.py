"""What a weights file holds: tensors under one spelling, its LoRA, where it comes from. Builds no model.

Reads checkpoints of this plugin, of MiniGPT-v2 and of PeFoMed, ``.safetensors`` files, and exported adapter folders.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...digests import file_sha256
from ...errors import CheckpointError, ConfigError
from ...toolkit.checkpoint import canonical, read_checkpoint

ADAPTER_WEIGHTS, ADAPTER_CONFIG, PROJECTOR = "adapter_model.safetensors", "adapter_config.json", "projector.safetensors"
LORA_PREFIX = "llama_model.base_model.model."
"""What a LoRA tensor's name begins with inside MiniGPT-v2; behind it follows its name in LLaMA."""
METADATA = "pefomed_checkpoint"
"""Key of a ``.safetensors`` header under which configuration and history lie as JSON."""
KEPT = ("config", "epoch", "pefomed")
"""What belongs to the weights beside the tensors; optimizer and scaler belong to resuming."""
DEFAULT_ALPHA = 16
"""MiniGPT-v2's and the paper's, for files that do not say."""

SPELLINGS = {
    "minigpt4": "MiniGPT-v2's, of peft 0.2 (lora_A.weight)",
    "peft": "today's peft (lora_A.default.weight)",
    "adapter": "a PEFT adapter's (base_model.model... without llama_model)",
    "mixed": "mixed",
    "none": "no LoRA in it",
}
_LORA = re.compile(re.escape(LORA_PREFIX) + r"(.+)\.lora_([AB])\.weight$")
_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")


@dataclass(frozen=True)
class Contents:
    """A weights file, read."""

    path: Path
    content: Mapping[str, Any]
    """As a checkpoint's: ``model`` (names as in the file), and what else there is."""

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors by canonical name (see ``toolkit.checkpoint``), in the file's order."""
        return {model_key(key): each for key, each in self.content["model"].items()}

    @property
    def config(self) -> Mapping[str, Any]:
        """Configuration of the run that wrote it; empty where it does not say."""
        config = self.content.get("config")
        return config if isinstance(config, dict) else {}

    @property
    def training(self) -> Mapping[str, Any]:
        """What this plugin noted of the run: version, toolkit, iteration, seed, ... and the epoch."""
        own = self.content.get("pefomed")
        epoch = self.content.get("epoch")
        return {**({"epoch": epoch} if epoch is not None else {}), **(own if isinstance(own, dict) else {})}


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters: W + (alpha / rank) B A for each adapted W."""

    rank: int
    targets: tuple[str, ...]
    """Names of the adapted projections: ``q_proj``, ``v_proj``."""
    layers: int
    """How many decoder layers have them."""
    pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]]
    """Module of LLaMA (``model.layers.0.self_attn.q_proj``) -> A (rank, in) and B (out, rank)."""


def read_contents(path: Path) -> Contents:
    """A ``.pth`` or ``.safetensors`` file or an exported adapter folder; nothing pickled is executed.

    Raises:
        CheckpointError: missing, damaged, pickled code, no tensors, or a tensor twice in two spellings.
    """
    path = Path(path)
    content = _read_folder(path) if path.is_dir() else _read_file(path)
    names = Counter(model_key(key) for key in content["model"])
    if not names:
        raise CheckpointError(f"{path} holds no tensors")
    twice = [f"{name}: in two spellings; which one is meant?" for name, count in names.items() if count > 1]
    if twice:
        raise CheckpointError(f"{path} is ambiguous; delete one spelling of each", twice)
    return Contents(path, content)


def model_key(key: str) -> str:
    """Canonical name inside MiniGPT-v2, also of a tensor of a PEFT adapter file."""
    key = canonical(key)
    return "llama_model." + key if key.startswith("base_model.model.") else key


def spelling_of(contents: Contents) -> str:
    """Key of ``SPELLINGS``."""
    found = set()
    for key in contents.content["model"]:
        if "lora_" in key:
            current = re.search(r"\.lora_\w+\.default(\.|$)", key)
            found.add("peft" if current else "adapter" if key.startswith("base_model.model.") else "minigpt4")
    return "none" if not found else found.pop() if len(found) == 1 else "mixed"


def find_lora(contents: Contents) -> Lora | None:
    """The adapters of a file; None where it has none.

    Raises:
        CheckpointError: half of a pair is missing, ranks differ, layers differ in what is adapted, or the adapters are
            of a kind that is no plain LoRA; every tensor is named.
    """
    tensors = {key: tensor for key, tensor in contents.tensors.items() if "lora_" in key}
    if not tensors:
        return None
    sides: dict[str, dict[str, torch.Tensor]] = {}
    problems: list[str] = []
    for key, tensor in tensors.items():
        match = _LORA.match(key)
        if match is None or tensor.dim() != 2:
            problems.append(f"{key}: no weight of a plain LoRA on a linear layer")
            continue
        sides.setdefault(match.group(1), {})[match.group(2)] = tensor
    problems += [
        f"{module}: lora_{side} is missing" for module, pair in sides.items() for side in "AB" if side not in pair
    ]
    pairs = {module: (pair["A"], pair["B"]) for module, pair in sides.items() if len(pair) == 2}
    rank = Counter(a.shape[0] for a, _ in pairs.values()).most_common(1)[0][0] if pairs else 0
    problems += [
        f"{module}: A {tuple(a.shape)} and B {tuple(b.shape)} are not of rank {rank}, as the others"
        for module, (a, b) in pairs.items()
        if a.shape[0] != rank or b.shape[1] != rank
    ]
    problems += _uneven(pairs)
    if problems:
        raise CheckpointError(
            f"the LoRA of {contents.path} is not whole; copy the file again, or export from another checkpoint",
            problems,
        )
    return Lora(rank, tuple(sorted({module.rpartition(".")[2] for module in pairs})), len(_layers(pairs)), pairs)


def alpha_of(contents: Contents, lora: Lora, given: int | None = None) -> tuple[int, str]:
    """LoRA's alpha, which no tensor tells, and where it is taken from, in words.

    Raises:
        CheckpointError: the configuration in the file is of another rank than its tensors, and none is given.
        ConfigError: another one is given than the file was trained with.
    """
    model = contents.config.get("model") or {}
    own_rank, stored = model.get("lora_r", lora.rank), model.get("lora_alpha")
    if own_rank != lora.rank:
        if given is None:
            raise CheckpointError(
                f"{contents.path}: its configuration says lora_r {own_rank}, its tensors are of rank {lora.rank}; "
                "they are not of "
                "one run. Say what alpha was, with --lora-alpha"
            )
        return given, f"--lora-alpha; the file's configuration is of another rank ({own_rank})"
    if stored is not None:
        if given is not None and given != stored:
            raise ConfigError(
                f"{contents.path} was trained with lora_alpha {stored}, not {given}; leave --lora-alpha out"
            )
        return int(stored), "the configuration in the file"
    if given is not None:
        return given, "--lora-alpha"
    return DEFAULT_ALPHA, "assumed, MiniGPT-v2's default; the file does not say: give --lora-alpha if it was another"


def projector_of(contents: Contents) -> dict[str, torch.Tensor]:
    """The projection from visual tokens to LLaMA, under MiniGPT-v2's names.

    Raises:
        CheckpointError: it is not in the file.
    """
    found = {key: tensor for key, tensor in contents.tensors.items() if key.startswith("llama_proj.")}
    if not found:
        raise CheckpointError(
            f"{contents.path} has no llama_proj: without the projection the language model sees no image. Give a "
            "checkpoint of MiniGPT-v2, PeFoMed or this plugin"
        )
    return found


def left_out(contents: Contents) -> list[str]:
    """Tensors that are neither LoRA nor projection, and are in no export."""
    return [key for key in contents.tensors if "lora_" not in key and not key.startswith("llama_proj.")]


def digest_state(path: Path) -> str:
    """``ok``, ``differs`` (the file is damaged) or ``none``: the file against ``<file>.sha256`` beside it."""
    beside = digest_file(path)
    if not beside.is_file():
        return "none"
    return "ok" if beside.read_text(encoding="utf-8").split()[:1] == [file_sha256(path)] else "differs"


def digest_file(path: Path) -> Path:
    """Where the digest of a checkpoint lies."""
    return Path(str(path) + ".sha256")


def require_undamaged(path: Path) -> None:
    """Raises CheckpointError if the file is not the one its digest was written with."""
    if Path(path).is_file() and digest_state(path) == "differs":
        raise CheckpointError(
            f"{path} is damaged: its digest is not the one in {digest_file(path).name}; copy it again"
        )


def _uneven(pairs: Mapping[str, Any]) -> list[str]:
    """Modules that other layers adapt and this one does not: they would be left out without a word."""
    kinds = {_LAYER.sub(".layers.*.", module) for module in pairs}
    wanted = {kind.replace("*", layer) for kind in kinds for layer in _layers(pairs)}
    return [f"{each}: adapted in other layers, not in this one" for each in sorted(wanted - set(pairs))]


def _layers(pairs: Mapping[str, Any]) -> list[str]:
    return sorted({match.group(1) for match in map(_LAYER.search, pairs) if match}, key=int)


def _read_file(path: Path) -> dict[str, Any]:
    content = read_checkpoint(path)
    if not isinstance(content.get("model"), dict):
        content = {"model": content, **_metadata(path)}
    return {**content, "model": {key: each for key, each in content["model"].items() if isinstance(each, torch.Tensor)}}


def _read_folder(folder: Path) -> dict[str, Any]:
    if not (folder / ADAPTER_CONFIG).is_file():
        raise CheckpointError(
            f"{folder} is no exported adapter: no {ADAPTER_CONFIG}; give a file, or a folder of pefomed checkpoint "
            "export"
        )
    adapter = read_checkpoint(folder / ADAPTER_WEIGHTS)
    projector = read_checkpoint(folder / PROJECTOR)
    return {"model": {**adapter, **projector}, **_metadata(folder / ADAPTER_WEIGHTS)}


def _metadata(path: Path) -> dict[str, Any]:
    """What a ``.safetensors`` file of ours says beside its tensors."""
    if path.suffix != ".safetensors":
        return {}
    from safetensors import safe_open  # late: optional

    with safe_open(str(path), framework="pt") as file:
        text = (file.metadata() or {}).get(METADATA, "{}")
    try:
        noted = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"{path}: {METADATA} in its header is not JSON; copy the file again") from error
    return {key: noted[key] for key in KEPT if key in noted}
