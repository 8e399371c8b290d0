"""What is known of trained weights, for their card: the run, its data, the runs before it, its figures.

Reads configurations, manifests and metrics that lie near; opens no weights and no data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...digests import file_sha256
from ...readers import DatasetSpec, describe
from ...readers.prepared import MANIFEST, is_prepared, read_manifest
from ...readers.textfiles import read_json, read_json_lines
from ...requirements import installed_version
from ..comparison.lineage import training_configs
from ..results import PREDICTIONS, Run

_PACKAGES = ("torch", "transformers", "peft", "accelerate")


@dataclass(frozen=True)
class TrainedOn:
    """The training part of one data set."""

    dataset: str
    """Registry name."""
    samples: int | None = None
    """In its train split, where known."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The reader's."""
    layout: str = ""
    """In which form the release was found, where it was prepared."""
    manifest_sha256: str = ""
    """Of the prepared folder's manifest, where it was prepared."""
    earlier: bool = False
    """In a run before, whose checkpoint this one started from."""


@dataclass(frozen=True)
class ModelFacts:
    """What a model card is written from; what is not known stays empty and the card says so."""

    name: str
    form: str = "checkpoint"
    """``checkpoint``, ``adapter`` or ``merged``."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Of the run: ``model``, ``datasets``, ``run``."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """``pefomed`` of the checkpoint, and the epoch."""
    trained_on: Sequence[TrainedOn] = ()
    whole_history: bool = False
    """Whether ``trained_on`` goes back to the released MiniGPT-v2."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """``results`` of ``metrics.json``: test set -> its metrics."""
    base_model: str | None = None
    """The LLaMA's name on the Hugging Face hub."""
    files: Mapping[str, str] = field(default_factory=dict)
    """File -> what it is."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package -> version, where the card is written: of the training, if that is when."""
    notes: Sequence[str] = ()
    """Further sentences: where alpha was taken from, what was left out."""

    @property
    def embedded(self) -> bool:
        """Whether generated sample data or the tiny model took part."""
        return bool(self.training.get("embedded") or (self.config.get("run") or {}).get("embedded"))

    def sources(self) -> list[DatasetSpec]:
        """The releases behind the training data, each once; none behind generated ones."""
        names = () if self.embedded else dict.fromkeys(each.dataset for each in self.trained_on)
        return [describe(name) for name in names]

    def terms(self) -> list[str]:
        """What the training data forbid to do with them or with the model, one sentence a release."""
        return [f"{source.title}: {source.passing_on}" for source in self.sources() if source.passing_on]


def gather_facts(
    folder: Path, config: Mapping[str, Any], training: Mapping[str, Any], weights: Path | None = None, **given: Any
) -> ModelFacts:
    """Facts of a run from its configuration and from what lies near.

    Args:
        folder: the run's; its ``metrics.json`` holds the figures, and gives the card its name.
        config: of the run; references to the environment may be unresolved.
        training: ``pefomed`` of its checkpoint; ``samples`` (data set -> split -> count) is used where it is there.
        weights: the file; figures of a test set that other weights answered are then left out.
        given: other fields of ``ModelFacts``.

    Raises:
        DataError: a manifest or ``metrics.json`` is damaged.
    """
    folder = Path(folder)
    embedded = bool(training.get("embedded") or (config.get("run") or {}).get("embedded"))
    whole, configs = training_configs(Run(folder.name, folder, config, embedded))
    counts = training.get("samples") or {}
    trained_on = [
        _trained_on(
            name, each, (counts.get(name) or {}).get("train") if each is config else None, earlier=each is not config
        )
        for each in configs
        for name in each.get("datasets") or {}
    ]
    return ModelFacts(
        **{
            "name": folder.resolve().name,
            "config": config,
            "training": training,
            "trained_on": trained_on,
            "whole_history": whole,
            "figures": _figures(folder, weights),
            "versions": _versions(),
            **given,
        }
    )


def _figures(folder: Path, weights: Path | None) -> dict[str, Any]:
    """Metrics by test set, without those that the answers' own record says are of other weights."""
    metrics = folder / "metrics.json"
    if not metrics.is_file():
        return {}
    own = file_sha256(weights) if weights is not None and weights.is_file() else None
    found = {}
    for key, each in (read_json(metrics).get("results") or {}).items():
        answers = folder / "results" / key / PREDICTIONS
        first = next(iter(read_json_lines(answers)), None) if answers.is_file() else None
        answered_by = ((first[1].get("producer") or {}).get("checkpoint_sha256")) if first else None
        if own is None or answered_by in (None, own):
            found[key] = each
    return found


def _trained_on(name: str, config: Mapping[str, Any], samples: int | None, *, earlier: bool) -> TrainedOn:
    section = config["datasets"][name] or {}
    folder = _storage(config, name)
    options = section.get("options") or {}
    if folder is None or not is_prepared(folder):
        return TrainedOn(name, samples, options, earlier=earlier)
    manifest = read_manifest(folder)
    return TrainedOn(
        name,
        manifest["kept"].get("train") if samples is None else samples,
        manifest.get("options") or options,
        manifest["layout"],
        file_sha256(folder / MANIFEST),
        earlier,
    )


def _storage(config: Mapping[str, Any], name: str) -> Path | None:
    """Folder of a data set; None where the configuration's references lead nowhere on this machine."""
    from omegaconf import OmegaConf  # late: heavy
    from omegaconf.errors import OmegaConfBaseException  # late: heavy

    try:
        storage = OmegaConf.select(OmegaConf.create(dict(config)), f"datasets.{name}.build_info.storage")
    except OmegaConfBaseException:
        return None
    return Path(storage) if isinstance(storage, str) else None


def _versions() -> dict[str, str]:
    versions = {name: installed_version(name) for name in _PACKAGES}
    return {name: version for name, version in versions.items() if version}
