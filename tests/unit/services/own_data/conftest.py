"""What tests of own data share: the folder that they are in."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The salt is made in the current folder."""
    monkeypatch.chdir(tmp_path)
