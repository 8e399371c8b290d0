"""A paragraph on how the runs were made and what they found, with their own numbers. Computes no score.

Every number is read from a run's configuration, its record or its scores; what is not known is not said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ... import __version__
from ...readers import describe
from ...scoring.intervals import Interval
from ...scoring.spec import GROUPS, RATER, RUN, ScorerSpec
from ...vision_encoders import DEFAULT_ENCODER
from ..comparison.compare import ComparedFigure, make_figure
from ..comparison.lineage import TrainingRun, training_runs
from ..comparison.paper_figures import EXACT_MATCH, GPT4_JUDGE, HUMAN
from ..results import Run
from .cells import METRICS
from .material import TASKS, Material, Place
from .notes import notice_of, trained_parameters
from .plan import DATASETS

_STAGES = {"medical_caption": "Stage 1", "medical_vqa": "Stage 2", "report_generation": "Stage 2"}


def methods_text(material: Material) -> list[str]:
    """Paragraphs, the first of them what makes the figures mean nothing, where anything does."""
    there = [place for place in (material.row(dataset) for dataset in DATASETS) if place.run and place.answered]
    if not there:
        return ["No run of the row with both stages is there yet; nothing can be said of its methods."]
    runs = {place.folder: place.run for place in there if place.run}
    trainings: dict[str, str] = {}
    for run in runs.values():
        for training in reversed(training_runs(run)[1]):
            said = describe_training(training)
            if said:
                trainings[said] = said
    found = [sentence for place in there for sentence in _found(place)]
    absent = [f"{place.dataset} ({place.reason})" for place in map(material.row, DATASETS) if place.answered is None]
    missing = f"Not part of this text: {', '.join(absent)}." if absent else ""
    paragraphs = [
        " ".join(notice_of(there)),
        " ".join(dict.fromkeys(describe_model(run) for run in runs.values())),
        " ".join(trainings) or "How the models were trained is not recorded beside these answers.",
        " ".join(dict.fromkeys(_answering(place) for place in there)),
        " ".join([*found, missing]).strip(),
    ]
    return [paragraph for paragraph in paragraphs if paragraph]


def describe_model(run: Run) -> str:
    model: Mapping[str, Any] = run.config.get("model") or {}
    if not model:
        return f"The configuration of {run.folder.name} is not known."
    trained = trained_parameters(run)
    targets = model.get("lora_target_modules")
    encoder = model.get("vit_model") or DEFAULT_ENCODER
    parts = [
        f"the vision encoder {encoder}" if encoder != DEFAULT_ENCODER else "",
        f"images of {model['image_size']} x {model['image_size']} pixels" if model.get("image_size") else "",
        f"at most {model['max_txt_len']:,} tokens of an answer in training" if model.get("max_txt_len") else "",
        f"LoRA of rank {model['lora_r']}" if model.get("lora_r") else "",
        f"alpha {model['lora_alpha']:g}" if model.get("lora_alpha") else "",
        f"beside {' and '.join(targets)}" if targets else "",
        *_variant(model.get("peft") or {}),
    ]
    numbers = f"; {trained:,} numbers are trained" if trained is not None else ""
    return (
        f"The model is {model.get('arch', 'minigpt_v2')} (pefomed_plugin {_version(run)}) with "
        f"{', '.join(part for part in parts if part)}{numbers}, those of the projection and of LoRA; vision encoder "
        "and language model are frozen."
    )


def _variant(peft: Mapping[str, Any]) -> list[str]:
    """What of LoRA is not plain, in words."""
    words = {"use_rslora": "rank-stabilised scaling", "use_dora": "weight decomposition (DoRA)"}
    found = [text for key, text in words.items() if peft.get(key)]
    begun, whole, ratio = (peft.get(key) for key in ("init_lora_weights", "modules_to_save", "lora_plus_ratio"))
    found += [f"adapters begun with {begun}"] if isinstance(begun, str) else []
    found += [f"{' and '.join(whole)} trained whole"] if whole else []
    found += [f"B learning {ratio:g} times as fast as all else (LoRA+)"] if ratio else []
    patterns = {"rank_pattern": "rank", "alpha_pattern": "alpha"}
    return found + [f"another {word} on {', '.join(peft[key])}" for key, word in patterns.items() if peft.get(key)]


def _version(run: Run) -> str:
    return str((run.record.plugin.get("version") if run.record else None) or __version__)


def describe_training(training: TrainingRun) -> str:
    """One training in a sentence; nothing for what only answers."""
    run: Mapping[str, Any] = training.config.get("run") or {}
    if run.get("evaluate") or run.get("task") not in _STAGES:
        return ""
    record = training.record
    sets = []
    for name, section in (training.config.get("datasets") or {}).items():
        part = record.data.get(name) if record else None
        samples = part.samples.get("train") if part else None
        batch = (section or {}).get("batch_size")
        details = [f"{samples:,} samples" if samples else "", f"batch {batch}" if batch else ""]
        shown = ", ".join(detail for detail in details if detail)
        sets.append(describe(name).title + (f" ({shown})" if shown else ""))
    length = f"{run['iters_per_epoch']:,} iterations" if run.get("iters_per_epoch") else "one pass"
    epochs = run.get("max_epoch")
    rates = [float(run[key]) for key in ("init_lr", "min_lr") if run.get(key) is not None]
    parts = [
        f"for {epochs} epoch{'' if epochs == 1 else 's'} of {length}{'' if epochs == 1 else ' each'}" if epochs else "",
        f"at learning rates from {rates[0]:g} to {rates[1]:g}" if len(rates) == 2 else "",
        f"on {record.processes} process{'' if record.processes == 1 else 'es'}" if record else "",
        f"with seed {run['seed']}" if run.get("seed") is not None else "",
    ]
    stage = _STAGES[run["task"]]
    return f"{stage} was trained on {_listed(sets)} {', '.join(part for part in parts if part)}."


def _answering(place: Place) -> str:
    if place.answered is None:
        return ""
    producer = place.answered.predictions[0].producer
    beams, limit = producer.get("num_beams"), producer.get("max_new_tokens")
    if beams is None and limit is None:
        return f"How the answers to {describe(place.dataset).title} were decoded is not recorded."
    return (
        f"Answers to {describe(place.dataset).title} were decoded with a beam width of {beams} and at most {limit} new "
        f"tokens, in {producer.get('precision') or 'an unknown precision'}."
    )


def _found(place: Place) -> list[str]:
    """What each evaluation found."""
    assert place.answered is not None
    title, n = describe(place.dataset).title, len(place.answered.predictions)
    of = TASKS.get(place.dataset, EXACT_MATCH)
    spec = place.scorer(of)
    sentences = [f"On {title} ({n:,} test {'reports' if of != EXACT_MATCH else 'questions'})"]
    if spec is None:
        sentences[0] += " nothing could be scored without a model."
    elif of == EXACT_MATCH:
        shown = _figure(place, spec, "overall", True)
        sentences[0] += f" {shown} were answered exactly{_kinds(place, spec)}."
    else:
        parts = [f"{name} was {_figure(place, spec, metric, True)}" for metric, name in METRICS.items()]
        sentences[0] += f" {_listed(parts)}."
    for evaluation in (GPT4_JUDGE, HUMAN):
        rating = place.scorer(evaluation)
        if rating is not None:
            sentences.append(_rated(place, rating))
    return sentences


def _rated(place: Place, spec: ScorerSpec) -> str:
    assert place.answered is not None
    judge = place.answered.judges.get(spec.name, {})
    runs = len(place.answered.runs.get(spec.name, ()))
    title = describe(place.dataset).title
    if spec.repeated == RUN:
        who = f"{spec.name.split('/', 2)[-1]}, asked {runs} time{'' if runs == 1 else 's'},"
    else:
        who = "1 person" if runs == 1 else f"{runs} people"
    scope = f" ({judge['scope']})" if spec.repeated == RATER and judge.get("scope") else ""
    if spec.levels:
        shown = _figure(place, spec, spec.columns[-1], True)
        return f"The reports of {title} were rated{scope} by {who} with a mean of {shown}."
    how = "Judged" if spec.repeated == RUN else "Rated"
    return f"{how}{scope} by {who} {_figure(place, spec, 'overall', True)} of {title} were right{_kinds(place, spec)}."


def _kinds(place: Place, spec: ScorerSpec) -> str:
    parts = [f"{_figure(place, spec, kind)} of the {kind} ones" for kind in GROUPS if kind != "overall"]
    return f" ({' and '.join(parts)})"


def _figure(place: Place, spec: ScorerSpec, name: str, interval: bool = False) -> str:
    assert place.answered is not None
    column = spec.column(name)
    found: ComparedFigure = make_figure(place.answered, spec, column, None)
    if found.value is None:
        return "not scored"
    unit = " %" if column.unit == "%" else ""
    spread = f" \u00b1 {found.sd:.{column.digits}f}" if found.sd is not None else ""
    ends = _interval(found.interval, column.digits) if interval else ""
    return f"{found.value:.{column.digits}f}{spread}{unit}{ends}"


def _interval(ends: Interval, digits: int) -> str:
    if ends.low is None or ends.high is None:
        return ""
    return f" (95 % interval {ends.low:.{digits}f} to {ends.high:.{digits}f})"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
