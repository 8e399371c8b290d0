"""Answers for a whole split: every rank answers its share; the first rank merges, scores and writes them.

Answers are appended as they come, so a run that is killed and started again with ``run.resume: auto`` continues where
it stopped, with any number of ranks; answers of other weights or settings are set aside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..config.run import RunConfig
from ..errors import ConfigError, bullets, naming
from ..json_text import as_json
from ..prompts import DEFAULT_STYLE
from ..records import CONFIDENCE, Prediction
from ..scoring.metrics_file import set_stale_aside, update_metrics
from ..scoring.reliance import SECTION, VARIANTS, VERSION, measure_reliance
from ..services.console import progress, say
from ..storage import drop_half_line, line_of, merge_ranks, read_predictions, set_aside, write_records
from .answering import Answerer, group_for_answering
from .data.datasets import MedicalDataset
from .data.image_cache import show_ready_made
from .training.arithmetic import sum_over_ranks

FINISHED = "predictions.jsonl"
_PARTS = "answers.rank*.jsonl"


def evaluate_split(
    accelerator: Any,
    task: Any,
    model: Any,
    dataset: MedicalDataset,
    options: RunConfig,
    folder: Path,
    producer: Mapping[str, Any],
    training: Sequence[MedicalDataset] = (),
) -> dict[str, Any] | None:
    """Answer every sample of ``dataset`` and score the answers; ``training`` as of ``Answerer``.

    Writes ``predictions.jsonl``, ``scores/<scorer>.jsonl`` and ``metrics.json`` into ``folder``; with
    ``run.reliance`` also the answers about other images, into ``reliance/<what is shown>`` there. These are not scored:
    a judge would be asked, and paid, four times.

    Returns:
        The metrics, on the first rank; None on the others.

    Raises:
        DataError: the ranks' answers do not cover the split.
    """
    split = _Split(accelerator, task, model, dataset, training)
    merged, drafts = split.answer(options, folder, producer)
    metrics = None
    if accelerator.is_main_process:
        metrics = task.score_answers(merged, folder, options)
        metrics = metrics if drafts is None else update_metrics(merged, folder, {"drafts": drafts})
    if not options.reliance:
        return metrics
    for variant in VARIANTS:
        say(f"{dataset.name}: asked again, shown {VARIANTS[variant]}")
        shown, place = replace(options, images=variant, reliance=False), folder / SECTION / variant
        split.answer(shown, place, {**producer, "images": variant})
    dataset.show_images(options.images, options.seed)
    return write_reliance(folder) if accelerator.is_main_process else None


def write_reliance(folder: Path) -> dict[str, Any]:
    """Measure what the answers of a folder rest on, from those in ``reliance/`` there; the metrics as written.

    Raises:
        DataError: answers are missing or about other questions.
    """
    own = read_predictions(folder / FINISHED)
    variants = {variant: read_predictions(folder / SECTION / variant / FINISHED) for variant in VARIANTS}
    found = {"version": VERSION, "figures": measure_reliance(own, variants)}
    return update_metrics(own, folder, {SECTION: found})


@dataclass(frozen=True)
class _Split:
    """A split and who answers it, as often as it is asked."""

    accelerator: Any
    task: Any
    model: Any
    dataset: MedicalDataset
    training: Sequence[MedicalDataset]

    def answer(
        self, options: RunConfig, folder: Path, producer: Mapping[str, Any]
    ) -> tuple[list[Prediction], dict[str, float] | None]:
        """All answers, on the first rank, and what drafts brought to them."""
        accelerator, dataset = self.accelerator, self.dataset
        dataset.show_images(options.images, options.seed)
        show_ready_made(accelerator, self.model, [dataset], options)
        if accelerator.is_main_process:
            clear_the_way(folder, producer)
        accelerator.wait_for_everyone()
        answered = answered_ids(folder)
        accelerator.wait_for_everyone()
        answerer = Answerer(accelerator, self.task, self.model, dataset, options, self.training)
        _answer_share(answerer, folder, producer, answered)
        accelerator.wait_for_everyone()
        drafts = _drafts_brought(answerer) if options.drafts != "none" else None
        if not accelerator.is_main_process:
            return [], drafts
        merged = merge_ranks(_written(folder), [sample.id for sample in dataset.samples])
        write_records(folder / FINISHED, merged)
        for part in folder.glob(_PARTS):
            part.unlink()
        stale = set_stale_aside(merged, folder)
        if stale:
            say(f"{folder}: what was scored and judged here is about other answers, and is set aside:")
            say("\n".join(bullets(stale)))
        return merged, drafts


def _drafts_brought(answerer: Answerer) -> dict[str, float]:
    """What drafts brought to the answers of this run, over all ranks; said, and for the metrics."""
    names = ("answers", "tokens", "calls", "drafted")
    sums = sum_over_ranks(answerer.accelerator, [answerer.counted[name] for name in names])
    brought: dict[str, float] = {name: int(value) for name, value in zip(names, sums)}
    if brought["calls"]:  # not where all was answered before
        brought["tokens_a_call"] = round(brought["tokens"] / brought["calls"], 3)
        say(f"{answerer.dataset.name}: {brought['tokens_a_call']:.2f} tokens of an answer a call (1 without drafts)")
    return brought


def clear_the_way(folder: Path, producer: Mapping[str, Any]) -> None:
    """Drop a half-written line of a killed run, and set answers of other weights or settings aside.

    For the first rank, before any other looks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in _written(folder):
        drop_half_line(path)
        if not all(_same_producer(prediction, producer) for prediction in read_predictions(path, may_be_empty=True)):
            say(f"{folder}: answers of other weights or settings; they are now in {set_aside(folder)}")
            folder.mkdir()
            return


def answered_ids(folder: Path) -> list[str]:
    """Ids of the samples that are answered in ``folder`` already."""
    found = [prediction.id for path in _written(folder) for prediction in read_predictions(path, may_be_empty=True)]
    if found:
        say(f"{folder.name}: {len(found):,} answers are there already")
    return found


def _same_producer(answer: Prediction, producer: Mapping[str, Any]) -> bool:
    return without_prompt(answer.producer) == as_json(producer)


def without_prompt(producer: Mapping[str, Any]) -> dict[str, Any]:
    """What all answers of one run have in common; an earlier answer is kept only if it agrees with this."""
    return {key: value for key, value in producer.items() if key not in ("prompt", CONFIDENCE)}


def _written(folder: Path) -> list[Path]:
    """Files with answers: what a finished run left, or the parts of one under way."""
    return sorted(folder.glob(FINISHED)) or sorted(folder.glob(_PARTS))


def _answer_share(answerer: Answerer, folder: Path, producer: Mapping[str, Any], answered: list[str]) -> None:
    """Answer this rank's share of what is left; questions of similar length come together, an answer is written as it
    comes.

    Where that does not fit the GPU's memory, what is left is asked half as much at a time.
    """
    accelerator, dataset, options = answerer.accelerator, answerer.dataset, answerer.options
    model, done = answerer.model, set(answered)
    left = [number for number, sample in enumerate(dataset.samples) if sample.id not in done]
    groups = group_for_answering(dataset, left, options.questions_together(options.batch_size_eval))
    groups = groups[accelerator.process_index :: accelerator.num_processes]
    model.eval()
    template = getattr(model, "prompt_template", None) or None  # "{}" with model.chat_template false
    path, size = folder / f"answers.rank{accelerator.process_index}.jsonl", options.batch_size_eval
    with (
        naming(path),
        open(path, "a", encoding="utf-8") as file,
        progress("answering " + dataset.name, sum(map(len, groups))) as advance,
        merged_lora(model, options),
    ):
        while groups:
            written: set[int] = set()
            try:
                for number, answer, prompt in answerer(groups, size):
                    asked = {**producer, "prompt": DEFAULT_STYLE.user_turn(prompt, template)}
                    record = Prediction.of(dataset.samples[number], answer, asked)
                    file.write(line_of(record)[0])
                    file.flush()
                    written.add(number)
                    advance(1)
                return
            except torch.cuda.OutOfMemoryError:
                if size == 1:
                    raise
                size = (size + 1) // 2
                say(f"{dataset.name}: out of memory; going on with {size} question(s) at once")
            groups = [[number for number in group if number not in written] for group in groups]


def merged_lora(model: Any, options: RunConfig) -> AbstractContextManager[Any]:
    """LoRA in the weights while answering, where the run asks for it.

    Raises:
        ConfigError: the model cannot do that.
    """
    if not options.merge_lora:
        return nullcontext()
    merge = getattr(model, "merged_lora", None)
    if merge is None:
        raise ConfigError("run.merge_lora needs the bundled toolkit (PEFOMED_TOOLKIT=bundled)")
    return merge()
