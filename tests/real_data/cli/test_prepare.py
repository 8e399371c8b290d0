"""What ``pefomed prepare`` shows of the real releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real_data.data import real_data
from tests.unit.cli.test_prepare import prepare


def test_the_published_texts(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Counts and lengths of the real files; their images are not at hand."""
    wanted = {"slake": "train 4,918 1 3 12 0", "iu_xray": "test 1,180 25 53 93 78"}
    for name, line in wanted.items():
        source = real_data(name)
        code, lines, errors = prepare(capsys, name, "--source", source, "--out", tmp_path / name, "--no-images")
        assert code == 0 and errors.startswith("next: ")
        assert line in lines
