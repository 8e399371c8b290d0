"""Does a map point at what decides the answer? Measured where that is known: on drawn findings.

    python -m projects.embedded.where_it_leans --ckpt output/try/checkpoint_last.pth [--scenes 120] [--grid 7]

Scenes with a finding are drawn once with it and once without, from the same seed: where the two differ is the finding.
The model is asked where it is; of the answers that are right, how often does the strongest cell of ``pefomed explain``
touch the finding, and how often would a cell drawn at random? The interval is Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import ImageFilter
from scipy import ndimage

from pefomed_plugin import load
from pefomed_plugin.adapters.medical_model import Request
from pefomed_plugin.adapters.occlusion import GRID, occlusion_map
from pefomed_plugin.embedded.drawing import draw
from pefomed_plugin.embedded.scenes import CHEST, HEAD_CT, HEAD_MRI, Scene, draw_scene
from pefomed_plugin.embedded.wording import location
from pefomed_plugin.scoring.proportion import wilson_interval
from pefomed_plugin.services.images.overlay import cell_box

KINDS = (CHEST, HEAD_MRI, HEAD_CT)
QUESTION = "Where is the lesion?"
_LEAST_DIFFERENCE = 40
"""Of 255 grey levels, smoothed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", required=True, type=Path)
    parser.add_argument("--scenes", type=int, default=120)
    parser.add_argument("--grid", type=int, default=GRID)
    given = parser.parse_args(arguments)
    model = load(given.ckpt)
    model.batch_size = 25
    hits, chances, wrong = [], [], 0
    for scene in scenes_with_finding(given.scenes):
        image = draw(scene).convert("RGB")
        touched = cells_of(finding_in(scene), given.grid)
        found = occlusion_map(model, Request(image, "vqa", QUESTION), grid=given.grid)
        if found.answer != location(scene):
            wrong += 1
            continue
        hits.append(bool(touched[found.strongest]))
        chances.append(float(touched.mean()))
    interval = wilson_interval(sum(hits), len(hits))
    print(
        f"{len(hits)} right answers of {len(hits) + wrong}: the strongest of {given.grid} x {given.grid} cells touches "
        f"the finding in {100 * np.mean(hits):.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f}), a random "
        f"one in {100 * np.mean(chances):.1f} %"
    )
    return 0


def scenes_with_finding(count: int) -> list[Scene]:
    """Scenes whose finding has a side, the kinds taking turns; none of those that were trained on."""
    rng, scenes = Random("where it leans"), []
    while len(scenes) < count:
        scene = draw_scene(KINDS[len(scenes) % len(KINDS)], rng)
        scenes += [scene] if scene.finding else []
    return scenes


def finding_in(scene: Scene) -> Any:
    """(H, W) bool: the patch in which the images with and without the finding differ most; the pose differs a little
    too, in thin lines."""
    with_it, without = (
        np.asarray(draw(one).convert("L").filter(ImageFilter.BoxBlur(4)), dtype=float)
        for one in (scene, replace(scene, finding=None, side=None))
    )
    differences = np.abs(with_it - without)
    differing = differences >= _LEAST_DIFFERENCE
    thick = ndimage.binary_opening(differing, iterations=5)
    patches, count = ndimage.label(thick if thick.any() else differing)
    sums = ndimage.sum_labels(differences, patches, range(1, count + 1))
    return patches == 1 + int(np.argmax(sums))


def cells_of(mask: Any, grid: int) -> Any:
    """(grid, grid) bool: which cells have a pixel of the mask."""
    height, width = mask.shape
    touched = np.zeros((grid, grid), dtype=bool)
    for row in range(grid):
        for column in range(grid):
            left, top, right, bottom = cell_box((width, height), grid, row, column)
            touched[row, column] = mask[top:bottom, left:right].any()
    return touched


if __name__ == "__main__":
    raise SystemExit(main())
