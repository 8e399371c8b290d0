"""Trying a model by hand: a local page and a conversation in the terminal."""

from __future__ import annotations

NOT_CLINICAL = (
    "For research only. Not a medical device, not for clinical use: answers are often wrong, and sound as "
    "sure as right ones. Nothing of it may guide the care of a patient."
)
"""Said wherever a model is tried."""
