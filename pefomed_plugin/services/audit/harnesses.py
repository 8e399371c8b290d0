"""Other projects' own scoring, called on answers of known worth in a process of its own.

Nothing is imitated: what their code cannot be brought to say is said as such. Their code is not trusted: it has a
folder of its own, no network, nothing of the user's environment, and a time limit. It is not kept from the user's
files.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ConfigError, one_line
from ...input_files import refuse_special
from ...json_text import JsonFault, parse_json
from ...readers import read_data
from ...records import CLOSED, Prediction, Sample
from ...scoring.known import Known, alike, holds, same
from ...scoring.pairing import answer_type
from ...scoring.probes import ECHO, EMPTY, OPTIONS, PERFECT, RETRACTED, SWAPPED, YES_OR_NO
from .scorers import probe_answers

_DRIVERS = Path(__file__).with_name("drivers")
_TRIED = (PERFECT, YES_OR_NO, ECHO, OPTIONS, RETRACTED, SWAPPED, EMPTY)
ONLY_YES_NO = f"{YES_OR_NO}, of yes/no questions"
"""The same answers where closed questions with another answer than yes or no are left out."""
_MOST_BYTES = 4 << 20
"""Of a result."""
_ACCURACY, _RECALL = "accuracy", "recall"


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


@dataclass(frozen=True)
class Limits:
    """What a process with foreign code gets."""

    python: str = sys.executable
    """Interpreter that has the packages which the harness needs."""
    seconds: float = 300.0
    """After this it is ended, with all that it started."""


@dataclass(frozen=True)
class Counted:
    """One figure of a harness beside what a right count gives."""

    answers: str
    """Name of the probe, or ``ONLY_YES_NO``."""
    judge: str
    """``right`` or ``wrong``: a judge that always says so was asked; empty: none."""
    figure: str
    """``overall``, ``open``, ``closed``; empty where their code failed."""
    value: float | None
    """In percent, as the harness counts it."""
    low: float | None = None
    """A right count: at least, in percent."""
    high: float | None = None
    """At most."""
    reason: str = ""
    """Why there is no value."""

    @property
    def is_right(self) -> bool:
        """Whether the figure is what a right count gives."""
        if self.value is None or self.low is None or self.high is None:
            return False
        return self.low - 0.01 <= self.value <= self.high + 0.01


@dataclass(frozen=True)
class Called:
    """What one harness made of one data set."""

    harness: str
    dataset: str
    questions: int
    version: str
    """Commit of the checkout or version of the package, and whether files of its scoring were changed."""
    figures: list[Counted] = field(default_factory=list)
    network: str = ""
    """How the process was cut off from the network."""
    stood_in: tuple[str, ...] = ()
    """Packages that its files import and that are not installed; nothing of them was called."""
    error: str = ""
    """Why there are no figures."""
    note: str = ""
    """What must be known of how it was called."""


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


@dataclass(frozen=True)
class TestSet:
    """A test set with where it was read from."""

    name: str
    """Of the data set."""
    folder: Path
    """The release."""
    title: str
    """Name and count, as it is shown."""
    samples: list[Sample]
    """Of its test split."""


def call_on(harness: Harness, folder: Path | None, sets: Sequence[TestSet], limits: Limits) -> list[Called]:
    """What a harness makes of each of the data sets that it scores.

    Raises:
        ConfigError: it scores none of them.
    """
    wanted = [tested for tested in sets if tested.name in harness.datasets]
    if not wanted:
        raise ConfigError(
            f"{harness.name} scores {', '.join(harness.datasets)}; none of them is among "
            + ", ".join(tested.name for tested in sets)
        )
    found = []
    for tested in wanted:
        samples = tested.samples
        if harness.every_language and tested.name == "slake":
            samples = read_data(tested.name, tested.folder, language="all").splits()["test"]
        found.append(call_harness(harness, folder, harness.chosen(samples), limits))
    return found


def call_harness(harness: Harness, folder: Path | None, samples: Sequence[Sample], limits: Limits) -> Called:
    """Let a harness count the answers of the probes; whatever goes wrong over there is in what comes back."""
    cases = _cases(probe_answers(samples))
    job = {
        "dataset": samples[0].dataset,
        "checkout": str(folder.resolve()) if folder else "",
        "module": harness.module,
        "rows": [{**sample.to_json(), "answer_type": answer_type_of(sample)} for sample in samples],
        "cases": [
            {
                "name": name,
                "places": [place for place, _ in chosen],
                "answers": [found.prediction for _, found in chosen],
            }
            for name, chosen in cases.items()
        ],
    }
    told = _run(harness, job, limits)
    figures, wrong = [], str(told.get("error", ""))
    try:
        for each in told.get("figures", []):
            figures += _counted(harness, each, [found for _, found in cases[each["probe"]]])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        wrong = wrong or f"its result is of another form ({one_line(error)})"
    return Called(
        harness.name,
        samples[0].dataset,
        len(samples),
        version_of(harness, folder, limits.python),
        figures,
        str(told.get("network", "")),
        tuple(map(str, told.get("stood_in", ()))),
        wrong,
        harness.note,
    )


def answer_type_of(sample: Sample) -> str:
    """OPEN or CLOSED; by the rule yes or no where the release has no flag."""
    kind = answer_type(Prediction.of(sample, None, {}))
    return kind or (CLOSED if _is_yes_or_no(sample) else "OPEN")


def _is_yes_or_no(sample: Sample) -> bool:
    return sample.answer.strip().lower() in ("yes", "no")


def _cases(answers: Mapping[str, Sequence[Prediction]]) -> dict[str, list[tuple[int, Prediction]]]:
    """Name -> places in the set and answers. Empty texts stand for what was not answered."""
    found = {name: list(enumerate(answers[name])) for name in _TRIED if name in answers}
    if YES_OR_NO in answers:
        found[ONLY_YES_NO] = [
            (place, prediction)
            for place, prediction in enumerate(answers[YES_OR_NO])
            if _is_yes_or_no(prediction) or answer_type_of(prediction) != CLOSED
        ]
    return found


def _run(harness: Harness, job: Mapping[str, Any], limits: Limits) -> Mapping[str, Any]:
    """What the driver wrote down, or why it wrote nothing."""
    driver = _DRIVERS / (harness.name.replace("-", "_") + ".py")
    with tempfile.TemporaryDirectory(prefix="pefomed-audit-") as place:
        here = Path(place)
        (here / "job.json").write_text(json.dumps(job), encoding="utf-8")
        command = [limits.python, "-I", "-B", str(_DRIVERS / "main.py"), str(driver), "job.json", "result.json"]
        try:
            with open(here / "said.txt", "wb") as said:
                process = subprocess.Popen(
                    command,
                    cwd=here,
                    env=_environment(here),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                try:
                    code = process.wait(limits.seconds)
                except BaseException:
                    _end(process)
                    raise
            _end(process)  # what it started and left
        except subprocess.TimeoutExpired:
            return {"error": f"not done after {limits.seconds:g} s, and ended (--harness-timeout)"}
        except OSError as error:
            return {"error": f"{limits.python}: {error.strerror}"}
        return _read_result(here / "result.json", code)


def _read_result(path: Path, code: int) -> Mapping[str, Any]:
    """The result is theirs as well: what is not of the form that was asked for is no result."""
    if not path.is_file() or path.is_symlink():
        return {"error": f"its process ended with code {code} and said nothing"}
    refuse_special(path)
    if path.stat().st_size > _MOST_BYTES:
        return {"error": f"its result is larger than {_MOST_BYTES:,} bytes"}
    try:
        told = parse_json(path.read_bytes())
    except JsonFault as fault:
        return {"error": f"its result is no JSON ({fault})"}
    return told if isinstance(told, dict) else {"error": "its result is of another form"}


def _environment(home: Path) -> dict[str, str]:
    """Nothing of the user's but where programs are found: no keys, no tokens, no proxies."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and whatever it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def _counted(harness: Harness, told: Mapping[str, Any], about: Sequence[Prediction]) -> list[Counted]:
    """The figures of one case, each beside a right count."""
    name, judge, figures = told["probe"], told["judge"], told["figures"]
    if "failed" in figures:
        return [Counted(name, judge, "", None, reason=one_line(Exception(figures["failed"])))]
    found = []
    for figure, value in figures.items():
        low, high = _right_count(harness, name, judge, figure, about)
        found.append(Counted(name, judge, figure, float(value), low, high))
    return found


def _right_count(
    harness: Harness, name: str, judge: str, figure: str, about: Sequence[Prediction]
) -> tuple[float, float]:
    """Percent between which a right count lies."""
    if judge == "wrong":  # closed questions may be counted by rule, whatever the judge says
        return 0.0, 0.0 if figure == "open" else 100.0
    if name == PERFECT:
        return 100.0, 100.0
    group = [found for found in about if figure == "overall" or answer_type_of(found) == figure.upper()]
    if not group:
        return 0.0, 100.0
    says_all = figure in harness.recall and name in (OPTIONS, RETRACTED)
    known = Known(name, holds, 1) if says_all else Known(name, 0, 1) if figure in harness.recall else None
    low, high = (known or Known(name, same, alike)).bounds(group)
    return 100 * low, 100 * high


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
