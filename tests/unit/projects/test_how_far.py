"""What the demo shows of its lanes while they run: each command's last line of progress, else its seconds."""

from __future__ import annotations

import sys
import time

from projects import ablation_rows


def test_the_last_line_of_progress_of_each_command(tmp_path):
    first, second = tmp_path / "stage1.log", tmp_path / "stage2.log"
    first.write_text(
        "epoch 1/5: 40/200, 3.1/s, 52 s left  loss 1.5\nepoch 2/5: 80/200, 3.0/s, 40 s left  loss 1.2\nsaid\n"
    )
    second.write_text("toolkit: bundled\n")
    shown = ablation_rows.how_far({first: time.monotonic(), second: time.monotonic()})
    assert shown == "stage1: epoch 2/5: 80/200, 3.0/s, 40 s left | stage2: 0 s"


def test_lanes_run_beside_each_other_and_a_failure_shows_its_log(tmp_path, capsys):
    def lane(name, code):
        return [sys.executable, "-c", f"print('said by {name}'); raise SystemExit({code})", f"run.output_dir={name}"]

    assert ablation_rows.run_side_by_side([[lane("a", 0)], [lane("b", 3)]], tmp_path) == 3
    shown = capsys.readouterr().out
    assert (
        "\nsaid by b\n" in shown and "\nsaid by a\n" not in shown and (tmp_path / "a.log").read_text() == "said by a\n"
    )
