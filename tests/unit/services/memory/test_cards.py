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


BUILT = {
    "T4": (40, 1.59, 1024, 256, 10.0),
    "V100": (80, 1.53, 1024, 4096, 1.75),
    "A10": (72, 1.695, 1024, 384, 12.5),
    "L4": (58, 2.04, 1024, 192, 12.5),
    "A40": (84, 1.74, 1024, 384, 14.5),
    "RTX-A6000": (84, 1.8, 1024, 384, 16.0),
    "L40S": (142, 2.49, 1024, 384, 18.0),
    "RTX-3090": (82, 1.695, 512, 384, 19.5),
    "RTX-4090": (128, 2.52, 512, 384, 21.0),
    "A100-40": (108, 1.41, 2048, 5120, 2.43),
    "A100-80": (108, 1.41, 2048, 5120, 3.19),
    "H100": (132, 1.83, 4096, 5120, 5.23),
    "H200": (132, 1.83, 4096, 6144, 6.25),
}
"""Multiprocessors, their clock in GHz, what one computes in a cycle (dense, 16 bits, sums in 32: of a GeForce card half
of what it computes with sums in 16), lines to the memory, 10^9 bits a second on each."""


@pytest.mark.parametrize("name", CARDS)
def test_peaks_are_dense_with_sums_in_32_bits(name: str) -> None:
    """Sparsity, and sums in 16 bits on a GeForce card, would each give twice as much."""
    processors, clock, operations, lines, rate = BUILT[name]
    assert CARDS[name].tera_flops == pytest.approx(processors * clock * operations / 1e3, rel=0.01)
    assert CARDS[name].memory_gb_s == pytest.approx(lines * rate / 8, rel=0.01)
