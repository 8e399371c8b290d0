"""Answers for a whole split: every rank takes its share, the first merges, scores and writes. Knows no training.

Answers are appended as they come, so a run that is killed and started again with ``run.resume: auto`` continues where
it stopped, with any number of ranks; answers of other weights or settings are refused.
"""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from torch.utils.data import DataLoader, Subset

from ..errors import DataError
from ..options import RunOptions
from ..prompts import user_turn
from ..records import Prediction, Sample
from ..services.console import progress, say
from ..storage import merge_ranks, read_predictions, write_records
from .datasets import MedicalDataset

FINISHED = "predictions.jsonl"
_PARTS = "answers.rank*.jsonl"


def evaluate_split(accelerator: Any, task: Any, model: Any, dataset: MedicalDataset, options: RunOptions,
                   folder: Path, producer: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    """Answer every sample of ``dataset`` and score the answers.

    Writes ``predictions.jsonl``, ``scores/<scorer>.jsonl`` and ``metrics.json`` into ``folder``.

    Returns:
        The metrics, on the first rank; None on the others.

    Raises:
        DataError: the ranks' answers do not cover the split, or earlier ones are of other weights.
    """
    if options.images == "shuffled":
        dataset.shuffle_images(options.seed)
    elif options.images == "blind":
        dataset.blind_images()
    folder.mkdir(parents=True, exist_ok=True)
    answered = earlier_answers(folder, producer)
    accelerator.wait_for_everyone()
    _answer_share(accelerator, task, model, dataset, options, folder, producer, answered)
    accelerator.wait_for_everyone()
    if not accelerator.is_main_process:
        return None
    merged = merge_ranks(_written(folder), [each.id for each in dataset.samples])
    write_records(folder / FINISHED, merged)
    for part in folder.glob(_PARTS):
        part.unlink()
    return task.score_answers(merged, folder, options)


def earlier_answers(folder: Path, producer: Mapping[str, Any]) -> List[str]:
    """Ids that a run which was killed has answered; a line that it left half is dropped.

    Raises:
        DataError: the answers came from other weights, settings or a finished run.
    """
    found: List[str] = []
    for path in _written(folder):
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole, encoding="utf-8")
        for each in read_predictions(path) if whole else ():
            known = {key: value for key, value in each.producer.items() if key != "prompt"}
            if known != json.loads(json.dumps(producer)):
                raise DataError("{}: answers of another run (other weights or settings); move {} away, or use another "
                                "run.output_dir".format(path, folder))
            found.append(each.id)
    if found:
        say("{}: {:,} answers are there already".format(folder.name, len(found)))
    return found


def _written(folder: Path) -> List[Path]:
    """Files with answers: what a finished run left, or the parts of one under way."""
    return sorted(folder.glob(FINISHED)) or sorted(folder.glob(_PARTS))


def _answer_share(accelerator: Any, task: Any, model: Any, dataset: MedicalDataset, options: RunOptions, folder: Path,
                  producer: Mapping[str, Any], answered: List[str]) -> None:
    """Answer this rank's part of what is left, questions of like length together, each batch written at once."""
    done = set(answered)
    left = [number for number, each in enumerate(dataset.samples) if each.id not in done]
    share = left[accelerator.process_index::accelerator.num_processes]
    share.sort(key=lambda number: (len(dataset.samples[number].question or ""), number))
    loader = DataLoader(Subset(dataset, share), batch_size=options.batch_size_eval, shuffle=False,
                        num_workers=options.num_workers, collate_fn=dataset.collater)
    model.eval()
    path = folder / "answers.rank{}.jsonl".format(accelerator.process_index)
    with open(path, "a", encoding="utf-8") as file, progress("answering " + dataset.name, len(share)) as advance:
        for batch in loader:
            with accelerator.autocast():
                answers = task.valid_step(model, to_device(batch, accelerator.device), options)
            for number, answer, prompt in zip(batch["index"], answers, batch["instruction_input"]):
                record = _prediction(dataset.samples[number], answer, prompt, producer)
                file.write(json.dumps(record.to_json(), ensure_ascii=False) + "\n")
            file.flush()
            advance(len(answers))


def to_device(batch: Mapping[str, Any], device: Any) -> Dict[str, Any]:
    """Batch with its tensors on ``device``."""
    return {key: each.to(device, non_blocking=True) if hasattr(each, "to") else each for key, each in batch.items()}


def _prediction(sample: Sample, answer: str, prompt: str, producer: Mapping[str, Any]) -> Prediction:
    own = {each.name: getattr(sample, each.name) for each in fields(Sample)}
    return Prediction(**own, prediction=answer, producer={**producer, "prompt": user_turn(prompt)})
