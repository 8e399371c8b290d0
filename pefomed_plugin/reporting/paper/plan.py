"""What ``pefomed paper`` is written from: a YAML that names the runs of a study. Reads no run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...config.given import SHIPPED, shipped_files
from ...errors import ConfigError, near_names, one_line
from ..comparison.paper_figures import BOTH, NONE, STAGE_1, STAGE_2, Stages

PLAN = "projects/pefomed/paper.yaml"
"""The shipped one: where ``projects/pefomed/ablation.py`` writes."""
ROWS: Mapping[str, Stages] = {"none": NONE, "stage 1": STAGE_1, "stage 2": STAGE_2, "both": BOTH}
"""Rows of the paper's ablation, by the names that the plan gives them."""
DATASETS = ("vqa_rad", "slake", "path_vqa", "iu_xray")
"""The paper's, in its order."""
_KEYS = ("runs", "models", "judge")
_MODEL_KEYS = ("kind", "trained", "answers")


@dataclass(frozen=True)
class PlannedModel:
    """A model beside ours, for tables 2 and 5: answers that were imported, or given through an API."""

    name: str
    kind: str
    """As the column shows it: ``LLM, imported``."""
    answers: Mapping[str, Path] = field(default_factory=dict)
    """Data set -> folder with ``predictions.jsonl``."""
    trained: str = ""
    """Trained parameters, in words."""


@dataclass(frozen=True)
class PaperPlan:
    """The runs of a study."""

    path: Path
    """Where it was read from."""
    runs: Mapping[str, Mapping[str, Path]]
    """Data set -> name of ``ROWS`` -> ``output_dir`` of an evaluation, which need not be there yet."""
    models: tuple[PlannedModel, ...] = ()
    judge: str = ""
    """Model whose verdicts stand where the paper has GPT-4's; empty: the only one there is."""


def read_plan(path: Path) -> PaperPlan:
    """A plan; a shipped one by its name from anywhere.

    Raises:
        ConfigError: it is missing, no YAML, or says what no plan says; all mistakes in one message.
    """
    import yaml  # late: heavy

    place = path if path.is_file() else SHIPPED / path
    if not place.is_file():
        there = [name for name in shipped_files() if name.endswith("paper.yaml")]
        raise ConfigError(f"no plan {path}; shipped are {', '.join(there) or 'none'} (docs/reproducing.md)")
    try:
        content = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {one_line(error)}") from error
    problems: list[str] = []
    content = _section(content, _KEYS, "", problems)
    given = _section(content.get("runs"), (*DATASETS, *ROWS), "runs", problems)
    of_all = _folders({name: folder for name, folder in given.items() if name in ROWS}, "runs", problems)
    runs = {name: dict(of_all) for name in DATASETS if of_all}
    for name, folders in given.items():
        if name in DATASETS:
            rows = _section(folders, tuple(ROWS), f"runs.{name}", problems)
            runs.setdefault(name, {}).update(_folders(rows, f"runs.{name}", problems))
    models = tuple(
        _model(str(name), given, problems)
        for name, given in _section(content.get("models"), None, "models", problems).items()
    )
    judge = content.get("judge") or ""
    if not isinstance(judge, str):
        problems.append(f"judge: {judge!r} is not the name of a model")
    if not runs and not problems:
        problems.append("runs: names no run; give row -> folder, or data set -> row -> folder")
    if problems:
        raise ConfigError(f"{path} has {len(problems)} mistake(s)", problems)
    return PaperPlan(path, runs, models, str(judge))


def _section(content: Any, known: tuple[str, ...] | None, name: str, problems: list[str]) -> dict[str, Any]:
    """A mapping with keys that are known; nothing where it is left empty."""
    if content is None:
        return {}
    if not isinstance(content, dict):
        problems.append(f"{name or 'the file'}: expected a section, found {content!r}")
        return {}
    dot = f"{name}." if name else ""
    problems += [
        f"{dot}{key}: no such key; {near_names(str(key), known)}" for key in content if known and key not in known
    ]
    return {str(key): value for key, value in content.items() if not known or key in known}


def _folders(given: Mapping[str, Any], name: str, problems: list[str]) -> dict[str, Path]:
    """Folders as they are written; a row that is left empty is one without a run."""
    problems += [
        f"{name}.{key}: {value!r} is not a folder"
        for key, value in given.items()
        if not isinstance(value, (str, type(None)))
    ]
    return {key: Path(value) for key, value in given.items() if isinstance(value, str) and value}


def _model(name: str, given: Any, problems: list[str]) -> PlannedModel:
    found = _section(given, _MODEL_KEYS, f"models.{name}", problems)
    folders = _section(found.get("answers"), DATASETS, f"models.{name}.answers", problems)
    if not folders:
        problems.append(f"models.{name}: no answers; give data set -> folder with predictions.jsonl")
    return PlannedModel(
        name,
        str(found.get("kind") or "LLM"),
        _folders(folders, f"models.{name}.answers", problems),
        str(found.get("trained") or ""),
    )
