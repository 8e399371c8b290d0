"""The frozen vision encoder as a module: built by its family, filled from a local file. It sees no text.

Shapes: B images, S pixels a side, P prefix tokens, N patches, D width.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from ...errors import ConfigError
from ...vision_encoders import VIT_G, VisionEncoder, family_of
from ..vision_weights import load_vision_weights


class LayerNorm(nn.LayerNorm):
    """Layer norm computed in float32 whatever comes in (``ln_vision``)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.layer_norm(
            x.float(), self.normalized_shape, self.weight.float(), self.bias.float(), self.eps
        ).to(x.dtype)


def last_norm(encoder: VisionEncoder) -> nn.Module:
    """What stands behind the encoder: a plain layer norm, or nothing where it ends in a norm of its own."""
    return nn.Identity() if encoder.final_norm else LayerNorm(encoder.embed_dim)


def normalise_pixels(pixels: torch.Tensor, encoder: VisionEncoder = VIT_G) -> torch.Tensor:
    """8-bit pixels (B, 3, S, S) as the image processors make them: 0 to 1, less the mean, over the deviation."""
    mean, deviation = _statistics(pixels.device, encoder.mean, encoder.std)
    return pixels.float().div(255).sub(mean).div(deviation)


@lru_cache(maxsize=8)
def _statistics(device: torch.device, *channels: tuple[float, ...]) -> tuple[torch.Tensor, ...]:
    """Mean and deviation, made once for each device: a copy to a GPU waits for it."""
    return tuple(torch.tensor(values, device=device).view(3, 1, 1) for values in channels)


def build_vision_encoder(encoder: VisionEncoder, weights: Path | None = None) -> nn.Module:
    """The module whose ``features`` (of its family) are (B, P + N, D).

    Args:
        weights: the file that fills it, see ``load_vision_weights``; nothing is drawn that it would replace (a billion
            random numbers of ViT-g take 8 s). None: random weights.

    Raises:
        CheckpointError: the file does not fill it.
        ConfigError: images of this size make no whole groups of patches, or the width is none of the heads.
    """
    problems = encoder.problems()
    if problems:
        raise ConfigError("the vision encoder cannot be built", problems)
    family, _ = family_of(encoder.name)
    if weights is None:
        return family.build(encoder)  # type: ignore[no-any-return]
    with torch.device("meta"):
        module = family.build(encoder)
    if all(name.endswith(".attn.k_bias") for name, _ in module.named_buffers()):
        module = module.to_empty(device="cpu")
        for buffer in module.buffers():
            buffer.zero_()  # keys have no bias; no file holds it
    else:  # what others keep in buffers is computed where they are built
        module = family.build(encoder)
    load_vision_weights(module, encoder, weights)
    return module  # type: ignore[no-any-return]
