"""The frozen vision encoder: EVA-CLIP ViT-g from timm, cut as MiniGPT-v2 cuts it. It sees no text.

Shapes: B images, S pixels a side, N = (S / patch)^2 patches, D width. 39 of the 40 blocks, no final norm; equal to
upstream's own implementation within 1e-5 (``golden/``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import CheckpointError, ConfigError, near_names
from ..checkpoint import read_weights, refuse_nonfinite
from ..tensor_names import is_unused_vision
from .processors import CLIP_MEAN, CLIP_STD


@dataclass(frozen=True)
class VitSize:
    """Proportions of the encoder; the defaults are EVA-CLIP ViT-g as MiniGPT-v2 uses it."""

    patch_size: int = 14
    """Pixels a side of one patch."""
    embed_dim: int = 1408
    """Width D."""
    depth: int = 39
    """Blocks; the released weights hold 40, the last is not used."""
    num_heads: int = 16
    """Attention heads; D is a multiple of them."""
    mlp_ratio: float = 4.3637
    """Hidden width of the MLP over D."""

    @classmethod
    def from_config(cls, section: Mapping[str, Any] | None) -> VitSize:
        """From the YAML section ``model.vit``; absent keys keep ViT-g.

        Raises:
            ConfigError: an unknown key; near ones are listed.
        """
        section = dict(section or {})
        known = {field_.name for field_ in fields(cls)}
        wrong = [f"model.vit.{key}: no such key; {near_names(key, known)}" for key in set(section) - known]
        if wrong:
            raise ConfigError("model.vit has unknown keys", wrong)
        return cls(**section)


VIT_G = VitSize()


class LayerNorm(nn.LayerNorm):
    """Layer norm computed in float32 whatever comes in (``ln_vision``)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.layer_norm(
            x.float(), self.normalized_shape, self.weight.float(), self.bias.float(), self.eps
        ).to(x.dtype)


def normalise_pixels(pixels: torch.Tensor) -> torch.Tensor:
    """8-bit pixels (B, 3, S, S) as the image processors make them: 0 to 1, less CLIP's mean, over its deviation."""
    mean, deviation = _clips_statistics(pixels.device)
    return pixels.float().div(255).sub(mean).div(deviation)


@lru_cache(maxsize=8)
def _clips_statistics(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation, made once for each device: a copy to a GPU waits for it."""
    return tuple(torch.tensor(values, device=device).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))  # type: ignore[return-value]


def build_vision_encoder(image_size: int, size: VitSize = VIT_G, weights: Path | None = None) -> nn.Module:
    """Encoder (B, 3, S, S) -> (B, 1 + N, D), class token first.

    Args:
        weights: the file that fills it, see ``load_vision_weights``; nothing is drawn that it would replace (a billion
            random numbers of ViT-g take 8 s). None: random weights.

    Raises:
        CheckpointError: the file does not fill it.
        ConfigError: the image size is no multiple of the patch, or the width none of the heads.
    """
    if image_size % size.patch_size or (image_size // size.patch_size) ** 2 % 4:
        raise ConfigError(
            f"model.image_size: {image_size} pixels give no whole number of groups of four {size.patch_size}-pixel "
            "patches; use a "
            f"multiple of {2 * size.patch_size}"
        )
    if size.embed_dim % size.num_heads:
        raise ConfigError(f"model.vit: embed_dim {size.embed_dim} is no multiple of num_heads {size.num_heads}")
    if weights is None:
        return _create_encoder(image_size, size)
    with torch.device("meta"):
        encoder = _create_encoder(image_size, size)
    if all(name.endswith(".attn.k_bias") for name, _ in encoder.named_buffers()):
        encoder = encoder.to_empty(device="cpu")
        for buffer in encoder.buffers():
            buffer.zero_()  # keys have no bias; no file holds it
    else:  # another timm's buffers are not known
        encoder = _create_encoder(image_size, size)
    load_vision_weights(encoder, weights)
    return encoder


def _create_encoder(image_size: int, size: VitSize) -> nn.Module:
    import timm  # late: optional

    encoder: nn.Module = timm.create_model(
        "eva_giant_patch14_clip_224",
        pretrained=False,
        img_size=image_size,
        patch_size=size.patch_size,
        embed_dim=size.embed_dim,
        depth=size.depth,
        num_heads=size.num_heads,
        mlp_ratio=size.mlp_ratio,
        num_classes=0,
        global_pool="",
    )
    encoder.norm = nn.Identity()
    return encoder


def load_vision_weights(encoder: Any, path: Path) -> None:
    """Load ``eva_vit_g.pth`` (upstream's key names) from a local path, its positions resampled to the image size.

    Raises:
        CheckpointError: a tensor of the encoder is missing in the file, has another shape or holds NaN, or a tensor of
            the file has no place; all are listed.
    """
    given = read_weights(path)
    wanted = encoder.state_dict()
    if "pos_embed" in given:
        given["pos_embed"] = resample_positions(given["pos_embed"], wanted["pos_embed"].shape[1])
    problems = [f"{key}: not in the file" for key in wanted if key not in given]
    problems += [
        f"{key}: shape {tuple(given[key].shape)} in the file, {tuple(own.shape)} in the model"
        for key, own in wanted.items()
        if key in given and given[key].shape != own.shape
    ]
    depth = len(encoder.blocks)
    problems += [
        f"{key}: the model has no such tensor"
        for key in given
        if key not in wanted and not is_unused_vision(key, depth)
    ]
    if problems:
        raise CheckpointError(f"{path} does not fit the vision encoder (set model.vit to its size)", problems)
    refuse_nonfinite(given, str(path))
    encoder.load_state_dict({key: given[key] for key in wanted})


def resample_positions(positions: torch.Tensor, length: int) -> torch.Tensor:
    """Position embedding (1, 1 + n, D) -> (1, length, D), bicubic over the square grid, class token kept."""
    if positions.shape[1] == length:
        return positions
    before, after = round((positions.shape[1] - 1) ** 0.5), round((length - 1) ** 0.5)
    grid = positions[:, 1:].float().reshape(1, before, before, -1).permute(0, 3, 1, 2)
    grid = nn.functional.interpolate(grid, size=(after, after), mode="bicubic", align_corners=False)
    return torch.cat([positions[:, :1].float(), grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
