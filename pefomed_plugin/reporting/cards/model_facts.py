"""What is known of trained weights, for their card: the run, its data, the runs before it, its figures.

Reads configurations, manifests and metrics that lie near; opens no weights and no data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...digests import file_sha256
from ...families import DEFAULT_FAMILY, LanguageModelFamily, Licence
from ...origins import GENERATED, REAL, Origins, manifest_origin, read_origins
from ...readers import DatasetSpec, describe
from ...readers.prepared import MANIFEST, is_prepared, read_manifest
from ...readers.textfiles import read_json_lines, read_json_object
from ...requirements import installed_version
from ...scoring.metrics_file import METRICS, PREDICTIONS, read_metrics
from ...vision_encoders import VIT_G, VisionEncoder
from ..comparison.lineage import TrainingRun, training_runs
from ..results import Run

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
    origin: str | None = None
    """``origins.GENERATED`` or ``REAL``; None where it is not known, and the terms of a real one are told."""
    earlier: bool = False
    """In a run before, whose checkpoint this one started from."""


@dataclass(frozen=True)
class ModelFacts:
    """What a model card is written from; what is not known stays empty and the card says so."""

    name: str
    form: str = "checkpoint"
    """``checkpoint``, ``adapter``, ``merged``, ``transformers`` or ``transformers_adapter``."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Of the run: ``model``, ``datasets``, ``run``."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """``pefomed`` of the checkpoint, and the epoch."""
    trained_on: Sequence[TrainedOn] = ()
    whole_history: bool = False
    """Whether ``trained_on`` goes back to the released MiniGPT-v2."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """``results`` of ``metrics.json``: test set -> its metrics."""
    family: LanguageModelFamily = DEFAULT_FAMILY
    """Of the language model it was trained on."""
    encoder: VisionEncoder = VIT_G
    """The vision encoder it was trained with."""
    language_folder: Path | None = None
    """Of the language model's weights, where it is here: its licence file counts."""
    base_model: str | None = None
    """The language model's name on the Hugging Face hub."""
    weights: str = ""
    """Name of the checkpoint, where it is one."""
    files: Mapping[str, str] = field(default_factory=dict)
    """File -> description."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package -> version, where the card is written: of the training, if that is when."""
    notes: Sequence[str] = ()
    """Further sentences: where alpha was taken from, what was left out."""

    @property
    def origins(self) -> Origins:
        """Of the model and of all its training data; a data set counts as real where any part of it was."""
        data = {part.dataset: part.origin for part in self.trained_on if part.origin == GENERATED}
        data.update({part.dataset: part.origin for part in self.trained_on if part.origin == REAL})
        return Origins(data, read_origins(self.training).model)

    @property
    def language_licence(self) -> Licence:
        """Of the language model."""
        return self.family.licence_of(self.language_folder)

    def sources(self) -> list[DatasetSpec]:
        """The releases behind the training data, each once; none behind generated data."""
        parts = [part for part in self.trained_on if part.origin != GENERATED]
        return [describe(name) for name in dict.fromkeys(part.dataset for part in parts)]

    def terms(self) -> list[str]:
        """What the training data forbid to do with them or with the model, one sentence per release."""
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
    whole, runs = training_runs(Run(folder.name, folder, config))
    own, counts = read_origins(training).data, training.get("samples") or {}
    trained_on: list[TrainedOn] = []
    for number, run in enumerate(runs):
        for name in run.config.get("datasets") or {}:
            found = _trained_on(name, run, earlier=number > 0)
            if number == 0:
                samples = (counts.get(name) or {}).get("train")
                found = replace(
                    found,
                    origin=own.get(name, found.origin),
                    samples=found.samples if samples is None else samples,
                )
            trained_on.append(found)
    return ModelFacts(
        **{
            "name": folder.resolve().name,
            "config": config,
            "training": training,
            "trained_on": trained_on,
            "whole_history": whole,
            "figures": _figures(folder, weights),
            "weights": weights.name if weights is not None else "",
            "versions": _versions(),
            **given,
        }
    )


def _figures(folder: Path, weights: Path | None) -> dict[str, Any]:
    """Metrics by test set, without those that the answers' own record says are of other weights.

    The run's own ``metrics.json`` is of its end; what was scored since, and floors, stand beside the answers.
    """
    metrics = folder / METRICS
    found: dict[str, Any] = {}
    kinds = {"results": "Mapping[str, Mapping] | None"}
    if metrics.is_file():
        found.update(read_json_object(metrics, kinds, what="a metrics file").get("results") or {})
    found.update({path.parent.name: read_metrics(path) for path in sorted(folder.glob(f"results/*/{METRICS}"))})
    own = file_sha256(weights) if weights is not None and weights.is_file() else None
    return {key: figures for key, figures in found.items() if own is None or _answered_by(folder, key) in (None, own)}


def _answered_by(folder: Path, test_set: str) -> str | None:
    """Digest of the checkpoint that answered a test set; None where the answers do not say."""
    answers = folder / "results" / test_set / PREDICTIONS
    first = next(iter(read_json_lines(answers)), None) if answers.is_file() else None
    producer = first[1].get("producer") if first and isinstance(first[1], dict) else None
    return producer.get("checkpoint_sha256") if isinstance(producer, dict) else None


def _trained_on(name: str, run: TrainingRun, *, earlier: bool) -> TrainedOn:
    """A data set of a run, by the run's record and by the manifest that lies where it was read from."""
    options = (run.config["datasets"][name] or {}).get("options") or {}
    part = run.record.data.get(name) if run.record else None
    samples, origin = (part.samples.get("train"), part.origin) if part else (None, None)
    folder = Path(part.storage) if part and part.storage else _storage(run.config, name)
    if folder is None or not is_prepared(folder):
        return TrainedOn(name, samples, options, origin=origin, earlier=earlier)
    manifest = read_manifest(folder)
    return TrainedOn(
        name,
        manifest["kept"].get("train") if samples is None else samples,
        manifest.get("options") or options,
        manifest["layout"],
        file_sha256(folder / MANIFEST),
        origin or manifest_origin(manifest),
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
