from __future__ import annotations

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.scoring import DEFAULTS, SCORERS, VERSIONS, find_scorer

from .rows import predicted

NAMES = {
    "exact_match",
    "exact_match/pefomed",
    "exact_match/vqav2",
    "exact_match/mumc",
    "exact_match/strict",
    "exact_match/clean",
    "token_recall",
    "token_recall/llava_med",
    "token_recall/corrected",
    "token_f1",
    "token_f1/llava_med",
    "token_f1/corrected",
    "lexical",
    "lexical/coco",
    "lexical/pefomed",
    "lexical/r2gen60",
    "clinical",
    "clinical/radeval",
}


def test_the_names() -> None:
    assert set(SCORERS) == set(VERSIONS) == NAMES
    assert find_scorer("exact_match") is SCORERS["exact_match/pefomed"]


@pytest.mark.parametrize("name", sorted(name for name in NAMES if not name.startswith(("lexical", "clinical"))))
def test_scores_carry_the_variant_and_its_version(name: str) -> None:
    (score,) = find_scorer(name)([predicted("left lung", "the left lung")])
    assert (score.sample_id, score.scorer, score.version) == ("invented-1", DEFAULTS.get(name, name), VERSIONS[name])
    assert score.value in (0.0, 1.0)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_no_scorer_scores_nothing(name: str) -> None:
    with pytest.raises(DataError, match="no predictions"):
        SCORERS[name]([])


def test_an_unknown_name_lists_the_near_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'exact_match/clean'"):
        find_scorer("exact_match/cleen")
    with pytest.raises(ConfigError, match="known: clinical, clinical/radeval, exact_match, "):
        find_scorer("judge")
