"""Scenes: drawn from a seed, with the attributes their kind has and no others."""

from __future__ import annotations

from random import Random

import pytest

from pefomed_plugin.embedded.scenes import (
    ABDOMEN,
    CHEST,
    FINDINGS,
    HEAD_CT,
    ORGANS,
    RADIOLOGY,
    STAINS,
    TISSUE,
    Scene,
    draw_scene,
    draw_scenes,
)


def test_the_same_seed_gives_the_same_scenes():
    assert draw_scenes(RADIOLOGY, 30, Random(4)) == draw_scenes(RADIOLOGY, 30, Random(4))
    assert draw_scenes(RADIOLOGY, 30, Random(4)) != draw_scenes(RADIOLOGY, 30, Random(5))


def test_kinds_take_turns():
    assert [scene.kind for scene in draw_scenes((CHEST, TISSUE), 5, Random(0))] == [CHEST, TISSUE, CHEST, TISSUE, CHEST]


@pytest.mark.parametrize("kind", sorted(FINDINGS))
def test_a_kind_has_its_own_attributes_only(kind):
    for scene in draw_scenes((kind,), 200, Random(1)):
        assert scene.finding is None or scene.finding in FINDINGS[kind]
        assert (scene.side in ("left", "right")) == (scene.finding is not None and kind not in (ABDOMEN, TISSUE))
        assert (scene.organ in ORGANS) == (scene.finding is not None and kind == ABDOMEN)
        assert (scene.stain in STAINS) == (kind == TISSUE) == (1 <= scene.glands <= 4)
        assert not (scene.enlarged and kind in (ABDOMEN, TISSUE))


@pytest.mark.parametrize("kind", sorted(FINDINGS))
def test_every_finding_is_drawn_sooner_or_later(kind):
    assert {scene.finding for scene in draw_scenes((kind,), 200, Random(2))} == {*FINDINGS[kind], None}


def test_a_quarter_of_the_scenes_has_no_finding():
    rng = Random(0)
    assert 80 < sum(draw_scene(CHEST, rng).finding is None for _ in range(400)) < 120


def test_normal_means_neither_finding_nor_enlargement():
    assert Scene(HEAD_CT, 1).normal
    assert not Scene(HEAD_CT, 1, enlarged=True).normal
    assert not Scene(HEAD_CT, 1, finding="infarct", side="left").normal
