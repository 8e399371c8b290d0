"""The paper's numbers agree with each other and, where our formulas apply, with what they come from."""

from __future__ import annotations

import pytest

from pefomed_plugin.readers.iu_xray import IU_XRAY
from pefomed_plugin.reporting.comparison.paper_figures import (
    BOTH,
    FIGURES,
    NONE,
    STAGE_1,
    STAGE_2,
    paper_figure,
)
from pefomed_plugin.rubrics import REPORT
from pefomed_plugin.scoring.wasm import wasm_from_counts


def value(*cell) -> float:  # type: ignore[no-untyped-def]
    figure = paper_figure(*cell)
    assert figure is not None
    return figure.value


def test_no_cell_stands_twice() -> None:
    cells = [(figure.dataset, figure.measure, figure.group, figure.stages, figure.among) for figure in FIGURES]
    assert len(set(cells)) == len(cells) == 24 * 3 + 3 + 12 + 24 + 12 + 9 + 3


def test_vqa_rad_is_its_counts() -> None:
    cell = ("vqa_rad", "exact_match")
    assert value(*cell, "open", BOTH) == round(100 * 112 / 179, 1)
    assert value(*cell, "closed", BOTH) == round(100 * 237 / 272, 1)
    assert value(*cell, "overall", BOTH) == round(100 * 349 / 451, 1)


@pytest.mark.parametrize("stages", [NONE, STAGE_1, STAGE_2, BOTH])
def test_wasm_is_that_of_the_levels(stages) -> None:  # type: ignore[no-untyped-def]
    counts = [value("iu_xray", "gpt4_judge", f"level {level}", stages) for level in range(5)]
    assert sum(counts) == IU_XRAY.splits["test"]
    assert round(wasm_from_counts(counts, REPORT.values).value, 2) == value("iu_xray", "gpt4_judge", "wasm", stages)


@pytest.mark.parametrize("dataset", ["vqa_rad", "slake", "path_vqa"])
@pytest.mark.parametrize("measure", ["exact_match", "gpt4_judge"])
@pytest.mark.parametrize("stages", [NONE, STAGE_1, STAGE_2, BOTH])
def test_overall_lies_between_open_and_closed(dataset, measure, stages) -> None:  # type: ignore[no-untyped-def]
    low, overall, high = (value(dataset, measure, group, stages) for group in ("open", "overall", "closed"))
    assert low < overall < high


def test_unknown_stages_have_no_figure() -> None:
    assert paper_figure("vqa_rad", "exact_match", "open", None) is None
    assert paper_figure("roco", "exact_match", "open", BOTH) is None
