"""A damaged YAML of a run is named by the commands that look at it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pefomed_plugin.cli import main

from .damage import DAMAGES

pytestmark = pytest.mark.timeout(30)
YAML = Path(__file__).resolve().parents[2] / "train_configs" / "pefomed_stage2.yaml"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", ["estimate", "doctor"])
def test_a_damaged_yaml_is_named(tmp_path: Path, capsys: pytest.CaptureFixture, command: str, damage: str) -> None:
    path = tmp_path / "run.yaml"
    shutil.copy(YAML, path)
    try:
        DAMAGES[damage](path)
    except (ValueError, IndexError):
        pytest.skip("a damage of JSON")
    assert main([command, "--cfg-path", str(path)]) in (0, 1, 2)
    told = capsys.readouterr()
    assert "Traceback" not in told.err and "\x1b" not in told.err
