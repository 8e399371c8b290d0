"""Scorers as reward functions of TRL, what they pay for no answer, and ratings as pairs to train on."""

from __future__ import annotations

from .functions import Reward, reward
from .probing import Earned, earnings
from .rows import rows_of
from .watching import ProbeWatch, Share

__all__ = ["Earned", "ProbeWatch", "Reward", "Share", "earnings", "reward", "rows_of"]
