"""What is run first on a machine with a GPU goes through, on one that computes nothing: its figures are none."""

from __future__ import annotations

import json

SECTIONS = ("env", "step", "shapes", "memory")  # the others need numbers, or a profiler


def test_gpu_check_runs_and_writes_what_it_found(start, tmp_path):
    done = start("-m", "projects.benchmarks.gpu_check", "--out", tmp_path, "--sections", *SECTIONS)
    found = json.loads((tmp_path / "gpu_check.json").read_text())
    assert not [each for each in found if each["what"] == "the section itself"], done.stdout
    assert {each["section"] for each in found} == set(SECTIONS)
    verdicts = {each["what"]: each["verdict"] for each in found}
    assert verdicts["the toolkit imports"] == "PASS"
    assert verdicts["the host waits for nothing in a step of images"] == "PASS"
    assert verdicts["one row a question, from float32"] == "FAIL"  # nothing was computed
    assert done.returncode == 1
    assert "| step | PASS | the host waits for nothing in a step of features |" in done.stdout
    assert (tmp_path / "gpu_check.md").read_text().startswith("`python -m projects.benchmarks.gpu_check` on one ")
