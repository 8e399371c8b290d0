"""Where a drawn finding is: on the side that the scene says, which is the other side of the image."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")
from projects.embedded.where_it_leans import cells_of, finding_in, scenes_with_finding


def test_the_patch_of_a_finding_is_on_its_side():
    for scene in scenes_with_finding(6):
        mask = finding_in(scene)
        column = np.nonzero(mask)[1].mean()
        assert (column > mask.shape[1] / 2) == (scene.side == "left"), scene
        assert 0 < cells_of(mask, 7).sum() < 25
