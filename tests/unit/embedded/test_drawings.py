"""Images show what their scenes say, on the side on which a radiologist would look for it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from pefomed_plugin.embedded.canvas import Canvas
from pefomed_plugin.embedded.chest import outward
from pefomed_plugin.embedded.drawing import SIZE_PX, draw, save
from pefomed_plugin.embedded.scenes import (
    ABDOMEN,
    CHEST,
    FINDINGS,
    HEAD_CT,
    HEAD_MRI,
    LATERAL,
    ORGANS,
    STAINS,
    TISSUE,
    Scene,
)
from pefomed_plugin.embedded.slices import LESIONS
from pefomed_plugin.embedded.tissue import GLANDS

SEEDS = range(3)
LOOK = {"opacity": (0.47, -0.1), "mass": (0.47, -0.15), "effusion": (0.68, 0.35), "fracture": (0.36, -0.80)}
"""Where a finding of the chest is looked for on the patient's left: x and y from -1 to 1."""


@cache
def drawn(scene):
    return np.asarray(draw(scene), dtype=float)


def brightness(scene, x, y, reach=0.07):
    """Mean grey value, 0 to 255, of a square around a point; per channel where there is colour."""
    pixels = drawn(scene)
    left, top, right, bottom = ((np.array([x - reach, y - reach, x + reach, y + reach]) + 1) / 2 * SIZE_PX).astype(int)
    return pixels[top:bottom, left:right].mean(axis=(0, 1))


def test_left_is_on_the_right_of_the_image():
    assert outward("left") == 1 and outward("right") == -1


@pytest.mark.parametrize("finding", FINDINGS[CHEST])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_chest_finding_is_bright_on_its_own_side(finding, side):
    (x, y), own = LOOK[finding], outward(side)
    for seed in SEEDS:
        scene = Scene(CHEST, seed, finding=finding, side=side)
        assert brightness(scene, own * x, y) > brightness(scene, -own * x, y) + 20


def test_a_healthy_chest_has_two_dark_lungs():
    for seed in SEEDS:
        left, right = (brightness(Scene(CHEST, seed), 0.47 * x, -0.1) for x in (1, -1))
        assert abs(left - right) < 20 and max(left, right) < 110


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("kind", "finding", "dark"),
    [(HEAD_CT, "hemorrhage", False), (HEAD_CT, "infarct", True), (HEAD_MRI, "infarct", False)],
)
def test_a_head_finding_lies_on_its_side_and_is_dark_or_bright_as_said(kind, finding, dark, side):
    for seed in SEEDS:
        scene, x = Scene(kind, seed, finding=finding, side=side), 0.40 * outward(side)
        difference = brightness(scene, x, 0.02, 0.05) - brightness(scene, -x, 0.02, 0.05)
        assert difference < -30 if dark else difference > 30


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_tumor_is_a_bright_rim_around_a_dark_core(side):
    for seed in SEEDS:
        scene, x = Scene(HEAD_MRI, seed, finding="tumor", side=side), 0.38 * outward(side)
        own, other = ([brightness(scene, place, y, 0.03) for y in np.arange(-0.4, 0.45, 0.04)] for place in (x, -x))
        core = int(np.argmin(own))
        assert own[core] < 40 < min(other)
        assert min(max(own[:core]), max(own[core:])) > 200


@pytest.mark.parametrize("organ", ORGANS)
def test_an_abdominal_finding_lies_in_its_organ(organ):
    for seed in SEEDS:
        healthy, cyst, mass = (
            brightness(Scene(ABDOMEN, seed, finding=each, organ=organ if each else None), *LESIONS[organ])
            for each in (None, "cyst", "mass")
        )
        assert cyst < healthy - 30 and mass > healthy + 20


def test_liver_and_right_kidney_are_on_the_patients_right():
    assert LESIONS["liver"][0] < 0 and LESIONS["right kidney"][0] < 0
    assert LESIONS["spleen"][0] > 0 and LESIONS["left kidney"][0] > 0


@pytest.mark.parametrize(
    ("kind", "x", "y", "sign"), [(CHEST, 0.50, 0.35, 1), (HEAD_CT, 0.21, -0.17, -1), (HEAD_MRI, 0.21, -0.17, 1)]
)
def test_enlargement_is_seen(kind, x, y, sign):
    for seed in SEEDS:
        usual, enlarged = (brightness(Scene(kind, seed, enlarged=each), x, y, 0.04) for each in (False, True))
        assert sign * (enlarged - usual) > 20


@pytest.mark.parametrize("glands", [1, 2, 3, 4])
def test_the_glands_can_be_counted(glands):
    for seed in SEEDS:
        scene = Scene(TISSUE, seed, stain="blue", glands=glands)
        pale = [brightness(scene, *place, 0.03)[0] > 215 for place in GLANDS]
        assert sum(pale) == glands


@pytest.mark.parametrize("stain", STAINS)
def test_the_stain_has_its_color(stain):
    red, green, blue = np.asarray(draw(Scene(TISSUE, 3, stain=stain, glands=1)), dtype=float).mean(axis=(0, 1))
    assert {"pink": red > blue > green, "blue": blue > green > red, "brown": red > green > blue}[stain]


@pytest.mark.parametrize("finding", FINDINGS[TISSUE])
def test_a_finding_in_tissue_changes_the_middle(finding):
    for seed in SEEDS:
        plain, changed = (
            brightness(Scene(TISSUE, seed, finding=each, stain="brown", glands=1), 0.0, 0.0, 0.15).mean()
            for each in (None, finding)
        )
        assert changed < plain - 15 if finding == "inflammation" else changed > plain + 15


@pytest.mark.parametrize("kind", sorted(FINDINGS))
def test_a_scene_always_gives_the_same_image(kind):
    scene = Scene(kind, 7, stain="pink" if kind == TISSUE else None, glands=2 if kind == TISSUE else 0)
    first = draw(scene)
    assert first.size == (SIZE_PX, SIZE_PX)
    assert first.mode == ("RGB" if kind == TISSUE else "L")
    assert first.tobytes() == draw(scene).tobytes()
    assert first.tobytes() != draw(Scene(kind, 15, stain=scene.stain, glands=scene.glands)).tobytes()


def test_the_lateral_view_shows_the_heart_but_no_side():
    left, right = (draw(Scene(LATERAL, 5, finding="mass", side=side)).tobytes() for side in ("left", "right"))
    assert left == right


def test_saved_files_have_the_mode_asked_for(tmp_path):
    from PIL import Image

    scene = Scene(TISSUE, 1, stain="pink", glands=1)
    for name, mode in (("a/x.jpg", "CMYK"), ("a/y.png", "RGBA"), ("a/z.png", "P")):
        save(scene, tmp_path / name, mode=mode)
        with Image.open(tmp_path / name) as image:
            assert image.mode == mode


def test_shapes_are_where_they_were_put():
    canvas = Canvas(64, 0.0, seed=1)
    mask = canvas.ellipse(0.5, -0.5, 0.2, 0.2)
    assert mask[16, 48] == pytest.approx(1.0) and mask[48, 16] == 0.0
    assert canvas.below(0.0)[40:, 5].min() == pytest.approx(1.0) and canvas.below(0.0)[:24].max() == 0.0
    canvas.paint(mask, 1.0)
    assert canvas.pixels[16, 48, 0] == pytest.approx(1.0)
    copy = canvas.again(seed=2)
    copy.paint(mask, 0.0)
    assert canvas.pixels[16, 48, 0] == pytest.approx(1.0)
