"""The fast YAMLs are their siblings but for what makes them fast, and take a step of as many samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

PROJECTS = Path(__file__).resolve().parents[3] / "projects" / "pefomed"
FAST = sorted(PROJECTS.glob("*_fast.yaml"))


def keys_of(node: Any, where: str = "") -> dict[str, Any]:
    if not isinstance(node, dict) or not node:
        return {where: node}
    return {key: value for name, part in node.items() for key, value in keys_of(part, f"{where}.{name}").items()}


def read(path: Path) -> dict[str, Any]:
    return keys_of(OmegaConf.to_container(OmegaConf.load(path)))


def test_there_is_one_for_each_data_set_that_asks_several_questions_of_an_image() -> None:
    assert [path.stem for path in FAST] == ["stage2_path_vqa_fast", "stage2_slake_fast", "stage2_vqa_rad_fast"]


@pytest.mark.parametrize("path", FAST, ids=[path.stem for path in FAST])
def test_it_differs_from_its_sibling_in_what_makes_it_fast(path: Path) -> None:
    fast, plain = read(path), read(path.with_name(path.name.replace("_fast", "")))
    dataset = path.stem[len("stage2_") : -len("_fast")]
    differing = {key for key in {*fast, *plain} if fast.get(key) != plain.get(key)}
    assert differing == {
        f".datasets.{dataset}",  # {} there
        f".datasets.{dataset}.batch_size",
        ".run.questions_per_image",
        ".run.image_cache",
        ".run.num_workers",
        ".run.output_dir",
        ".embedded.run.output_dir",
    }
    assert (fast[".run.questions_per_image"], fast[".run.image_cache"]) == ("auto", "features")
    assert fast[f".datasets.{dataset}.batch_size"] == 4 * 6, "four processes of the default batch"
