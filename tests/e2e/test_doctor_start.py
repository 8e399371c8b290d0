"""What ``pefomed doctor`` loads before it says anything."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("words", "none_of"),
    [
        (["doctor"], ["torch", "transformers"]),
        (["doctor", "--cfg-path", "train_configs/pefomed_stage2.yaml"], ["torch._dynamo", "transformers"]),
    ],
)
def test_it_waits_for_nothing_heavy(words, none_of, tmp_path):
    """Without a hint of a GPU torch is not asked; a run needs torch, but neither its compiler nor transformers."""
    heavy = [*none_of, "accelerate", "peft", "timm", "matplotlib", "openai", "gradio", "pycocoevalcap"]
    code = (
        "import sys\nfrom pefomed_plugin.doctor import machine\nmachine.may_have_gpu = lambda: False\n"
        f"from pefomed_plugin.cli import main\nmain({words!r})\n"
        f"print('loaded', [name for name in {heavy!r} if name in sys.modules])"
    )
    environ = {**os.environ, "PEFOMED_SAMPLE": str(tmp_path / "sample"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.splitlines()[-1] == "loaded []" and "ready" in done.stdout
