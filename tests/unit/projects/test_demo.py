"""The demo deletes no run of before, and ends without a traceback when it is interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects.embedded import demo


def test_runs_of_before_are_set_aside(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """``--out output`` is where the README's own runs lie: weeks of somebody's training were deleted."""
    (tmp_path / "stage1").mkdir()
    (tmp_path / "stage1" / "checkpoint_last.pth").write_text("weeks")
    (tmp_path / "mine").mkdir()
    demo.make_room(tmp_path)
    assert (tmp_path / "stage1.1" / "checkpoint_last.pth").read_text() == "weeks" and (tmp_path / "mine").is_dir()
    assert capsys.readouterr().out == f"{tmp_path}/stage1 was there already; it is now {tmp_path}/stage1.1\n"


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_main", interrupt)
    assert demo.main() == 130
    assert capsys.readouterr().err.startswith("interrupted; ")
