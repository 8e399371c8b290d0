"""Every format of result files, declared once: whose it is, what marks it, which fields are read, how it is joined.

A file is recognised by what is in it, never by its name alone. Where none or several fit, what was seen is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from ...errors import ConfigError, near_names
from .answers import Answer
from .inspect_logs import read_inspect
from .json_formats import (
    read_authors,
    read_llama_factory,
    read_llava_med,
    read_lmms_eval,
    read_medevalkit,
    read_ms_swift,
    read_rexrank,
)
from .seen import ARCHIVE, LINES, LIST, OBJECT, PAIR, SHEET, TABLE, Mark, Seen, look_at
from .tables import read_r2gen, read_vlmevalkit


def _mark(kinds: Sequence[str], keys: str, without: str = "") -> Mark:
    return Mark(tuple(kinds), frozenset(keys.split()), frozenset(without.split()))


@dataclass(frozen=True)
class ResultFormat:
    """One format of result files."""

    name: str
    """On the command line."""
    project: str
    file: str
    """What the project calls the file, in Markdown."""
    fields: str
    """What is read of it, in Markdown."""
    joined: str
    """What finds the sample of a record, in words."""
    checked: str
    """Which version of the project it was checked against, and how."""
    marks: tuple[Mark, ...]
    """It is this format where one of them fits."""
    read: Callable[[Path], list[Answer]]
    """Raises DataError for a file that is none."""

    @property
    def row(self) -> str:
        """Its line of the table in docs/other-peoples-predictions.md."""
        return f"| `{self.name}` | {self.project} | {self.file} | {self.fields} | {self.joined} |"


_RECORDS = (LINES, LIST)
FORMATS: dict[str, ResultFormat] = {
    found.name: found
    for found in (
        ResultFormat(
            "llava_med",
            "LLaVA-Med",
            "answers file, JSON lines",
            "`question_id`, `text`, `prompt` (checked)",
            "id; with `--questions FILE` by image and question",
            "source read: d406e3f (April 2025) and v1.0.0",
            (_mark(_RECORDS, "question_id text", "image"),),
            read_llava_med,
        ),
        ResultFormat(
            "medevalkit",
            "MedEvalKit",
            "`results.json`",
            "`question`, `answer`, `response`; reports: `image`, `response`, IU-Xray's `id`",
            "question and reference; reports: Open-i's number, or image",
            "source read: 9b12e3b (February 2026)",
            (_mark((LIST,), "question answer response"), _mark((LIST,), "findings response image")),
            read_medevalkit,
        ),
        ResultFormat(
            "vlmevalkit",
            "VLMEvalKit",
            "`<model>_<data>.xlsx`, `.tsv`, `.json`",
            "`question`, `answer`, `prediction`, `image_path` where it is",
            "image and question, or question and reference",
            "source read: e8e78f0 (August 2026)",
            (_mark((SHEET, TABLE, LIST), "question prediction answer"),),
            read_vlmevalkit,
        ),
        ResultFormat(
            "lmms_eval",
            "lmms-eval",
            "`*_samples_*.jsonl`",
            "`filtered_resps`, `target`, `input` (0.7) or `doc.question` (before), `doc_id` for the order; up to 0.2 "
            "`<task>.json` with `logs`",
            "question within the prompt, and reference; tasks that we write: id",
            "source read: 75571cf (August 2026); files of its own code, 0.7.3",
            (_mark(_RECORDS, "filtered_resps target"), _mark((OBJECT,), "args model_configs logs")),
            read_lmms_eval,
        ),
        ResultFormat(
            "ms_swift",
            "ms-swift",
            "`infer_result/*.jsonl` of `swift infer`",
            "`response`, `messages`, `images`, `labels`; before 3.0 `query`, `label`",
            "image and question, or question and reference",
            "source read: 3602360 (August 2026); files of its own code, 4.6.0",
            (_mark(_RECORDS, "response messages"), _mark(_RECORDS, "response query", "messages")),
            read_ms_swift,
        ),
        ResultFormat(
            "llama_factory",
            "LLaMA-Factory",
            "`generated_predictions.jsonl`",
            "`predict`, `prompt`, `label`",
            "reference, and the question within the prompt",
            "source read: ff6d4d1 (August 2026); files of its own code, 0.9.5",
            (_mark(_RECORDS, "predict label prompt"),),
            read_llama_factory,
        ),
        ResultFormat(
            "inspect_ai",
            "inspect_ai",
            "`.eval`, or the log as JSON",
            "`id`, `input`, `target`, `output`, `metadata.image` where it is",
            "id where it is a name; else image and question, or question and reference",
            "logs of its own mock model, 0.3.285",
            (_mark((ARCHIVE,), ""), _mark((OBJECT,), "version status eval samples")),
            read_inspect,
        ),
        ResultFormat(
            "rexrank",
            "ReXrank",
            "`prediction.json`",
            "study -> `model_prediction`, `image_path`",
            "study (`--option per=study`)",
            "its example file and script, 8152f99 (August 2025)",
            (_mark((OBJECT,), "model_prediction"),),
            read_rexrank,
        ),
        ResultFormat(
            "r2gen",
            "R2Gen",
            "`res.csv` beside `gts.csv`: give their folder",
            "one report a line",
            "the reference in `gts.csv`; where reports repeat, the order of the split (`--option per=study`)",
            "testers of R2Gen's descendants; R2Gen's own repository (5a2e63f) writes no such files",
            (_mark((PAIR,), ""),),
            read_r2gen,
        ),
        ResultFormat(
            "pefomed",
            "the paper's authors",
            "JSON of their scripts",
            "VQA: qid -> `question`, `ground_truth`, `generated_answer`; IU-Xray: `image_path`, `generated_report`",
            "qid; image",
            "their judge scripts read: 5242449 (June 2025)",
            (_mark((OBJECT,), "generated_answer"), _mark((LIST,), "generated_report image_path")),
            read_authors,
        ),
    )
}
"""Name -> format."""


def find_format(name: str) -> ResultFormat:
    """The format that a user named. Raises ConfigError if there is none; near names are given."""
    if name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}; {near_names(name, FORMATS)}")
    return FORMATS[name]


def recognise(path: Path) -> ResultFormat:
    """The format of a file, by its content.

    Raises:
        ConfigError: it is none that is known, or could be several; what was seen is said, and what is near.
        DataError: the file cannot be read.
    """
    seen = look_at(path)
    fitting = [found for found in FORMATS.values() if any(mark.fits(seen) for mark in found.marks)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(
            f"{path} could be of {' or '.join(found.project for found in fitting)}: it is {seen.words}; say which: "
            f"import-predictions {fitting[0].name} {path.name}"
        )
    raise ConfigError(
        f"{path} is of no format that is known: it is {seen.words}; {_other(seen) or _nearest(seen)}",
    )


def _other(seen: Seen) -> str:
    """What a file is that people give by mistake; empty for others."""
    if {"id", "dataset", "prediction", "producer"} <= seen.keys:
        return "these are predictions of ours already: pefomed score exact_match FILE"
    if {"question_id", "image", "text"} <= seen.keys:
        return "these are LLaVA-Med's questions: give its answers, and this file as --questions"
    if {"results", "configs"} <= seen.keys:
        return "these are lmms-eval's figures: run it with --log_samples, and give <date>_samples_<task>.jsonl"
    if any(key.startswith("predict_") for key in seen.keys):
        return "these are LLaMA-Factory's figures: give generated_predictions.jsonl, which lies beside them"
    if {"version", "status", "eval"} <= seen.keys:
        return "this is the head of a log of inspect_ai: give the log with its samples (inspect log dump)"
    if {"section_findings", "key_image_path"} <= seen.keys:
        return "this is ReXrank's data file: give the predictions, which have model_prediction"
    return ""


def _nearest(seen: Seen) -> str:
    """Formats that share marks with the file, and what it lacks to be them."""
    near = [
        (len(mark.keys - seen.keys), f"{found.name} (lacks {', '.join(sorted(mark.keys - seen.keys))})")
        for found in FORMATS.values()
        for mark in found.marks
        if mark.keys & seen.keys and mark.keys - seen.keys
    ]
    if not near:
        return f"known: {', '.join(FORMATS)}; or write predictions.jsonl yourself (docs/other-peoples-predictions.md)"
    return "near: " + ", ".join(words for _, words in sorted(near)[:3])
