"""Newcomers, each in an empty folder, and releases that look as they were downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .terminal import Newcomer


@pytest.fixture
def newcomer(tmp_path: Path, small_sample: Path) -> Callable[..., Newcomer]:
    """``newcomer(PEFOMED_DATA=...)``: in an empty folder, with the tiny model made already."""
    return lambda **variables: Newcomer(tmp_path / "home", small_sample, **variables)


@pytest.fixture
def downloads(tmp_path: Path, small_sample: Path) -> Path:
    """A folder with VQA-RAD in its official layout, drawn, without the mark that says so: to the tool it is real."""
    shutil.copytree(
        small_sample / "vqa_rad", tmp_path / "downloads" / "vqa_rad", ignore=shutil.ignore_patterns("EMBEDDED")
    )
    return tmp_path / "downloads"
