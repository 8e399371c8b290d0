"""GPUs by name."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.services.memory.cards import CARDS, find_cards


def test_capitals_do_not_matter() -> None:
    assert find_cards(["a40", "H100"]) == [CARDS["A40"], CARDS["H100"]]


def test_what_is_not_known_is_refused_with_what_is_near() -> None:
    with pytest.raises(ConfigError) as error:
        find_cards(["A100", "H10", "A40"])
    assert error.value.problems[0] == "'A100'; say which: A100-40 or A100-80"
    assert "H100" in error.value.problems[1]
