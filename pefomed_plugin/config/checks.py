"""What cannot be told from one section by itself: names that nothing is registered under, and places that must not be
written to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..errors import PefomedError, ToolkitError, near_names
from ..readers import DATASETS
from .datasets import DatasetConfig
from .model import ModelConfig
from .run import RunConfig

_CHECKOUTS_RUNNER = "runner_base"
"""Whether its checkout is there is told when the toolkit is chosen."""
PACKAGE = Path(__file__).resolve().parents[1]


class KnownClasses(Protocol):
    """What is asked of a toolkit's registry."""

    def get_model_class(self, name: str) -> Any:
        """Class of that name; None or an error where there is none."""

    def get_builder_class(self, name: str) -> Any:
        """Builder class of a data set; None or an error where there is none."""

    def list_models(self) -> list[str]:
        """Known names; likewise the others."""

    def list_datasets(self) -> list[str]: ...

    def list_tasks(self) -> list[str]: ...

    def list_runners(self) -> list[str]: ...

    def list_lr_schedulers(self) -> list[str]: ...

    def list_processors(self) -> list[str]: ...


def look_up(get: Any, name: Any) -> Any:
    """A class of the registry; None where there is none of that name."""
    try:
        return get(name) if isinstance(name, str) else None
    except ToolkitError:
        return None  # a checkout's registry returns None, ours raises


def default_path(cls: Any, kind: Any) -> str:
    """File of the defaults of a registered class; empty where it has none of that ``kind``."""
    try:
        return str(cls.default_config_path(kind) or "") if cls is not None and isinstance(kind, str) else ""
    except (ToolkitError, AssertionError, KeyError):
        return ""  # ours says so itself, a checkout asserts


def kind_problems(cls: Any, kind: Any, key: str) -> list[str]:
    """What is wrong with ``model_type`` or ``type``, of which there is a file of defaults each."""
    try:
        cls.default_config_path(kind)
    except ToolkitError as error:
        return [f"{key}: {error}"]
    except (AssertionError, KeyError):
        return [f"{key}: there is no {kind!r}"]
    return []


def name_problems(run: RunConfig | None, datasets: Mapping[str, Any], registry: KnownClasses) -> list[str]:
    """Names of the run and of processors that nothing is registered under, and options that no reader has."""
    found = []
    if run is not None:
        for key, value, known in (
            ("run.task", run.task, registry.list_tasks()),
            ("run.runner", run.runner, [*registry.list_runners(), _CHECKOUTS_RUNNER]),
            ("run.lr_sched", run.lr_sched, registry.list_lr_schedulers()),
        ):
            found += _unknown(key, value, known)
    for name, section in datasets.items():
        if section is None:
            continue
        for kind in ("vis_processor", "text_processor"):
            for phase in ("train", "eval"):
                given = getattr(getattr(section, kind), phase)["name"]
                found += _unknown(f"datasets.{name}.{kind}.{phase}.name", given, registry.list_processors())
        found += _option_problems(name, section)
    return found


def _unknown(key: str, value: str, known: Sequence[str]) -> list[str]:
    return [] if value in known else [f"{key}: nothing is registered as {value!r}; {near_names(value, known)}"]


def _option_problems(name: str, section: DatasetConfig) -> list[str]:
    try:
        if name in DATASETS:
            DATASETS[name].complete_options(section.options)
    except PefomedError as error:
        return [f"datasets.{name}.options: {problem}" for problem in error.problems or (error.summary,)]
    return []


def size_problems(model: ModelConfig, datasets: Mapping[str, DatasetConfig]) -> list[str]:
    """Images that are made in another size than the model takes."""
    return [
        f"datasets.{name}.vis_processor.{phase}.image_size: {given['image_size']}, but model.image_size is "
        f"{model.image_size}; leave it out"
        for name, section in datasets.items()
        for phase, given in (("train", section.vis_processor.train), ("eval", section.vis_processor.eval))
        if isinstance(given.get("image_size"), int) and given["image_size"] != model.image_size
    ]


def place_problems(model: ModelConfig, datasets: Mapping[str, DatasetConfig], run: RunConfig) -> list[str]:
    """Folders that a run must not write to, rename or fill: each is used by itself, or holds what is read."""
    found = [
        f"{key}: {value!r} begins with ~, which only a shell expands; write the whole path"
        for key, value in (("run.output_dir", run.output_dir), ("run.cache_dir", run.cache_dir))
        if value and value.startswith("~")
    ]
    out = Path(os.path.realpath(run.output_dir))
    for what, folder in _not_to_be_written(model, datasets):
        place = Path(os.path.realpath(folder))
        if out == place or out in place.parents:
            found.append(
                f"run.output_dir: {run.output_dir} is {'' if out == place else 'above '}{what}; a run has a folder of "
                "its own, which is renamed when the next one begins"
            )
            break
    return found


def _not_to_be_written(model: ModelConfig, datasets: Mapping[str, DatasetConfig]) -> Iterator[tuple[str, str]]:
    yield "the root of the file system", os.path.abspath(os.sep)
    yield "the home folder", os.path.expanduser("~")
    yield "the folder that the command runs in", os.getcwd()
    yield "the folder of this package", str(PACKAGE)
    yield from _given("the folder of the language model", [model.llama_model])
    vit = model.vit_weights
    folder = vit if vit and os.path.isdir(vit) else vit and os.path.dirname(vit)
    yield from _given("the folder of the vision encoder", [folder])
    for name, section in datasets.items():
        yield from _given(f"the folder of {name}", [section.build_info.storage, section.build_info.images])


def _given(what: str, folders: Iterable[str | None]) -> Iterator[tuple[str, str]]:
    yield from ((what, folder) for folder in folders if folder and ":" not in folder)  # not a server or a command
