"""Vision encoder families: names, what is refused, what a checkpoint keeps, and those of other packages."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from pefomed_plugin import plugins
from pefomed_plugin.cli.estimate import read_config
from pefomed_plugin.errors import CheckpointError, ConfigError, ToolkitError
from pefomed_plugin.toolkit import start
from pefomed_plugin.vision_encoders import (
    VISION_FAMILIES,
    VIT_G,
    VisionEncoder,
    encoder_of,
    family_of,
    refuse_another_encoder,
)
from pefomed_plugin.vision_encoders.eva import EVA_CLIP_G
from pefomed_plugin.vision_encoders.family import PROPORTIONS

STAGE_2 = "train_configs/pefomed_stage2.yaml"
SIGLIP = "timm/vit_base_patch16_siglip_224"


def _describe(architecture: str, given: Any, image_size: int | None) -> VisionEncoder:
    return VisionEncoder(8, 16, 2, 2, 2.0, 4, image_size or 32, "own", "an invented ViT", (0.1,) * 3, (0.2,) * 3)


OWN = replace(EVA_CLIP_G, name="own", describe=_describe)
"""What another package would declare."""


def test_minigpt_v2s_is_the_default() -> None:
    assert encoder_of({}) == VIT_G == encoder_of({"vit_model": "eva_clip_g", "vit": None, "image_size": 448})
    assert (VIT_G.visual_tokens, VIT_G.grouped_width, VIT_G.prefix_tokens, VIT_G.final_norm) == (256, 5632, 1, False)
    assert VIT_G.parameters == 986_978_688


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"vit_model": "eva_clip"}, "did you mean 'eva_clip_g'"),
        ({"vit_model": "timm"}, "names no architecture; write timm/NAME"),
        ({"vit_model": "eva_clip_g/large"}, "eva_clip_g is one encoder; leave '/large' out"),
        ({"vit_model": "timm/vit_base_patch16_siglp_224"}, "knows no .*did you mean 'vit_base_patch16_siglip_224'"),
        ({"vit_model": "timm/vit_base_patch16_224.webly"}, "has no weights 'webly'; known: .*augreg"),
        ({"vit_model": "timm/swin_tiny_patch4_window7_224"}, "no vision transformer with a square grid"),
        ({"vit_model": "timm/resnet18"}, "'resnet18.*no vision transformer"),
        ({"vit_model": "timm/../../x"}, "knows no"),
        ({"vit_model": SIGLIP, "vit": {"width": 3}}, "model.vit has unknown keys"),
        ({"vit_model": SIGLIP, "vit": {"num_heads": 7}}, "cannot build"),
    ],
)
def test_what_there_is_not_is_refused_by_name(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        encoder_of(section)


def test_a_record_is_the_encoder_again_and_damage_is_named() -> None:
    encoder = encoder_of({"vit": {"depth": 2, "group": 1}, "image_size": 56})
    again = VisionEncoder.from_record(encoder.record(), "a.pth")
    assert again == encoder and encoder_of(again.section()) == encoder
    own = encoder.record()
    for wrong in (
        {"name": 3},
        {"name": "x", "mean": "grey"},
        ["x"],
        {"image_size": 3},
        {**own, "patch_size": 0},
        {**own, "group": -1},
        {**own, "image_size": 10**9},
        {**own, "std": [0.1, 0.0, 0.1]},
        {**own, "given": {"depth": [1]}},
        {**own, "given": {"depth": 10**9}},
        {**own, "given": {"width": 3}},
    ):
        with pytest.raises(CheckpointError, match=r"a\.pth: what it says of its vision encoder is damaged"):
            VisionEncoder.from_record(wrong, "a.pth")


def test_the_size_of_images_may_change_and_nothing_else() -> None:
    content = {"vision_encoder": VIT_G.record()}
    refuse_another_encoder(content, replace(VIT_G, image_size=224), "a.pth")
    refuse_another_encoder({}, VIT_G, "a.pth")
    for change in ({"mean": (0.5, 0.5, 0.5)}, {"group": 1}, {"prefix_tokens": 0}, {"embed_dim": 16}, {"name": "own"}):
        with pytest.raises(CheckpointError, match="trained with the vision encoder") as caught:
            refuse_another_encoder(content, replace(VIT_G, **change), "a.pth")  # type: ignore[arg-type]
        assert [problem.partition(":")[0] for problem in caught.value.problems] == list(change)


def test_another_encoder_brings_its_size_and_normalisation() -> None:
    config = read_config(STAGE_2, ["model.vit_model=" + SIGLIP, "model.image_size=224"])
    for section in config.datasets.values():
        for processor in (section.vis_processor.train, section.vis_processor.eval):
            assert (processor["image_size"], processor["mean"], processor["std"]) == (224, [0.5] * 3, [0.5] * 3)
    own = "datasets.slake.vis_processor.train.mean=[0.1,0.2,0.3]"
    processors = read_config(STAGE_2, ["model.vit_model=" + SIGLIP, own]).datasets["slake"].vis_processor
    assert (processors.train["mean"], processors.eval["mean"]) == ([0.1, 0.2, 0.3], [0.5] * 3)
    plain = read_config(STAGE_2, []).datasets["slake"].vis_processor.train
    assert plain.get("mean") is None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["model.vit={depth: 1000000000}"], "model.vit.depth: 1000000000 is more than 1,000"),
        (["model.vit_model=timm/nothing"], "knows no 'nothing'"),
        (["model.vit_model=[1]"], "model.vit_model"),
        (["model.image_size=500"], "16-pixel|patches of 16; the nearest that is: 512"),
    ],
)
def test_mistakes_are_told_once_and_at_the_start(options: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(STAGE_2, ["model.vit_model=" + SIGLIP, *options])
    assert len(caught.value.problems) == 1 and re.search(told, caught.value.problems[0]), caught.value.problems


def test_a_checkout_has_its_own_encoder_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "NAME", "minigpt4")
    start.settle_model({})
    for section in ({"vit_model": SIGLIP}, {"vit": {"group": 1}}):
        with pytest.raises(ToolkitError, match="one vision encoder, eva_clip_g.*PEFOMED_TOOLKIT=bundled"):
            start.settle_model(section)


def test_weights_of_another_encoder_end_a_run_at_its_start(tmp_path: Path) -> None:
    small = {"embed_dim": 8, "depth": 1, "num_heads": 2}
    section = {"vit_model": SIGLIP, "vit": small, "image_size": 32, "vit_weights": str(tmp_path / "vit.pth")}
    start.settle_model(section)  # an estimate needs no weights
    encoder = encoder_of(section)
    state = family_of(encoder.name)[0].build(encoder).state_dict()
    torch.save(state, tmp_path / "vit.pth")
    start.settle_model(section)
    del state["norm.weight"]
    torch.save(state, tmp_path / "vit.pth")
    with pytest.raises(CheckpointError, match="does not fit the vision encoder") as caught:
        start.settle_model(section)
    assert list(caught.value.problems) == ["norm.weight: not in the file"]


def test_another_packages_family(monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint("own", "tests.unit.test_vision_encoders:OWN", "pefomed_plugin.vision_families")
    entry = plugins.EntryPoint(VISION_FAMILIES.kind, "own", "invented 1.0", point)
    monkeypatch.setattr(plugins, "find_entry_points", lambda kind: (entry,) if kind == VISION_FAMILIES.kind else ())
    encoder = encoder_of({"vit_model": "own"})
    assert (encoder.title, encoder.patches, encoder.visual_tokens) == ("an invented ViT", 16, 4)
    config = read_config(STAGE_2, ["model.vit_model=own", "model.image_size=32"])
    assert config.datasets["slake"].vis_processor.train["std"] == [0.2] * 3


def test_proportions_are_the_keys_of_the_section() -> None:
    from pefomed_plugin.config.model import VitConfig

    assert tuple(vars(VitConfig())) == PROPORTIONS
