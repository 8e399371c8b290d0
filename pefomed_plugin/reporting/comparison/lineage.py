"""Which training led to a run, and where it departs from the paper. Looks at no weights.

A run's stages are those it trained itself and those of the run whose checkpoint it started from, and so on back: the
run's record names that checkpoint and its digest, beside it lie ``config.yaml`` and ``provenance.json``. A run without
a record is followed by its configuration alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...provenance import RunRecord, WeightsFile, read_training_record
from ...readers import DATASETS, describe
from ...vision_encoders import DEFAULT_ENCODER
from ..results import Answered, Run, read_config
from .paper_figures import BOTH, NONE, STAGE_1, STAGE_2, Stages

STAGE_NAMES: dict[str, Stages] = {
    "none": NONE,
    "no fine-tuning": NONE,
    "stage 1": STAGE_1,
    "stage1": STAGE_1,
    "stage 2": STAGE_2,
    "stage2": STAGE_2,
    "both": BOTH,
    "both stages": BOTH,
}
"""Words a label may begin with to say the stages itself, for runs whose configuration cannot tell."""

_TRAINED_BY = {"medical_caption": STAGE_1, "medical_vqa": STAGE_2, "report_generation": STAGE_2}
_RATES = {STAGE_1: {"init_lr": 1e-4, "min_lr": 8e-5}, STAGE_2: {"init_lr": 3e-5, "min_lr": 1e-5, "max_epoch": 50}}
"""Section 4.2. The number of epochs of stage 1 is cut off in the text we have."""
_MODEL = {"image_size": 448, "max_txt_len": 1024, "lora_r": 64}
_TARGETS = ["q_proj", "v_proj"]
_TRAINING_RUNS_FOLLOWED = 10


def stages_of(run: Run) -> Stages | None:
    """Which stages the run's model went through; None when neither label nor configuration can tell."""
    label = run.name.strip().lower()
    for words in sorted(STAGE_NAMES, key=len, reverse=True):
        if label == words or label.startswith((words + ",", words + " (", words + ":")):
            return STAGE_NAMES[words]
    found, runs = training_runs(run)
    trained = [_TRAINED_BY[before.config["run"]["task"]] for before in runs if _trains(before.config)]
    stages = (any(first for first, _ in trained), any(second for _, second in trained))
    return stages if found or all(stages) else None


def deviations(run: Run, answered: Answered) -> list[str]:
    """Where the run departs from the paper, in a few words each, the gravest first; from what the run itself says."""
    words = run.origins.of(answered.predictions[0].dataset).words
    found = [words] if words else []
    producer = answered.predictions[0].producer
    images = producer.get("images", _section(run.config, "run").get("images", "own"))
    found += [f"images {images}"] if images != "own" else []
    found += _test_set(answered)
    beams = producer.get("num_beams", _section(run.config, "run").get("num_beams", 1))
    found += [f"{beams} beams"] if beams != 1 else []
    if not run.config:
        return [*found, "no config.yaml: training unknown"]
    model = _section(run.config, "model")
    found += [f"{key} {model[key]}" for key, value in _MODEL.items() if model.get(key, value) != value]
    encoder = model.get("vit_model") or DEFAULT_ENCODER
    found += [] if encoder == DEFAULT_ENCODER else [f"vision encoder {encoder}"]
    targets = sorted(model.get("lora_target_modules") or _TARGETS)
    found += [] if targets == _TARGETS else [f"LoRA on {', '.join(targets)}"]
    found += [f"{key} {_listed(value)}" for key, value in _section(model, "peft").items() if value not in (None, False)]
    given, usual = _dataset(run, answered).get("options") or {}, describe(answered.predictions[0].dataset).defaults
    found += [f"reader option {key}={value}" for key, value in given.items() if usual.get(key) != value]
    found += [f"{key} of its own" for key in ("prompt_template", "prompt_pool") if _dataset(run, answered).get(key)]
    if _dataset(run, answered).get("missing_images") == "skip":
        found.append("questions without an image left out")
    limit = _section(run.config, "run").get("max_new_tokens")
    found += [f"at most {limit} new tokens"] if limit else []
    for before in training_runs(run)[1]:
        found += _training(before.config)
    return list(dict.fromkeys([*found, *_text_processors(run, answered)]))


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _test_set(answered: Answered) -> list[str]:
    first, n = answered.predictions[0], len(answered.predictions)
    size = describe(first.dataset).splits.get("test")
    found = [f"split {first.split}"] if first.split != "test" else []
    if size is not None and n != size:
        found.append(f"{n:,} samples, paper {size:,}")
    return found


def _training(config: Mapping[str, Any]) -> list[str]:
    if not _trains(config):
        return []
    run = _section(config, "run")
    stage = _TRAINED_BY[run["task"]]
    which = f"stage {1 if stage == STAGE_1 else 2}"
    found = []
    for key, value in _RATES[stage].items():
        if run.get(key) is not None and float(run[key]) != value:
            found.append(f"{which}: {key} {float(run[key]):g}, paper {value:g}")
    if stage == STAGE_2 and run.get("iters_per_epoch"):
        found.append(f"{which}: epochs of {run['iters_per_epoch']} iterations")
    sections = {name: section for name, section in _section(config, "datasets").items() if isinstance(section, dict)}
    limits = {
        name: section["limit"]["train"]
        for name, section in sections.items()
        if (section.get("limit") or {}).get("train")
    }
    found += [f"{which}: {name} limited to {limit:,} samples" for name, limit in limits.items()]
    passes = {name: section.get("passes") for name, section in sections.items()}  # "${run.max_epoch}" was told above
    found += [
        f"{which}: {value:g} passes over {name}, paper {_RATES[STAGE_2]['max_epoch']:g}"
        for name, value in passes.items()
        if stage == STAGE_2 and isinstance(value, (int, float)) and value != _RATES[STAGE_2]["max_epoch"]
    ]
    wanted = {spec.name for spec in DATASETS.own.values() if spec.stage == 1}
    if stage == STAGE_1 and not wanted <= set(_section(config, "datasets")):
        found.append(f"stage 1: without {', '.join(sorted(wanted - set(_section(config, 'datasets'))))}")
    return found


def _text_processors(run: Run, answered: Answered) -> list[str]:
    """The paper's own code lower-cases and cuts text (``blip_caption``); whatever does not, departs from it."""
    processors = _dataset(run, answered).get("text_processor") or {}
    names = sorted(
        {processor["name"] for processor in processors.values() if isinstance(processor, dict) and "name" in processor}
    )
    return [f"text processor {name}" for name in names if name != "blip_caption"]


@dataclass(frozen=True)
class TrainingRun:
    """One run on the way from the base model to an answer."""

    config: Mapping[str, Any]
    record: RunRecord | None
    """What it recorded; None for runs of which only the configuration is there."""

    @property
    def trains(self) -> bool:
        """Whether it trained, and did not answer alone."""
        return _trains(self.config)

    @property
    def start(self) -> WeightsFile | None:
        """What it began with: as it recorded, else as it was configured."""
        return _recorded_start(self.record) or _configured_start(self.config, self.record)


def training_runs(run: Run) -> tuple[bool, list[TrainingRun]]:
    """The run and those before it, back to the base model, and whether the way back was followed to its end."""
    record = read_training_record(run.folder) if _trains(run.config) else run.record
    start = _recorded_start(record) or (None if _trains(run.config) else _answering(run))
    start = start or _configured_start(run.config, record)
    found = [TrainingRun(run.config, record)] if run.config else []
    for _ in range(_TRAINING_RUNS_FOLLOWED):
        if start is None:
            return False, found
        if _is_base(start.path):
            return True, found
        folder = _training_folder(start)
        config = read_config(folder) if folder else {}
        if folder is None or not config:
            return False, found
        record = read_training_record(folder)
        found.append(TrainingRun(config, record))
        start = found[-1].start
    return False, found


def _recorded_start(record: RunRecord | None) -> WeightsFile | None:
    return record.model.files.get("checkpoint") if record else None


def _configured_start(config: Mapping[str, Any], record: RunRecord | None) -> WeightsFile | None:
    value = _section(config, "model").get("ckpt")
    if value == "${oc.env:PEFOMED_CKPT}":
        value = (record.variables if record else os.environ).get("PEFOMED_CKPT")
    return WeightsFile(str(value), None) if value else None


def _answering(run: Run) -> WeightsFile | None:
    """The checkpoint that answered, as the answers say."""
    producers = [answered.predictions[0].producer for answered in run.answered.values()]
    producer = next((producer for producer in producers if producer.get("checkpoint")), None)
    return WeightsFile(str(producer["checkpoint"]), producer.get("checkpoint_sha256")) if producer else None


def _training_folder(weights: WeightsFile) -> Path | None:
    """Folder of the run that wrote a checkpoint; None where another checkpoint has taken its place.

    A run that was set aside since (``stage1.1``) is found by the digest.
    """
    place = Path(weights.path)
    beside = Path(str(place) + ".sha256")
    if weights.sha256 is None:
        return place.parent
    for folder in (place.parent, *sorted(place.parent.parent.glob(place.parent.name + ".*"))):
        if any(_digest_in(path) == weights.sha256 for path in folder.glob("*.sha256")):
            return folder
    return None if beside.is_file() else place.parent


def _digest_in(path: Path) -> str:
    return (path.read_text(encoding="utf-8").split() or [""])[0]


def _is_base(checkpoint: str) -> bool:
    return Path(checkpoint).name.startswith(("minigptv2", "checkpoint_stage"))  # names that upstream gives its weights


def _trains(config: Mapping[str, Any]) -> bool:
    run = _section(config, "run")
    return not run.get("evaluate", False) and run.get("task") in _TRAINED_BY


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, dict) else {}


def _dataset(run: Run, answered: Answered) -> Mapping[str, Any]:
    return _section(_section(run.config, "datasets"), answered.predictions[0].dataset)
