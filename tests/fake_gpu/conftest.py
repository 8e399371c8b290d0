"""The environment of a process that believes in a GPU; skipped, with the reason, where it cannot be made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.fake_gpu.build import build, why_not

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here, and skip it where there is no stand-in."""
    own = [item for item in items if HERE in Path(item.path).parents]
    reason = why_not() if own else ""
    for item in own:
        item.add_marker(pytest.mark.fake_gpu)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def environ(tmp_path_factory: pytest.TempPathFactory, small_sample: Path) -> dict[str, str]:
    """Variables of a process with an H100 in it."""
    folder = tmp_path_factory.mktemp("fake_cuda")
    library = build(folder / "library")
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "LD_LIBRARY_PATH": str(library.parent),
        "PYTHONPATH": os.pathsep.join(
            [str(HERE / "preload"), str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
        "OMP_NUM_THREADS": "1",
        "PEFOMED_TOOLKIT": "bundled",
        "PEFOMED_SAMPLE": str(small_sample),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "compiled"),
        "PEFOMED_CACHE": str(folder / "cache"),
    }


TRAIN = ("train.py", "--cfg-path", "projects/pefomed/stage2_vqa_rad.yaml", "--options", "run.device=cuda")
SHORT = ("run.iters_per_epoch=3", "run.log_freq=2")
Start = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def start(environ: dict[str, str]) -> Start:
    """``start(*arguments, **variables)``: Python under the stand-in, from the repository's root."""

    def run(*arguments: Any, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env={**environ, **variables},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def measured(start: Start, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``measure.py`` found."""
    done = start("-m", "tests.fake_gpu.measure", tmp_path_factory.mktemp("real"))
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.fixture
def train(start: Start, tmp_path: Path) -> Start:
    """``train(*options, ranks=1, **variables)``: a short run of stage 2 on the embedded default."""

    def run(*options: str, ranks: int = 1, **variables: str) -> subprocess.CompletedProcess[str]:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", ranks] if ranks > 1 else []
        folder = f"run.output_dir={tmp_path / 'out'}"
        return start(*torchrun, *TRAIN, *SHORT, folder, *options, FAKEGPU_COUNT=str(ranks), **variables)

    return run


@pytest.fixture(scope="session")
def said() -> Callable[[subprocess.CompletedProcess[str]], str]:
    """The end of what a process printed."""
    return lambda done: done.stdout[-1500:] + done.stderr[-1500:]
