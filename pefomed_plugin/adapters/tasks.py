"""Tasks for the registry: what is asked of the model and how long an answer may be. Knows no data set and no loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..options import RunOptions
from ..prompts import user_turn
from ..records import Prediction
from ..scoring.exact_match import EXACT_MATCH
from ..scoring.files import write_scores
from ..toolkit import BaseTask, registry


class MedicalTask(BaseTask):
    """Trains on any data set, answers with this task's limit and is scored by this task's scorers."""

    kind = "vqa"
    """``Sample.task`` of the samples it expects in evaluation."""
    max_new_tokens = 20
    """Limit of an answer in tokens, where the run does not set one."""
    scorers: tuple[str, ...] = ()
    """Names in ``scoring.SCORERS``."""

    def build_datasets(self, cfg: Any) -> dict[str, dict[str, Any]]:
        """Data sets of the configuration: name -> split -> data set; a data set without a train split is fine.

        Raises:
            DataError: a split that the run asks for is in none of the data sets.
        """
        datasets = {
            name: registry.get_builder_class(name)(section).build_datasets()
            for name, section in cfg.datasets_cfg.items()
        }
        run = cfg.run_cfg
        asked = [*run.get("valid_splits", []), *run.get("test_splits", [])]
        asked += [] if run.get("evaluate", False) else list(run.get("train_splits", ["train"]))
        empty = [
            f"{split}: no sample in {', '.join(datasets)}"
            for split in dict.fromkeys(asked)
            if not any(len(dataset.get(split, ())) for dataset in datasets.values())
        ]
        if empty:
            raise DataError(
                "empty split; the data sets have "
                f"{', '.join(sorted({split for dataset in datasets.values() for split in dataset}))}",
                empty,
            )
        return datasets

    def valid_step(self, model: Any, samples: Mapping[str, Any], options: RunOptions) -> list[str]:
        """Answers of one batch, as many as it has samples."""
        limit = options.max_new_tokens or self.max_new_tokens
        if "layout" in samples:
            return model.generate_packed(samples["image"], samples["layout"], max_new_tokens=limit)
        template = getattr(model, "prompt_template", None)
        prompts = [user_turn(each, template) if template else user_turn(each) for each in samples["instruction_input"]]
        return model.generate(
            samples["image"], prompts, num_beams=options.num_beams, do_sample=False, max_new_tokens=limit
        )

    def score_answers(self, predictions: Sequence[Prediction], folder: Path, options: RunOptions) -> dict[str, Any]:
        """Score a test set's answers and write the scores into ``folder``; the metrics as written."""
        return write_scores(predictions, self.scorers, folder, {"embedded": options.embedded, "images": options.images})


class MedicalVqaTask(MedicalTask):
    """Visual question answering with short answers (paper section 3.2, stage 2)."""

    kind = "vqa"
    max_new_tokens = 20
    scorers: tuple[str, ...] = ("exact_match/pefomed",)


class ReportGenerationTask(MedicalTask):
    """Radiology reports (paper section 3.2, stage 2)."""

    kind = "report"
    max_new_tokens = 300
    scorers: tuple[str, ...] = ("lexical/coco",)


class MedicalCaptionTask(MedicalTask):
    """Image captions (paper section 3.2, stage 1)."""

    kind = "caption"
    max_new_tokens = 120
    scorers: tuple[str, ...] = ("lexical/coco",)


class ExactMatchTask(MedicalVqaTask):
    """Evaluation: answers questions and scores them under every normalisation, with both token overlaps."""

    scorers = (
        *(spec.name for spec in EXACT_MATCH),
        "token_recall/llava_med",
        "token_recall/corrected",
        "token_f1/corrected",
    )


class LexicalTask(ReportGenerationTask):
    """Evaluation: writes reports and scores them, clinical metrics included where RadEval is installed."""

    scorers = ("lexical/coco", "clinical/radeval")


TASKS: dict[str, type[MedicalTask]] = {
    "medical_caption": MedicalCaptionTask,
    "medical_vqa": MedicalVqaTask,
    "report_generation": ReportGenerationTask,
    "exact_match": ExactMatchTask,
    "lexical": LexicalTask,
}
