"""Which MiniGPT-v2 is underneath: a checkout where the user has one, ours otherwise. Imports neither."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from ..errors import ToolkitError

BUNDLED = "bundled"
CHECKOUT = "minigpt4"


def choose_toolkit() -> tuple[str, str]:
    """Name of the toolkit and why it was chosen; a checkout's folder is put on ``sys.path``.

    Raises:
        ToolkitError: ``PEFOMED_TOOLKIT`` or ``MINIGPT4_HOME`` says something that cannot be.
    """
    forced = os.environ.get("PEFOMED_TOOLKIT", "")
    home = os.environ.get("MINIGPT4_HOME", "")
    if forced not in ("", BUNDLED, CHECKOUT):
        raise ToolkitError(f"PEFOMED_TOOLKIT={forced!r}: use {BUNDLED!r} or {CHECKOUT!r}")
    if forced == BUNDLED:
        return BUNDLED, "PEFOMED_TOOLKIT says so"
    if home:
        if not (Path(home) / "minigpt4" / "__init__.py").is_file():
            raise ToolkitError(
                f"MINIGPT4_HOME={home}: no package minigpt4 there; set it to a clone of "
                "Vision-CAIR/MiniGPT-4, or unset it to use the bundled toolkit"
            )
        if home not in sys.path:
            sys.path.insert(0, home)
        return CHECKOUT, f"MINIGPT4_HOME is {home}"
    if importlib.util.find_spec(CHECKOUT) is not None:
        return CHECKOUT, "package minigpt4 is importable"
    if forced == CHECKOUT:
        raise ToolkitError("PEFOMED_TOOLKIT=minigpt4, but no package minigpt4 is importable; set MINIGPT4_HOME")
    return BUNDLED, "no MiniGPT-4 checkout: MINIGPT4_HOME is not set and minigpt4 is not importable"
