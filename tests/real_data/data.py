"""Where the published data lie, beside the project. Tests that read them skip what is absent; nothing is copied."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def real_data(name: str) -> Path:
    """A folder of the published data; skips the test where it is not there."""
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"no ../shared/data/{name} beside the project")
    return folder
