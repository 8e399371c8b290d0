"""A share of few, with its interval. Pure."""

from __future__ import annotations

import math

from .intervals import Interval

_Z = 1.959963984540054
"""Of 95 %."""


def wilson_interval(hits: int, of: int) -> Interval:
    """Wilson's score interval of a share of independent trials, 0 to 1 (E. B. Wilson, JASA 22, 1927); 95 %.

    >>> round(wilson_interval(0, 24).high, 3)
    0.138
    """
    if of == 0:
        return Interval(None, None, "none of them has a verdict")
    share, square = hits / of, _Z**2 / of
    middle = (share + square / 2) / (1 + square)
    half = _Z / (1 + square) * math.sqrt(share * (1 - share) / of + square / (4 * of))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))
