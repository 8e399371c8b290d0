"""The table of ``make encoders``, and the weights that its encoders get."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pefomed_plugin.toolkit.bundled.vision import build_vision_encoder
from pefomed_plugin.vision_encoders import encoder_of, family_of
from projects.embedded.encoders import ENCODERS, VIT, table, weights


def test_a_row_has_both_figures_and_intervals_within_what_can_be() -> None:
    kinds = {"own": [98.0, 100.0], "shuffled": [30.0, 30.0]}
    lines = table({"siglip": kinds}).splitlines()
    assert lines[-1] == "| SigLIP | 99.0 (86.3 - 100.0) | 30.0 (30.0 - 30.0) |"


@pytest.mark.parametrize("row", ["siglip", "dinov2"])
def test_random_weights_fill_the_encoder_and_tell_places_apart(tmp_path: Path, row: str) -> None:
    _, name, side = ENCODERS[row]
    encoder = encoder_of({"vit_model": name, "vit": VIT, "image_size": side})
    assert encoder.patches == 64 and encoder.visual_tokens == 16
    module = build_vision_encoder(encoder, weights(tmp_path, row)).eval()
    dark, patch = torch.full((1, 3, side, side), -1.0), side // 8
    spot = dark.clone()
    spot[:, :, 2 * patch : 3 * patch, 5 * patch : 6 * patch] = 1.0
    with torch.no_grad():
        features = family_of(name)[0].features(module, torch.cat([dark, spot]))[:, encoder.prefix_tokens :]
    assert int((features[1] - features[0]).norm(dim=1).argmax()) == 2 * 8 + 5
