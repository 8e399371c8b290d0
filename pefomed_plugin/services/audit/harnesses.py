"""Other projects whose scoring can be called on answers of known worth (``harness_calls.py``).

Nothing is imitated: what their code cannot be brought to say is said as such.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigError
from ...records import Sample


@dataclass(frozen=True)
class Harness:
    """One project whose scoring can be called."""

    name: str
    """As users write it, and of its driver with ``_`` for ``-``."""
    repository: str
    """Where it is published."""
    scoring: tuple[str, ...]
    """Files of a checkout that do the scoring; without them it is another version."""
    datasets: tuple[str, ...]
    """Data sets that it scores."""
    module: str = ""
    """As it is imported where it is installed; empty: it is no package."""
    recall: tuple[str, ...] = ()
    """Figures that are a recall of words, by its own description; the others are accuracies."""
    every_language: bool = False
    """It counts SLAKE's questions in both languages."""
    most: int = 0
    """Questions that are counted, evenly chosen; 0: all. For one whose time grows with their square."""
    note: str = ""
    """What must be known of how it is called."""

    def chosen(self, samples: Sequence[Sample]) -> list[Sample]:
        """The samples that it counts."""
        if not self.most or len(samples) <= self.most:
            return list(samples)
        return [samples[place * len(samples) // self.most] for place in range(self.most)]


HARNESSES = {
    harness.name: harness
    for harness in (
        Harness(
            "medevalkit",
            "github.com/alibaba-damo-academy/MedEvalKit",
            ("utils/utils.py", "utils/SLAKE/SLAKE.py", "utils/PATH_VQA/PATH_VQA.py", "utils/VQA_RAD/VQA_RAD.py"),
            ("vqa_rad", "slake", "path_vqa"),
            every_language=True,
            note="a judge is asked where use_llm_judge is set; ours gives always the same verdict",
        ),
        Harness(
            "lmms-eval",
            "github.com/EvolvingLMMs-Lab/lmms-eval",
            ("lmms_eval/tasks/slake/utils.py",),
            ("slake",),
            module="lmms_eval",
        ),
        Harness(
            "vlmevalkit",
            "github.com/open-compass/VLMEvalKit",
            ("vlmeval/dataset/image_shortqa.py",),
            ("path_vqa",),
            module="vlmeval",
            most=1000,
            note="it asks a judge, ours gives always the same verdict; without one it is asked for exact matching",
        ),
        Harness(
            "llava-med",
            "github.com/microsoft/LLaVA-Med, tag v1.0.0",
            ("llava/eval/run_eval.py", "llava/eval/eval_metrics/evaluate_metrics.py"),
            ("vqa_rad", "slake", "path_vqa"),
            recall=("open",),
        ),
        Harness(
            "multimedeval",
            "github.com/corentin-ryr/MultiMedEval",
            ("multimedeval/vqa.py", "multimedeval/task_families.py"),
            ("vqa_rad", "slake", "path_vqa"),
            module="multimedeval",
        ),
        Harness(
            "medvlmbench",
            "github.com/Nanboy-Ronan/MedVLMBench",
            ("eval/vqa.py",),
            ("vqa_rad", "slake", "path_vqa"),
            note="closed questions only: its measure of open ones needs BERTScore's model",
        ),
    )
}
"""Name -> what is known of it."""


def find_harness(name: str, folder: Path | None) -> Harness:
    """The harness of that name, whose checkout is ``folder``.

    Raises:
        ConfigError: there is none, it is no package and has no checkout, or the checkout is another version.
    """
    if name not in HARNESSES:
        raise ConfigError(f"no harness {name!r}; known: {', '.join(HARNESSES)}")
    harness = HARNESSES[name]
    if folder is None:
        if not harness.module:
            raise ConfigError(f"{name} is no package: give its checkout, --harness {name}=DIR ({harness.repository})")
        return harness
    lacking = [file for file in harness.scoring if not (folder / file).is_file()]
    if lacking:
        raise ConfigError(
            f"{folder} does not hold the scoring of {name}; give a checkout of {harness.repository}", lacking
        )
    return harness


def version_of(harness: Harness, folder: Path | None, python: str) -> str:
    """Commit and whether the scoring differs from it; of a package its version."""
    if folder is None:
        line = f"from importlib.metadata import version; print(version({harness.module!r}))"
        return _line([python, "-I", "-c", line]) or "installed, of unknown version"
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return "no git: unknown commit"
    changed = [
        file
        for file in harness.scoring
        if _git(folder, "hash-object", "--no-filters", file) != _git(folder, "rev-parse", f"HEAD:{file}")
    ]
    return commit[:7] + (f", changed: {', '.join(changed)}" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    return _line(["git", "-C", str(folder), "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments])


def _line(command: Sequence[str]) -> str:
    """What a command prints; nothing where it fails."""
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
