"""The half of MiniGPT-v2 that sees: a frozen vision encoder, four neighbouring patches in one token, the projection.

Shapes: B images, S pixels, N patches, V = N / G visual tokens (G = 4), D vision width, H language width.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...vision_encoders import VisionEncoder, family_of
from ..vision_weights import fingerprint
from .base import BaseModel
from .vision import build_vision_encoder, last_norm, normalise_pixels

if TYPE_CHECKING:
    from typing_extensions import Self

_FROZEN = ("visual_encoder", "ln_vision")


class Sight(BaseModel):
    """Visual tokens of images, and what keeps the encoder as it is; the projection is made by the whole model."""

    visual_encoder: Any  # modules, as Any: torch types an attribute of a module as "Tensor or Module"
    ln_vision: Any
    llama_proj: nn.Linear
    vit_on_cpu = False

    def _put_encoder(self, encoder: VisionEncoder, weights: Path | None) -> None:
        self.encoder = encoder
        self._vision_features = family_of(encoder.name)[0].features
        self.visual_encoder = build_vision_encoder(encoder, weights).requires_grad_(False)
        self.encoder_weights = fingerprint(self.visual_encoder) if weights else None
        """Which weights the encoder was filled with; None where it is random."""
        self.ln_vision = last_norm(encoder).requires_grad_(False)
        self.vit_forwards = 0
        """Images that have gone through the vision encoder so far."""

    def _keep_encoder_on_cpu(self) -> None:
        """Called when the model is whole: DistributedDataParallel wants all other tensors on one device."""
        self.vit_on_cpu = True
        self._ddp_params_and_buffers_to_ignore = [
            name for name, _ in (*self.named_parameters(), *self.named_buffers()) if name.split(".")[0] in _FROZEN
        ]

    def train(self, mode: bool = True) -> Self:
        """Training mode for what is trained; the vision encoder always stays in evaluation mode."""
        super().train(mode)
        self.visual_encoder.eval()
        self.ln_vision.eval()
        return self

    @property
    def device(self) -> torch.device:
        """Where what is trained is; with ``vit_on_cpu`` the vision encoder is elsewhere."""
        return self.llama_proj.weight.device

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Moves and casts of the whole model leave a vision encoder that is kept on the CPU as it is."""
        modules: dict[str, Any] = vars(self)["_modules"]
        if self.vit_on_cpu:
            self._modules = {name: module for name, module in modules.items() if name not in _FROZEN}
        try:
            return super()._apply(fn, recurse)
        finally:
            self._modules = modules

    def encode_vision(self, images: torch.Tensor) -> torch.Tensor:
        """Frozen part of the image path, (B, 3, S, S) -> (B, N, D): ViT, last norm, class and register
        tokens dropped.

        Images are normalised floats, or the 8-bit pixels they are made from. It computes in the precision of its
        weights (``model.vit_precision``), whatever the rest computes in.
        """
        frozen = next(self.visual_encoder.parameters())
        self.vit_forwards += len(images)
        if images.dtype == torch.uint8:
            images = normalise_pixels(images.to(frozen.device), self.encoder)
        with torch.no_grad(), torch.autocast(frozen.device.type, enabled=False):
            features = self._vision_features(self.visual_encoder, images.to(frozen.device, frozen.dtype))
            return self.ln_vision(features)[:, self.encoder.prefix_tokens :]

    def encode_img(self, images: torch.Tensor) -> torch.Tensor:
        """Visual tokens in the language model's space, (B, V, H), of images or of what ``encode_vision`` made."""
        features = images if images.ndim == 3 else self.encode_vision(images)
        grouped = features.reshape(len(features), -1, self.encoder.grouped_width)
        return self.llama_proj(grouped.to(self.llama_proj.weight))

    @property
    def visual_tokens(self) -> int:
        """V: how many embeddings one image takes up in the prompt."""
        return self.encoder.visual_tokens
