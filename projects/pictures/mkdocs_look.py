"""mkdocs takes the palette of the package, ``reporting/assets/look.css``, as it is: ``docs/`` has no second copy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

LOOK = Path(__file__).resolve().parents[2] / "pefomed_plugin" / "reporting" / "assets" / "look.css"
PLACE = "pictures/look.css"


def on_config(config: Any) -> Any:
    """Every page asks for it before our own style."""
    config["extra_css"].insert(0, PLACE)
    return config


def on_post_build(config: Any) -> None:
    """Lay it where the pages ask for it."""
    shutil.copyfile(LOOK, Path(config["site_dir"]) / PLACE)
