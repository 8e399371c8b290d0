"""Stage 2 in one run on published data: VQA-RAD has images, the others came as text only."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from pefomed_plugin import launch
from pefomed_plugin.errors import DataError
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry

from .data import DATA, real_data

YAML = "train_configs/pefomed_stage2.yaml"
TEXT_ONLY = ("slake", "path_vqa", "iu_xray")


@pytest.fixture
def datasets_of(monkeypatch):
    for name in ("vqa_rad", *TEXT_ONLY):
        real_data(name)
    for name in ("PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        monkeypatch.setenv(name, str(DATA))
    monkeypatch.setenv("PEFOMED_DATA", str(DATA))
    register_all()

    def build(*options):
        composed = launch.compose_config(YAML, options, registry, launch.STRATEGIES)
        whole = OmegaConf.create(composed.text)

        class Cfg:
            datasets_cfg, run_cfg = whole.datasets, whole.run

        return registry.get_task_class("medical_vqa")().build_datasets(Cfg)

    return build


def test_what_has_no_images_is_named_with_what_leaves_it_out(datasets_of):
    with pytest.raises(DataError) as caught:
        datasets_of()
    assert caught.value.summary.startswith("3 of 4 data sets cannot be used; --options datasets.slake=null ")
    assert [problem.split(":")[0] for problem in caught.value.problems] == list(TEXT_ONLY)
    assert all("no image below" in problem and "fetch the images" in problem for problem in caught.value.problems)


def test_the_others_go_on_without(datasets_of, capsys):
    found = datasets_of(*(f"datasets.{name}=null" for name in TEXT_ONLY))
    assert {name: {split: len(part) for split, part in splits.items()} for name, splits in found.items()} == {
        "vqa_rad": {"train": 3064, "test": 451}
    }
    assert "val split: not in vqa_rad: no loss of it" in capsys.readouterr().out
