"""``pefomed predict --api`` against ``pefomed serve`` gives the answers of ``pefomed evaluate``, letter for letter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.storage import read_predictions

from .trying.serving import Served

pytest.importorskip("openai")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def pefomed(environ: dict[str, str], *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pefomed_plugin.cli", *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def answers(path: Path) -> dict[str, Any]:
    return {record.id: record.prediction for record in read_predictions(path)}


def test_served_answers_are_evaluations(sample: Path, tmp_path: Path) -> None:
    environ = {"PEFOMED_SAMPLE": str(sample)}
    with Served("--ckpt", "embedded", **environ) as server:
        asking = {**environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none"}
        for name in ("vqa_rad", "iu_xray"):
            out, served = tmp_path / name, tmp_path / f"{name}_served"
            options = f"run.output_dir={out}"
            pefomed(environ, "evaluate", "--cfg-path", f"eval_configs/pefomed_{name}.yaml", "--options", options)
            size = ("--image-size", "112")
            pefomed(asking, "predict", name, str(sample / name), "--api", server.model, *size, "--out", str(served))
            expected = answers(out / "results" / f"{name}-test" / "predictions.jsonl")
            found = answers(served / "predictions.jsonl")
            assert len(expected) > 20 and len(set(expected.values())) > 1
            assert found == expected
