"""Answers for a whole split: every rank takes its share, the first merges, scores and writes. Knows no training."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from torch.utils.data import DataLoader, Subset

from ..options import RunOptions
from ..prompts import user_turn
from ..records import Prediction, Sample
from ..services.console import progress
from ..storage import merge_ranks, write_records
from .datasets import MedicalDataset


def evaluate_split(accelerator: Any, task: Any, model: Any, dataset: MedicalDataset, options: RunOptions,
                   folder: Path, producer: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    """Answer every sample of ``dataset`` and score the answers.

    Writes ``predictions.jsonl``, ``scores/<scorer>.jsonl`` and ``metrics.json`` into ``folder``.

    Returns:
        The metrics, on the first rank; None on the others.

    Raises:
        DataError: the ranks' answers do not cover the split.
    """
    if options.images == "shuffled":
        dataset.shuffle_images(options.seed)
    elif options.images == "blind":
        dataset.blind_images()
    rank, ranks = accelerator.process_index, accelerator.num_processes
    order = range(rank, len(dataset), ranks)
    loader = DataLoader(Subset(dataset, list(order)), batch_size=options.batch_size_eval, shuffle=False,
                        num_workers=options.num_workers, collate_fn=dataset.collater)
    model.eval()
    predictions: List[Prediction] = []
    with progress("answering {}".format(dataset.name), len(order)) as advance:
        for batch in loader:
            with accelerator.autocast():
                answers = task.valid_step(model, to_device(batch, accelerator.device), options)
            predictions += [_prediction(dataset.samples[index], answer, prompt, producer) for index, answer, prompt
                            in zip(batch["index"], answers, batch["instruction_input"])]
            advance(len(answers))
    share = folder / "predictions.rank{}.jsonl".format(rank)
    write_records(share, predictions)
    accelerator.wait_for_everyone()
    if not accelerator.is_main_process:
        return None
    shares = [folder / "predictions.rank{}.jsonl".format(each) for each in range(ranks)]
    merged = merge_ranks(shares, [each.id for each in dataset.samples])
    write_records(folder / "predictions.jsonl", merged)
    for each in shares:
        os.unlink(each)
    return task.score_answers(merged, folder, options)


def to_device(batch: Mapping[str, Any], device: Any) -> Dict[str, Any]:
    """Batch with its tensors on ``device``."""
    return {key: each.to(device, non_blocking=True) if hasattr(each, "to") else each for key, each in batch.items()}


def _prediction(sample: Sample, answer: str, prompt: str, producer: Mapping[str, Any]) -> Prediction:
    own = {each.name: getattr(sample, each.name) for each in fields(Sample)}
    return Prediction(**own, prediction=answer, producer={**producer, "prompt": user_turn(prompt)})


