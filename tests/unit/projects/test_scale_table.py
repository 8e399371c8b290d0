"""The page on scale: its tables are the script's, and the script's arithmetic is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pefomed_plugin.config.datasets import DatasetConfig
from projects.benchmarks import scale_table
from projects.benchmarks.scale_table import BATCH, GPUS, IMAGES, MODEL, TABLES, WORKERS, ring_bytes

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_page_shows_what_the_script_prints(name: str) -> None:
    mark = f"<!-- scale_table: {name} -->\n\n"
    assert PAGE.count(mark) == 1
    shown = PAGE.split(mark)[1].split("\n\n")[0].splitlines()
    assert shown == TABLES[name]()


def test_the_page_shows_no_table_that_is_not_printed() -> None:
    assert set(re.findall(r"<!-- scale_table: (.*?) -->", PAGE)) == set(TABLES)


def test_the_trained_numbers_are_the_papers() -> None:
    assert MODEL.trained == 56_627_200


def test_the_recipe_is_that_of_the_files() -> None:
    recipe = yaml.safe_load((ROOT / "train_configs" / "pefomed_stage1.yaml").read_text(encoding="utf-8"))
    run, ratios = recipe["run"], [each["sample_ratio"] for each in recipe["datasets"].values()]
    assert run["max_epoch"] * run["iters_per_epoch"] == scale_table.RECIPE_STEPS.value
    assert (run["warmup_steps"], run["num_workers"]) == (scale_table.WARM_UP.value, WORKERS.value)
    assert run["iters_per_epoch"] == scale_table.SAVE_STEPS.value
    assert ratios == [each.ratio for each in scale_table.MIXTURE.values()]
    assert DatasetConfig().batch_size == BATCH.value
    for name in recipe["datasets"]:
        text = (ROOT / "pefomed_plugin" / "configs" / "datasets" / (name + ".yaml")).read_text(encoding="utf-8")
        assert "batch_size" not in text


def test_every_input_says_where_it_is_from() -> None:
    rows = [row.split(" | ") for row in TABLES["inputs"]()[2:]]
    assert {row[2] for row in rows} == {"measured", "cited", "assumed", "ours"}
    assert all(row[3].strip(" |") for row in rows)
    inputs = [var for var in vars(scale_table).values() if isinstance(var, scale_table.Input)]
    assert len(rows) == len(inputs) + len(scale_table.CARDS), "each input is in the table"


def test_a_ring_sends_nothing_alone_and_nearly_twice_the_payload_among_many() -> None:
    assert ring_bytes(1, 100) == 0
    assert ring_bytes(2, 100) == 100
    assert ring_bytes(4, 100) == 150
    assert 199 < ring_bytes(1024, 100) < 200


def test_a_node_needs_the_same_however_many_there_are() -> None:
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in TABLES["throughput"]()[2:]]
    assert [int(row[0].replace(",", "")) for row in rows] == list(GPUS)
    assert [int(row[1]) for row in rows] == [1, 1, 1, 2, 8, 32, 128]
    assert len({tuple(row[3:6]) for row in rows if int(row[0].replace(",", "")) >= 8}) == 1
    assert IMAGES == 734_743
