"""Any vision transformer of timm by its name there: SigLIP, DINOv2, plain ViT; and BiomedCLIP's, which is one.

Size, normalisation, prefix tokens and licence are timm's own (``pretrained_cfg``); features are ``forward_features``:
all blocks, the final norm where the architecture has one, no pooling and no head. Nothing is downloaded.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ..errors import CheckpointError, ConfigError, near_names, one_line
from .family import CLIP_MEAN, CLIP_STD, PROPORTIONS, VisionEncoder, VisionFamily, refuse_unknown_keys

_HEADS = ("attn_pool", "fc_norm", "head", "head_drop", "head_dist", "head_norm", "pre_logits")
"""What stands behind the patches' features, and is not used."""
_UNUSED = (*(name + "." for name in _HEADS), "mask_token", "rope.", "norm_pre_head.")
_TIMM = (*PROPORTIONS[:-1],)
"""Proportions that timm's constructors take."""


def _describe(architecture: str, given: Mapping[str, Any], image_size: int | None) -> VisionEncoder:
    refuse_unknown_keys(given, PROPORTIONS, f"timm's {architecture}")
    return _described(architecture, tuple(sorted(given.items())), image_size)


@lru_cache(maxsize=32)
def _described(architecture: str, given: tuple[tuple[str, Any], ...], image_size: int | None) -> VisionEncoder:
    facts = _pretrained_facts(architecture)
    size = int(facts["input_size"][-1]) if image_size is None else image_size
    whole = ".".join(filter(None, [architecture.partition(".")[0], facts.get("tag")]))
    encoder = VisionEncoder(
        image_size=size,
        name=f"timm/{whole}",
        title=f"{whole} of timm",
        mean=tuple(map(float, facts["mean"])),
        std=tuple(map(float, facts["std"])),
        licence=str(facts.get("license") or ""),
        home=f"https://huggingface.co/{facts['hf_hub_id']}" if facts.get("hf_hub_id") else "",
        given=given,
        group=dict(given).get("group", VisionEncoder.group),
    )
    return _measured(encoder)


def _pretrained_facts(architecture: str) -> dict[str, Any]:
    """timm's ``pretrained_cfg`` of a name with or without a tag.

    Raises:
        ConfigError: timm does not know the name or the tag; near ones are named.
    """
    import timm  # late: optional

    base, _, tag = architecture.partition(".")
    if not timm.is_model(base):
        known = [name for name in timm.list_models() if any(part in name for part in ("vit", "eva", "beit", "deit"))]
        raise ConfigError(f"model.vit_model: timm {timm.__version__} knows no {base!r}; {near_names(base, known)}")
    try:
        found = timm.models.get_pretrained_cfg(architecture)
    except RuntimeError as error:
        tags = [name.partition(".")[2] for name in timm.list_pretrained(base + ".*")]
        raise ConfigError(f"model.vit_model: timm's {base} has no weights {tag!r}; {near_names(tag, tags)}") from error
    facts: dict[str, Any] = found.to_dict() if found is not None else {}
    missing = [key for key in ("input_size", "mean", "std") if not facts.get(key)]
    if missing or facts["input_size"][0] != 3 or len(facts["mean"]) != 3:
        raise ConfigError(
            f"model.vit_model: timm says no {' and '.join(missing) or 'three channels'} of {architecture!r}: how its "
            "images are made is not known; use one with pretrained weights"
        )
    if facts["input_size"][1] != facts["input_size"][2]:
        raise ConfigError(f"model.vit_model: {architecture!r} takes images that are not square; use another")
    return facts


def _measured(encoder: VisionEncoder) -> VisionEncoder:
    """With what only the built model tells, which is built without memory for its numbers.

    Raises:
        ConfigError: it cannot be built so, or is no vision transformer over a square grid.
    """
    import torch  # late: heavy

    name = encoder.architecture
    try:
        with torch.device("meta"), torch.no_grad():
            module = _build(encoder).eval()
            features = module.forward_features(torch.empty(1, 3, encoder.image_size, encoder.image_size))
    except Exception as error:  # timm's constructors raise what they like
        if "img_size" in str(error) and isinstance(error, TypeError):  # a constructor without it
            raise _not_a_vit(name, "a convolutional network") from error
        size = encoder.image_size
        patch = dict(encoder.given).get("patch_size") or _patch_in_name(name)
        if patch and size % patch:
            sized = replace(encoder, patch_size=patch, embed_dim=1, num_heads=1)
            raise ConfigError("the model section has 1 mistake(s)", sized.problems()) from error
        raise ConfigError(
            f"model.vit_model: timm cannot build {name!r} for images of {size} pixels with model.vit: "
            f"{dict(encoder.given)}: {one_line(error)}"
        ) from error
    prefix: Any = getattr(module, "num_prefix_tokens", None)
    count = features.shape[1] - prefix if isinstance(prefix, int) and getattr(features, "ndim", 0) == 3 else 0
    side = round(count**0.5)
    if count < 1 or side * side != count or not hasattr(module, "blocks"):
        raise _not_a_vit(name, type(module).__name__)
    block = module.blocks[0]
    hidden = getattr(getattr(getattr(block, "mlp", None), "fc1", None), "out_features", 4 * features.shape[2])
    norm = getattr(module, "norm", None)
    has_norm = norm is not None and any(True for _ in norm.parameters())
    counted = sum(tensor.numel() for tensor in module.parameters()) + (0 if has_norm else 2 * features.shape[2])
    patch = _patch_of(module) or encoder.image_size // side
    return replace(
        encoder,
        patch_size=patch,
        embed_dim=features.shape[2],
        depth=len(module.blocks),
        num_heads=getattr(getattr(block, "attn", None), "num_heads", 1),
        mlp_ratio=hidden / features.shape[2],
        prefix_tokens=prefix,
        final_norm=has_norm,
        counted=counted,
    )


def _not_a_vit(name: str, kind: str) -> ConfigError:
    return ConfigError(
        f"model.vit_model: timm's {name!r} ({kind}) is no vision transformer with a square grid of patches; "
        "vit_base_patch16_siglip_224 or vit_base_patch14_reg4_dinov2, say, are"
    )


def _patch_of(module: Any) -> int:
    """Pixels a side of a patch, as the module says; 0 where a convolutional stem has no such thing."""
    size = getattr(getattr(module, "patch_embed", None), "patch_size", 0)
    size = size[0] if isinstance(size, (tuple, list)) else size
    return size if isinstance(size, int) and size > 1 else 0


def _patch_in_name(name: str) -> int:
    digits = name.partition("patch")[2].partition("_")[0]
    return int(digits) if digits.isdigit() else 0


def _build(encoder: VisionEncoder) -> Any:
    import timm  # late: optional
    from torch import nn  # late: heavy

    options = {key: value for key, value in encoder.given if key in _TIMM}
    module = timm.create_model(
        encoder.architecture, pretrained=False, num_classes=0, img_size=encoder.image_size, **options
    )
    for name in _HEADS:
        if isinstance(getattr(module, name, None), nn.Module):
            setattr(module, name, nn.Identity())
    return module


def _features(module: Any, images: Any) -> Any:
    return module.forward_features(images)


def _fit(tensors: Mapping[str, Any], module: Any, encoder: VisionEncoder) -> Mapping[str, Any]:
    """By timm's own reading of the files it knows: positions, and names of OpenCLIP's and the authors' own files.

    Raises:
        CheckpointError: timm cannot read them.
    """
    own = sys.modules[type(module).__module__]
    read = getattr(own, "checkpoint_filter_fn", None)
    if read is None:
        return tensors
    try:
        return dict(read(dict(tensors), module))
    except Exception as error:  # timm's readers raise what they like
        raise CheckpointError(
            f"timm cannot read these as weights of {encoder.architecture}: {one_line(error)}"
        ) from error


def _is_unused(key: str, encoder: VisionEncoder) -> bool:
    parts = key.split(".")
    beyond = parts[0] == "blocks" and parts[1].isdigit() and int(parts[1]) >= encoder.depth
    return beyond or key.startswith(_UNUSED) or (key.startswith("norm.") and not encoder.final_norm)


TIMM = VisionFamily(
    name="timm",
    title="vision transformers of timm",
    describe=_describe,
    build=_build,
    features=_features,
    fit=_fit,
    is_unused=_is_unused,
    has_architectures=True,
    weights_words="a .pth, .bin or .safetensors file, or the folder of the Hugging Face hub with one in it",
)

_BIOMEDCLIP = "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"
_BIOMEDCLIP_VIT = "vit_base_patch16_224"
_TRUNK = "visual.trunk."


def _describe_biomedclip(architecture: str, given: Mapping[str, Any], image_size: int | None) -> VisionEncoder:
    return replace(
        _describe(_BIOMEDCLIP_VIT, given, image_size),
        name="biomedclip",
        title="ViT-B/16 of BiomedCLIP",
        mean=CLIP_MEAN,
        std=CLIP_STD,
        licence="mit",
        home=f"https://huggingface.co/{_BIOMEDCLIP}",
    )


def _build_biomedclip(encoder: VisionEncoder) -> Any:
    return _build(replace(encoder, name=f"timm/{_BIOMEDCLIP_VIT}"))


def _fit_biomedclip(tensors: Mapping[str, Any], module: Any, encoder: VisionEncoder) -> Mapping[str, Any]:
    if not any(key.startswith(_TRUNK) for key in tensors):
        raise CheckpointError(
            f"these are no weights of BiomedCLIP: no tensor is called {_TRUNK}...; give its open_clip_pytorch_model.bin"
        )
    return _fit(tensors, module, encoder)


BIOMEDCLIP = VisionFamily(
    name="biomedclip",
    title="the vision encoder of BiomedCLIP, a ViT-B/16 inside OpenCLIP",
    describe=_describe_biomedclip,
    build=_build_biomedclip,
    features=_features,
    fit=_fit_biomedclip,
    is_unused=_is_unused,
    aliases=(f"hf-hub:{_BIOMEDCLIP}", f"timm/hf-hub:{_BIOMEDCLIP}"),
    weights_words="its open_clip_pytorch_model.bin (or .safetensors), or the folder of the Hugging Face hub with it",
)
