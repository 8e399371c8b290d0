"""Tasks for the registry: how long an answer may be and which scorers measure it.

A run has one task and any data sets: each data set is answered and scored by the task that suits its samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config.run import RunConfig
from ..errors import DataError, PefomedError
from ..prompts import DEFAULT_STYLE
from ..records import SPLITS, Prediction, Sample
from ..requirements import Need, require
from ..scoring import find_scorer
from ..scoring.exact_match import EXACT_MATCH
from ..scoring.files import warnings_of, write_scores
from ..services.console import say
from ..toolkit import BaseTask, registry


class MedicalTask(BaseTask):
    """Trains on any data set, answers with this task's limit and is scored by this task's scorers."""

    kind = "vqa"
    """``Sample.task`` of the samples it expects in evaluation."""
    max_new_tokens = 20
    """Limit of an answer in tokens, where the run does not set one."""
    scorers: tuple[str, ...] = ()
    """Names in ``scoring.SCORERS``."""
    counterparts: Mapping[str, type[MedicalTask]] = {}
    """``Sample.task`` -> the task that answers such samples in a run of this one."""

    def build_datasets(self, cfg: Any) -> dict[str, dict[str, Any]]:
        """Data sets of the configuration: name -> split -> data set; a data set without a train split is fine.

        Says which of them will be answered by another task, and looks for what their scorers will need.

        Raises:
            DataError: data sets that cannot be used, all of them; a split that the run asks for is in none of the
                data sets, or samples of one are mixed.
            ConfigError: a scorer needs a package that is not installed, or is unknown.
        """
        datasets = _build_all(cfg.datasets_cfg)
        run = cfg.run_cfg
        _check_splits(datasets, run)
        self._check_scoring(datasets, run.get("test_splits", []))
        return datasets

    def _check_scoring(self, datasets: Mapping[str, Mapping[str, Any]], test_splits: Sequence[str]) -> None:
        needs: list[Need] = []
        for name, splits in datasets.items():
            for split in (split for split in test_splits if len(splits.get(split, ()))):
                task = self.suited_to(splits[split].samples)
                needs += task.needs()
                if task is not self:
                    limit, scorers = task.max_new_tokens, ", ".join(task.scorers) or "nothing"
                    say(f"{name}-{split}: {task.kind} samples, answered in up to {limit} tokens, scored by {scorers}")
        require(needs)

    def suited_to(self, samples: Sequence[Sample]) -> MedicalTask:
        """This task, or its counterpart where the samples are of another kind.

        Raises:
            DataError: the samples are of several kinds.
        """
        kinds = sorted({sample.task for sample in samples})
        if len(kinds) > 1:
            raise DataError(f"{samples[0].dataset}: one split holds {' and '.join(kinds)}; split it into two data sets")
        return self.suited_to_kind(kinds[0]) if kinds else self

    def suited_to_kind(self, kind: str) -> MedicalTask:
        """This task, or its counterpart for samples of that ``Sample.task``."""
        return self if kind == self.kind else self.counterparts.get(kind, _BY_KIND[kind])()

    def needs(self) -> list[Need]:
        """Packages that its scorers need. Raises ConfigError for a scorer that nobody declares."""
        return [need for scorer in self.scorers for need in find_scorer(scorer).needs]

    def limit(self, options: RunConfig) -> int:
        """Most tokens of an answer in a run."""
        return options.max_new_tokens or self.max_new_tokens

    def valid_step(self, model: Any, samples: Mapping[str, Any], options: RunConfig) -> list[str]:
        """Answers of one batch, as many as it has samples."""
        limit = self.limit(options)
        if "layout" in samples:
            return model.generate_packed(samples["image"], samples["layout"], max_new_tokens=limit)
        template = getattr(model, "prompt_template", None)
        asked = samples["instruction_input"]
        plain = getattr(getattr(model, "llama_tokenizer", None), "plain", str)
        prompts = [DEFAULT_STYLE.user_turn(plain(text), template or None) for text in asked]
        return model.generate(
            samples["image"], prompts, num_beams=options.num_beams, do_sample=False, max_new_tokens=limit
        )

    def score_answers(self, predictions: Sequence[Prediction], folder: Path, options: RunConfig) -> dict[str, Any]:
        """Score a test set's answers and write the scores into ``folder``; the metrics as written."""
        metrics = write_scores(predictions, self.scorers, folder, {"images": options.images})
        for warning in warnings_of(metrics, self.scorers):
            say(f"warning: {warning}")
        return metrics


def _build_all(sections: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every data set; of several, all that cannot be used come in one error."""
    datasets: dict[str, dict[str, Any]] = {}
    errors: dict[str, PefomedError] = {}
    for name, section in sections.items():
        try:
            datasets[name] = registry.get_builder_class(name)(section).build_datasets()
        except PefomedError as error:
            if len(sections) == 1:
                raise
            errors[name] = error
    if not errors:
        return datasets
    remedy = f"; --options {' '.join(f'datasets.{name}=null' for name in errors)} trains without" if datasets else ""
    raise DataError(
        f"{len(errors)} of {len(sections)} data sets cannot be used{remedy}",
        [line for name, error in errors.items() for line in _in_short(name, error)],
    )


def _in_short(name: str, error: PefomedError) -> list[str]:
    """The error of one data set among others: what is wrong, and of its records the first."""
    said = error.summary if error.summary.startswith(name) else f"{name}: {error.summary}"
    more = f" (and {len(error.problems) - 1:,} more)" if len(error.problems) > 1 else ""
    return [said + (f": {error.problems[0]}{more}" if error.problems else "")]


def _check_splits(datasets: Mapping[str, Mapping[str, Any]], run: Mapping[str, Any]) -> None:
    """Say which data sets have no part in what is asked of the run.

    Without any validation data the run goes on, as VQA-RAD by itself does in a YAML for several.

    Raises:
        DataError: a split to train or to test on is in none of them.
    """
    trains = not run.get("evaluate", False)
    keys = ["test_splits", *(["train_splits", "valid_splits"] if trains else [])]
    there = sorted({split for splits in datasets.values() for split in splits if _holds_any(splits[split])})
    empty: list[str] = []
    for key in keys:
        for split in run.get(key, ["train"] if key == "train_splits" else []):
            without = [name for name, splits in datasets.items() if not _holds_any(splits.get(split, ()))]
            if len(without) < len(datasets):
                if without:
                    say(f"{split} split: not in {', '.join(without)}")
            elif key == "valid_splits" and split in SPLITS:
                say(f"warning: {split} split: not in {', '.join(without)}: no loss of it, and the last epoch is kept")
            else:
                empty.append(f"run.{key}: {split}: no sample in {', '.join(datasets)}; they have {', '.join(there)}")
    if empty:
        raise DataError("empty split", empty)


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


def _holds_any(split: Any) -> bool:
    """Whether a split has samples; a stream, which has no length, is made of shards that have."""
    return not hasattr(split, "__len__") or len(split) > 0


_BY_KIND: dict[str, type[MedicalTask]] = {
    task.kind: task for task in (MedicalVqaTask, ReportGenerationTask, MedicalCaptionTask)
}
ExactMatchTask.counterparts = {"report": LexicalTask}
LexicalTask.counterparts = {"vqa": ExactMatchTask}


TASKS: dict[str, type[MedicalTask]] = {
    "medical_caption": MedicalCaptionTask,
    "medical_vqa": MedicalVqaTask,
    "report_generation": ReportGenerationTask,
    "exact_match": ExactMatchTask,
    "lexical": LexicalTask,
}
