"""A random EVA ViT in the key names of ``eva_vit_g.pth``: frozen, never trained, and blind to what scenes mean.

Random projections keep what they are given. The patch embedding's filters are random mixtures of slow waves, as far
as a patch's shading goes; the spread of the other tensors keeps content, position and their mixture of like strength.

Shapes: D width, P patch, N patches.
"""

from __future__ import annotations

import math
from typing import Any

from ..vision_encoders import VisionEncoder, family_of

IMAGE_SIZE_PX, PATCH_PX, WIDTH, DEPTH, HEADS, MLP_RATIO = 112, 14, 96, 2, 4, 4.0
WAVES = 4
"""Horizontal and vertical frequencies of the filters, from 0 to ``WAVES`` - 1 half periods a patch."""


def random_vit(seed: int) -> dict[str, Any]:
    """State dict of a ViT of ``DEPTH`` blocks for images of ``IMAGE_SIZE_PX``, float32."""
    import torch  # late: heavy

    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int, spread: float) -> Any:
        return torch.randn(*shape, generator=draw) * spread

    patches, hidden = (IMAGE_SIZE_PX // PATCH_PX) ** 2, int(WIDTH * MLP_RATIO)
    weights = {
        "cls_token": normal(1, 1, WIDTH, spread=0.02),
        "pos_embed": normal(1, patches + 1, WIDTH, spread=0.5),
        "patch_embed.proj.weight": _filters(normal(WIDTH, 3, WAVES, WAVES, spread=1.0)),
        "patch_embed.proj.bias": torch.zeros(WIDTH),
    }
    for number in range(DEPTH):
        block = {
            "norm1.weight": torch.ones(WIDTH),
            "norm1.bias": torch.zeros(WIDTH),
            "attn.q_bias": torch.zeros(WIDTH),
            "attn.v_bias": torch.zeros(WIDTH),
            "attn.qkv.weight": normal(3 * WIDTH, WIDTH, spread=WIDTH**-0.5),
            "attn.proj.weight": normal(WIDTH, WIDTH, spread=0.5 * WIDTH**-0.5),
            "attn.proj.bias": torch.zeros(WIDTH),
            "norm2.weight": torch.ones(WIDTH),
            "norm2.bias": torch.zeros(WIDTH),
            "mlp.fc1.weight": normal(hidden, WIDTH, spread=WIDTH**-0.5),
            "mlp.fc1.bias": normal(hidden, spread=0.5),
            "mlp.fc2.weight": normal(WIDTH, hidden, spread=hidden**-0.5),
            "mlp.fc2.bias": torch.zeros(WIDTH),
        }
        weights.update({f"blocks.{number}.{name}": tensor for name, tensor in block.items()})
    return weights


def random_weights(encoder: VisionEncoder, seed: int) -> dict[str, Any]:
    """The same for an encoder of timm in whatever proportions: state dict, float32, under timm's names."""
    import torch  # late: heavy

    draw, found = torch.Generator().manual_seed(seed), {}

    def normal(*shape: int) -> Any:
        return torch.randn(*shape, generator=draw)

    for name, tensor in family_of(encoder.name)[0].build(encoder).state_dict().items():
        shape, last = tuple(tensor.shape), name.rpartition(".")[2]
        if name == "patch_embed.proj.weight":
            found[name] = _filters(normal(shape[0], 3, WAVES, WAVES), encoder.patch_size)
        elif name == "pos_embed" or name.endswith("fc1.bias"):
            found[name] = 0.5 * normal(*shape)
        elif tensor.ndim == 2:
            found[name] = (0.5 if name.endswith("attn.proj.weight") else 1.0) * shape[1] ** -0.5 * normal(*shape)
        elif tensor.ndim == 3:
            found[name] = 0.02 * normal(*shape)
        else:
            found[name] = torch.full(shape, 1.0 if last in ("weight", "gamma") else 0.0)
    return found


def _filters(mixture: Any, patch_px: int = PATCH_PX) -> Any:
    """Filters (D, 3, P, P) from the random shares (D, 3, WAVES, WAVES) of cosine waves; each of norm 1 / P."""
    import torch  # late: heavy

    frequency, place = torch.arange(WAVES, dtype=torch.float32), torch.arange(patch_px, dtype=torch.float32)
    wave = torch.cos(math.pi * frequency[:, None] * (place + 0.5) / patch_px)
    mixture = mixture / (1.0 + frequency[:, None] + frequency)
    filters = torch.einsum("dcuv,ui,vj->dcij", mixture, wave, wave)
    return filters / (patch_px * filters.flatten(1).norm(dim=1)[:, None, None, None])
