"""What a judge or a rater is asked to decide: the levels of a scale, what each means, and what their mean is called.

Two rubrics are built in, our own wording of the paper's criteria (section 3.3, appendix B, table 12); a user may bring
one in a file. Judge, offline judge, sheets, rating page, WASM, agreement and page take the object and none of
them names its levels.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .errors import ConfigError, DataError, near_names, why

ACCURACY, MEAN = "accuracy", "mean"
"""How ratings are summed up: the share that is right in percent, or the mean of the levels."""
TASKS = ("vqa", "report")
"""Kinds of text that a rubric rates: answers to questions, or reports (captions count as reports)."""
CANNOT_JUDGE = "cannot judge"
"""What a rater may say in place of a level: the reason of a score without a value, counted, and never a number."""
_KEYS = ("name", "task", "aggregation", "mean_name", "levels")
_LEVEL_KEYS = ("value", "word", "description")
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")
_GREATEST_VALUE, _MOST_LEVELS = 999, 10


@dataclass(frozen=True)
class Level:
    """One step of a scale."""

    value: int
    """The number that is given and stored; higher is better."""
    word: str
    """One or two words for buttons, axes and tables."""
    description: str
    """When it applies, as judges and raters read it."""


@dataclass(frozen=True)
class Rubric:
    """A scale with its words."""

    name: str
    """Stands in the names of scorers: ``judge/<name>/<model>``, ``human/<name>``."""
    task: str
    """A name of ``TASKS``."""
    levels: tuple[Level, ...]
    """The lowest first; values need not be consecutive."""
    aggregation: str
    """``ACCURACY`` (levels 0 and 1, percent right) or ``MEAN``."""
    mean_name: str
    """What the figure over all texts is called: accuracy, WASM."""

    @property
    def values(self) -> tuple[int, ...]:
        """The scale, the lowest value first."""
        return tuple(level.value for level in self.levels)

    @property
    def lowest(self) -> int:
        """What a missing text gets."""
        return self.levels[0].value

    @property
    def highest(self) -> int:
        """What a perfect text gets; percentages of means are shares of it."""
        return self.levels[-1].value

    @property
    def is_accuracy(self) -> bool:
        """Whether ratings are right or wrong, so that their mean is shown in percent."""
        return self.aggregation == ACCURACY

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the levels, their words and descriptions: ratings of another digest are of another scale."""
        content = [[level.value, level.word, level.description] for level in self.levels]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def label(self) -> str:
        """The name and the digest's beginning, as messages give them."""
        return f"{self.name!r} ({self.digest[:8]})"

    @property
    def tag(self) -> str:
        """The same as one word, for cells of sheets."""
        return f"{self.name}-{self.digest[:8]}"

    @property
    def scale(self) -> str:
        """The values in words: ``0, 1, 2``."""
        return ", ".join(map(str, self.values))

    def keys(self) -> tuple[str, ...]:
        """The key on a keyboard of each level: its value, or its place where a value has two digits."""
        if self.highest <= 9:
            return tuple(map(str, self.values))
        return tuple(str(place % 10) for place in range(1, len(self.levels) + 1))

    def text(self) -> str:
        """The levels as lines, the best first."""
        return "\n".join(f"{level.value}: {level.description}" for level in reversed(self.levels))

    def reference(self) -> dict[str, str]:
        """Name and digest, as every figure carries them."""
        return {"name": self.name, "digest": self.digest}

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary that ``rubric_from_json`` reads back."""
        levels = [{key: getattr(level, key) for key in _LEVEL_KEYS} for level in self.levels]
        content = {key: getattr(self, key) for key in _KEYS if key != "levels"}
        return {**content, "levels": levels, "digest": self.digest}


VQA = Rubric(
    "vqa",
    "vqa",
    (
        Level(
            0,
            "wrong",
            "wrong: it says something else than the reference, contradicts it, or does not answer the question",
        ),
        Level(
            1,
            "right",
            "right: it says the same as the reference, also with other words, a synonym, or more or less detail that "
            "does not change what is answered",
        ),
    ),
    ACCURACY,
    "accuracy",
)
REPORT = Rubric(
    "report",
    "report",
    (
        Level(
            0,
            "unrelated",
            "Unrelated. Hardly anything agrees with the reference; the findings are wrong or beside the point. It "
            "could not serve as a report of this image at all.",
        ),
        Level(
            1,
            "poor",
            "Poor. Some of the outline is there, but several key findings are wrong or misleading, or important ones "
            "are missing, so that the report could not be relied on.",
        ),
        Level(
            2,
            "partly right",
            "Partly right. Subject and main diagnosis can be recognised and are right, but there are many or serious "
            "errors or omissions in the findings.",
        ),
        Level(
            3,
            "good",
            "Good. The key findings, the diagnosis and the advice agree with the reference; what differs or is missing "
            "is minor and misleads nobody.",
        ),
        Level(
            4,
            "equivalent",
            "Equivalent. Nothing of significance differs and nothing that matters is missing; a reader could hardly "
            "tell which of the two is the reference.",
        ),
    ),
    MEAN,
    "WASM",
)
BUILT_IN = {rubric.task: rubric for rubric in (VQA, REPORT)}
"""Task -> the rubric used unless the user brings a file."""


def built_in_rubric(task: str) -> Rubric:
    """The rubric for predictions of this task; whatever is no question is rated as a report."""
    return BUILT_IN["vqa" if task == "vqa" else "report"]


def find_rubric(task: str, path: Path | None = None) -> Rubric:
    """The rubric for predictions of a task: that of the file ``path`` where one is given, else the built-in one.

    Raises:
        ConfigError: as ``read_rubric``, or the file rates another kind of text.
    """
    rubric = built_in_rubric(task)
    if path is None:
        return rubric
    own = read_rubric(path)
    if own.task != rubric.task:
        raise ConfigError(
            f"the rubric {own.label} of {path} rates task {own.task!r}, the predictions are of task {task!r}; "
            "bring a rubric for these"
        )
    return own


def read_rubric(path: Path) -> Rubric:
    """A rubric from a YAML or JSON file (docs/judging.md).

    Raises:
        ConfigError: it cannot be read, or is no rubric; all its mistakes in one message.
    """
    import yaml  # late: heavy

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the rubric {path}: {why(error)}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"the rubric {path} holds no keys; it needs name, task and levels (docs/judging.md)")
    problems = _problems(content)
    own = str(content.get("name"))
    if own in {rubric.name for rubric in BUILT_IN.values()}:
        problems.append(f"name: {own!r} is the name of a built-in rubric; choose another")
    if problems:
        raise ConfigError(f"the rubric {path} cannot be used", problems)
    return _make(content)


def rubric_from_json(content: Any, place: str) -> Rubric:
    """A rubric as ``Rubric.to_json`` wrote it into a file of ours.

    Raises:
        DataError: it is damaged; ``place`` names the file.
    """
    if not isinstance(content, dict):
        raise DataError(f"{place}: the rubric is damaged; rate or judge again into another folder")
    problems = _problems({key: value for key, value in content.items() if key != "digest"})
    if not problems and _make(content).digest != content.get("digest"):
        problems = ["its levels are not those of its digest: somebody changed them by hand"]
    if problems:
        raise DataError(f"{place}: the rubric is damaged; restore the file", problems)
    return _make(content)


def require_same_rubric(made_under: Rubric, used: Rubric, what: str = "these ratings") -> None:
    """Ratings of one rubric are never read as those of another.

    Raises:
        DataError: the digests differ; names both rubrics.
    """
    if made_under.digest != used.digest:
        raise DataError(
            f"{what} were made under the rubric {made_under.label}, this run uses {used.label}; give the rubric's own "
            "file with --rubric, or write to another folder"
        )


def _make(content: Mapping[str, Any]) -> Rubric:
    levels = sorted(
        (Level(level["value"], level["word"].strip(), level["description"].strip()) for level in content["levels"]),
        key=lambda level: level.value,
    )
    name, aggregation = content["name"], content.get("aggregation", MEAN)
    mean_name = content.get("mean_name") or (ACCURACY if aggregation == ACCURACY else f"mean {name}")
    return Rubric(name, content["task"], tuple(levels), aggregation, mean_name)


def _problems(content: Mapping[str, Any]) -> list[str]:
    """Everything that keeps a file's content from being a rubric."""
    problems = [f"{key}: no such key; {near_names(str(key), _KEYS)}" for key in content if key not in _KEYS]
    name, aggregation = content.get("name"), content.get("aggregation", MEAN)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        problems.append("name: at most 40 small letters, digits and underscores, it becomes part of file names")
    if content.get("task") not in TASKS:
        problems.append(f"task: what it rates, one of {', '.join(TASKS)}")
    if aggregation not in (ACCURACY, MEAN):
        problems.append(f"aggregation: one of {ACCURACY}, {MEAN}")
    if not isinstance(content.get("mean_name", ""), str):
        problems.append("mean_name: a text, what the figure over all texts is called")
    levels = content.get("levels")
    if not isinstance(levels, Sequence) or isinstance(levels, str) or not 2 <= len(levels) <= _MOST_LEVELS:
        return [*problems, f"levels: a list of 2 to {_MOST_LEVELS}, each with {', '.join(_LEVEL_KEYS)}"]
    for place, level in enumerate(levels, 1):
        problems += [f"levels, number {place}: {problem}" for problem in _level_problems(level)]
    values = [level["value"] for level in levels if isinstance(level, dict) and isinstance(level.get("value"), int)]
    if len(set(values)) < len(values):
        problems.append("levels: two have the same value")
    if aggregation == ACCURACY and sorted(values) != [0, 1]:
        problems.append(f"levels: aggregation {ACCURACY} needs the values 0 and 1")
    return problems


def _level_problems(level: Any) -> list[str]:
    if not isinstance(level, dict):
        return [f"it needs {', '.join(_LEVEL_KEYS)}"]
    problems = [f"{key}: no such key; {near_names(str(key), _LEVEL_KEYS)}" for key in level if key not in _LEVEL_KEYS]
    value = level.get("value")
    if type(value) is not int or not 0 <= value <= _GREATEST_VALUE:  # True is an int to isinstance
        problems.append(f"value: a whole number from 0 to {_GREATEST_VALUE}")
    problems += [
        f"{key}: a text that is not empty"
        for key in ("word", "description")
        if not isinstance(level.get(key), str) or not level[key].strip()
    ]
    return problems
