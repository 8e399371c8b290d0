"""Where the tests of this folder find a checkout, and that they are left out without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME, PYTHON = os.environ.get("MINIGPT4_HOME"), os.environ.get("MINIGPT4_PYTHON")
"""A clone at d94738a, and the Python of its environment."""
needs_checkout = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (HOME and PYTHON), reason="MINIGPT4_HOME and MINIGPT4_PYTHON are not set: no checkout to run in"
    ),
]
