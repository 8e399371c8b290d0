"""EVA-CLIP ViT-g as MiniGPT-v2 cuts it: 39 of the 40 blocks, no final norm, a plain layer norm behind them.

Equal to upstream's own implementation within 1e-5 (``golden/``). Its weights are ``eva_vit_g.pth`` of BLIP-2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .family import PROPORTIONS, VisionEncoder, VisionFamily, refuse_unknown_keys

_UNUSED = ("norm.", "fc_norm.", "head.", "mask_token", "rope.")


def _describe(architecture: str, given: Mapping[str, Any], image_size: int | None) -> VisionEncoder:
    refuse_unknown_keys(given, PROPORTIONS, "ViT-g")
    size = VisionEncoder.image_size if image_size is None else image_size
    return VisionEncoder(**given, image_size=size, given=tuple(sorted(given.items())))


def _build(encoder: VisionEncoder) -> Any:
    import timm  # late: optional
    from torch import nn  # late: heavy

    module = timm.create_model(
        "eva_giant_patch14_clip_224",
        pretrained=False,
        img_size=encoder.image_size,
        patch_size=encoder.patch_size,
        embed_dim=encoder.embed_dim,
        depth=encoder.depth,
        num_heads=encoder.num_heads,
        mlp_ratio=encoder.mlp_ratio,
        num_classes=0,
        global_pool="",
    )
    module.norm = nn.Identity()
    return module


def _features(module: Any, images: Any) -> Any:
    return module(images)


def _fit(tensors: Mapping[str, Any], module: Any, encoder: VisionEncoder) -> Mapping[str, Any]:
    if "pos_embed" not in tensors:
        return tensors
    return {**tensors, "pos_embed": resample_positions(tensors["pos_embed"], module.pos_embed.shape[1])}


def resample_positions(positions: Any, length: int) -> Any:
    """Position embedding (1, 1 + n, D) -> (1, length, D), bicubic over the square grid, class token kept."""
    if positions.shape[1] == length:
        return positions
    import torch  # late: heavy

    before, after = round((positions.shape[1] - 1) ** 0.5), round((length - 1) ** 0.5)
    grid = positions[:, 1:].float().reshape(1, before, before, -1).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, size=(after, after), mode="bicubic", align_corners=False)
    return torch.cat([positions[:, :1].float(), grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)


def is_unused(key: str, depth: int) -> bool:
    """Whether a tensor of the released encoder is one that MiniGPT-v2 cuts off: head, last norm, last block."""
    parts = key.split(".")
    beyond = parts[0] == "blocks" and parts[1].isdigit() and int(parts[1]) >= depth
    return beyond or key.startswith(_UNUSED)


EVA_CLIP_G = VisionFamily(
    name="eva_clip_g",
    title="EVA-CLIP ViT-g, MiniGPT-v2's",
    describe=_describe,
    build=_build,
    features=_features,
    fit=_fit,
    is_unused=lambda key, encoder: is_unused(key, encoder.depth),
    weights_words="the file eva_vit_g.pth",
)
