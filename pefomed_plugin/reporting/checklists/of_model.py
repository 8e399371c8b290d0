"""What a run knows of its model, its training and how it was asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..comparison.lineage import training_runs
from ..paper.methods import describe_model, describe_training
from ..paper.notes import trained_parameters
from ..results import Run
from .facts import CONFIG, RECORD, Known, knows, made_here, place_of, section_of


@knows
def _technique(run: Run) -> Iterator[Known]:
    if run.config:
        yield Known(
            "A vision-language model (MiniGPT-v2) is fine-tuned by low-rank adapters (LoRA) after the PeFoMed recipe "
            "and evaluated.",
            CONFIG,
        )


@knows
def _model(run: Run) -> Iterator[Known]:
    if run.config:
        words = run.origins.notice
        yield Known(describe_model(run), CONFIG)
        yield Known(words, RECORD)


@knows
def _model_name(run: Run) -> Iterator[Known]:
    files = run.record.model.files if run.record else {}
    said = ", ".join(
        f"{role} {Path(file.path).name} ({(file.sha256 or 'no digest')[:12]})" for role, file in files.items()
    )
    yield Known(f"Weights: {said}." if said else "", RECORD)


@knows
def _initialised(run: Run) -> Iterator[Known]:
    for training in reversed(training_runs(run)[1]):
        if training.trains:
            start = Path(training.start.path).name if training.start else ""
            begun = f"the checkpoint {start}" if start else "an untrained projection and untrained LoRA"
            yield Known(f"Training began with {begun}; vision encoder and language model are frozen.", CONFIG)


@knows
def _training(run: Run) -> Iterator[Known]:
    for training in reversed(training_runs(run)[1]):
        yield Known(describe_training(training), CONFIG)


@knows
def _no_alignment(run: Run) -> Iterator[Known]:
    if run.config:
        yield Known("Supervised only: no reward model, no preference optimisation.", CONFIG)


@knows
def _selected(run: Run) -> Iterator[Known]:
    section = section_of(run, "run")
    checkpoint = run.record.model.files.get("checkpoint") if run.record else None
    if not section or section.get("evaluate") or checkpoint is None:
        return
    name = Path(checkpoint.path).name
    splits = ", ".join(section.get("valid_splits") or ())
    best = name.startswith("checkpoint_best")
    how = f"the epoch with the lowest loss on {splits}" if best else "the last epoch; none was chosen by its loss"
    yield Known(f"What answered is {how} ({name}).", RECORD)


@knows
def _ensemble(run: Run) -> Iterator[Known]:
    if run.config:
        yield Known("None: one model answers.", CONFIG)


@knows
def _software(run: Run) -> Iterator[Known]:
    record = made_here(run)
    if record:
        named = {"pefomed_plugin": record.plugin["version"], **record.packages}
        yield Known(f"{', '.join(f'{name} {version}' for name, version in named.items())}.", RECORD)


@knows
def _compute(run: Run) -> Iterator[Known]:
    record = made_here(run)
    if not record:
        return
    host = record.host
    gpus = ", ".join(map(str, host.get("gpus") or ())) or "no GPU"
    count = record.processes
    yield Known(f"{count} process{'' if count == 1 else 'es'}, {gpus}, {host.get('cores')} cores.", RECORD)
    trained = trained_parameters(run)
    yield Known(f"{trained:,} numbers are trained." if trained is not None else "", CONFIG)


@knows
def _dates(run: Run) -> Iterator[Known]:
    yield Known(f"Answered on {run.record.written_at[:10]}." if run.record and run.record.written_at else "", RECORD)


@knows
def _inference(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        made = answered.predictions[0].producer
        named = {
            "num_beams": "beams",
            "max_new_tokens": "new tokens at most",
            "precision": "precision",
            "images": "images",
        }
        said = ", ".join(f"{words} {made[key]}" for key, words in named.items() if made.get(key) is not None)
        yield Known(
            f"{answered.key}: {said}; no sampling." if said else "", place_of(run, answered, "predictions.jsonl")
        )


@knows
def _prompts(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        prompt = answered.predictions[0].producer.get("prompt")
        if prompt:  # the question of a data set that needs permission is not repeated
            question = answered.predictions[0].question or ""
            shown = str(prompt).replace(question, "{question}") if question else str(prompt)
            yield Known(f"{answered.key} is asked with: {shown}", place_of(run, answered, "predictions.jsonl"))


@knows
def _prompts_from(run: Run) -> Iterator[Known]:
    sections = [section or {} for section in section_of(run, "datasets").values()]
    if sections and not any(section.get("prompt_template") or section.get("prompt_pool") for section in sections):
        yield Known("Prompts are fixed beforehand (docs/prompts.md); no data were used to choose them.", CONFIG)


@knows
def _no_summary(run: Run) -> Iterator[Known]:
    yield Known("Does not apply: nothing is summarised.", CONFIG)
