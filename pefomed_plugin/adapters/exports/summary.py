"""What a checkpoint holds, in figures and words, for a person and for a machine. Builds no model, prints nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch

from ...digests import digest_state
from ...errors import CheckpointError
from ...toolkit.checkpoint import nonfinite
from ...toolkit.weights_file import require_undamaged
from ...vision_encoders import ENCODER
from .contents import SPELLINGS, Contents, Lora, find_lora, spelling_of


def summarise(contents: Contents) -> dict[str, Any]:
    """JSON-able account; every key is in ``docs/checkpoints.md``. What is wrong is listed under ``problems``."""
    path = contents.path
    digest = digest_state(path) if path.is_file() else "none"
    problems: list[str] = []
    try:
        require_undamaged(path)
    except CheckpointError as error:
        problems.append(error.summary)
    lora = None
    try:
        lora = find_lora(contents)
    except CheckpointError as error:
        problems += [error.summary, *error.problems]
    problems += [
        f"{name}: {count:,} values are not finite (NaN or infinity)"
        for name, count in nonfinite(contents.tensors).items()
    ]
    spelling = spelling_of(contents)
    return {
        "path": str(path),
        "bytes": sum(file.stat().st_size for file in ([path] if path.is_file() else path.glob("*.safetensors"))),
        "digest": digest,
        "written_by": written_by(contents),
        "parts": parts(contents.tensors),
        "spelling": spelling,
        "spelling_words": SPELLINGS[spelling],
        "lora": _lora(lora) if lora else None,
        "llama_width": contents.width,
        "language_model": contents.family.title,
        "vision_encoder": contents.content.get(ENCODER),
        "training": dict(contents.training),
        "run": _run(contents.config),
        "also": sorted(key for key, kept in contents.content.items() if key != "model" and kept is not None),
        "resumable": isinstance(contents.content.get("optimizer"), Mapping),
        "problems": problems,
    }


def parts(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, Any]]:
    """``lora``, ``llama_proj``, ``visual_encoder``, ... -> how many tensors and parameters, and of what types."""
    found: dict[str, dict[str, Any]] = {}
    types: dict[str, Counter] = {}
    for key, tensor in tensors.items():
        name = "lora" if "lora_" in key else key.partition(".")[0]
        part = found.setdefault(name, {"tensors": 0, "parameters": 0, "dtypes": []})
        part["tensors"] += 1
        part["parameters"] += tensor.numel()
        types.setdefault(name, Counter())[str(tensor.dtype).replace("torch.", "")] += 1
    for name, counted in types.items():
        found[name]["dtypes"] = [dtype for dtype, _ in counted.most_common()]
    return found


def written_by(contents: Contents) -> str:
    """Which program wrote the file, as far as it shows."""
    own = contents.content.get("pefomed")
    if isinstance(own, Mapping):
        return f"pefomed_plugin {own.get('version', '?')} on the {own.get('toolkit', '?')} toolkit"
    if contents.config or "optimizer" in contents.content:
        return "MiniGPT-v2, or the authors' PeFoMed code"
    return "unknown: tensors alone"


def _lora(lora: Lora) -> dict[str, Any]:
    settings = lora.settings
    return {
        "rank": settings.r,
        "targets": list(settings.target_modules),
        "layers": lora.layers,
        "alpha": settings.lora_alpha,
        "alpha_from": lora.alpha_from,
        "rank_stabilised": settings.use_rslora,
        "rank_pattern": dict(settings.rank_pattern),
        "alpha_pattern": dict(settings.alpha_pattern),
        "use_dora": settings.use_dora,
        "init_lora_weights": settings.init_lora_weights,
        "modules_to_save": list(settings.modules_to_save),
    }


def _run(config: Mapping[str, Any]) -> dict[str, Any]:
    """What was trained, from the configuration."""
    model, run = (config.get(name) or {} for name in ("model", "run"))
    found = {
        "task": run.get("task"),
        "datasets": list(config.get("datasets") or {}),
        "started_from": model.get("ckpt"),
        "max_epoch": run.get("max_epoch"),
        "init_lr": run.get("init_lr"),
        "image_size": model.get("image_size"),
    }
    return {key: value for key, value in found.items() if value}
