"""What a run knows of its data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ...origins import GENERATED
from ...readers import describe
from ...scoring.leaks import FINDINGS, LEAKS, SampleLeaks, read_leaks
from ..results import Run
from .facts import CONFIG, KNOWN, RECORD, RESULTS, Known, all_datasets, knows, place_of, section_of, split_by_origin


@knows
def _sources(run: Run) -> Iterator[Known]:
    origins = run.origins.data
    for name in all_datasets(run):
        spec = describe(name)
        made = " (generated in its layout, not the release)" if origins.get(name) == GENERATED else ""
        where = f"; {spec.url}" if spec.url and not made else ""
        yield Known(f"{spec.title}{made}{where}.", RECORD if run.record else RESULTS)


@knows
def _citations(run: Run) -> Iterator[Known]:
    real, generated = split_by_origin(run, run.datasets)
    for name in real:
        yield Known(f"{describe(name).title}: {describe(name).citation}.", describe(name).page)
    if generated:
        yield Known(f"Nobody: the references of {_titles(generated)} are generated.", RECORD)


@knows
def _reference(run: Run) -> Iterator[Known]:
    real, generated = split_by_origin(run, run.datasets)
    if real:
        yield Known("References are the answers, reports or captions of the releases as released.", "predictions.jsonl")
    if generated:
        yield Known(f"References of {_titles(generated)} are generated with the images.", "predictions.jsonl")


@knows
def _terms(run: Run) -> Iterator[Known]:
    for name in all_datasets(run):
        spec = describe(name)
        if run.origins.data.get(name) == GENERATED:
            yield Known(f"{spec.title}: generated data, under this software's licence, BSD 3-Clause.", RECORD)
        else:
            yield Known(f"{spec.title}: {spec.licence}. {spec.passing_on}".strip(), spec.page)


@knows
def _quirks(run: Run) -> Iterator[Known]:
    for name in split_by_origin(run, run.datasets)[0]:
        yield Known(" ".join(describe(name).quirks), describe(name).page)


@knows
def _retrospective(run: Run) -> Iterator[Known]:
    real, generated = split_by_origin(run, all_datasets(run))
    if real and all(describe(name).splits for name in real):
        yield Known("Retrospective: releases that were published before.", RECORD)
    if generated:
        yield Known(f"Neither: generated data ({_titles(generated)}).", RECORD)


@knows
def _reader_options(run: Run) -> Iterator[Known]:
    for name, section in section_of(run, "datasets").items():
        options = {**describe(name).defaults, **((section or {}).get("options") or {})}
        said = ", ".join(f"{key} {value}" for key, value in options.items())
        yield Known(f"{describe(name).title} was read with {said}." if said else "", CONFIG)


@knows
def _preprocessing(run: Run) -> Iterator[Known]:
    side = section_of(run, "model").get("image_size")
    if side:
        yield Known(
            f"Images are resized to {side} x {side} pixels (bicubic, never cropped) and normalised as the vision "
            "encoder was trained; texts are used as released, stripped of blanks at their ends.",
            CONFIG,
        )


@knows
def _checks(run: Run) -> Iterator[Known]:
    parts = run.record.data.values() if run.record else ()
    for part in parts:
        digests = ", ".join(f"{name} {digest[:12]}" for name, digest in part.digests.items())
        yield Known(f"{describe(part.dataset).title}, SHA-256: {digests}." if digests else "", RECORD)


@knows
def _subsets(run: Run) -> Iterator[Known]:
    limits = {
        f"{name}, {split}": number
        for name, section in section_of(run, "datasets").items()
        for split, number in ((section or {}).get("limit") or {}).items()
        if number
    }
    said = "; ".join(f"{name}: the first {number:,}" for name, number in limits.items())
    if run.config:
        yield Known(f"Limited to parts: {said}." if said else "No split was limited to a part.", CONFIG)


@knows
def _missing(run: Run) -> Iterator[Known]:
    for name, section in section_of(run, "datasets").items():
        if (section or {}).get("missing_images") == "skip":
            yield Known(f"Samples of {describe(name).title} without an image were left out.", CONFIG)
    for answered in run.answered.values():
        empty = sum(not (prediction.prediction or "").strip() for prediction in answered.predictions)
        yield Known(
            f"{answered.key}: {empty:,} of {len(answered.predictions):,} answers are missing and count as wrong.",
            place_of(run, answered, "predictions.jsonl"),
        )


@knows
def _partitions(run: Run) -> Iterator[Known]:
    real, generated = split_by_origin(run, all_datasets(run))
    if section_of(run, "datasets") and real:
        yield Known("Partitions are those of the releases (or of the prepared folder that was read).", CONFIG)
    if generated:
        yield Known("Generated data have those that they were generated with.", RECORD)


@knows
def _sizes(run: Run) -> Iterator[Known]:
    for part in run.record.data.values() if run.record else ():
        said = ", ".join(f"{split} {number:,}" for split, number in part.samples.items())
        yield Known(f"{describe(part.dataset).title}: {said}." if said else "", RECORD)
    for answered in run.answered.values():
        yield Known(
            f"{answered.key}: {len(answered.predictions):,} answers.", place_of(run, answered, "predictions.jsonl")
        )


KNOWN["flow"] = KNOWN["sizes"]


def _titles(names: Sequence[str]) -> str:
    return ", ".join(describe(name).title for name in names)


@knows
def _groups_of_data(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        kinds = Counter(prediction.answer_type or prediction.task for prediction in answered.predictions)
        said = ", ".join(f"{kind.lower()} {number:,}" for kind, number in kinds.most_common())
        yield Known(f"{answered.key}: {said}.", place_of(run, answered, "predictions.jsonl"))


@knows
def _leaks(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        leaks = read_leaks(run.place_of(answered.key))
        if leaks is None:
            continue
        asked = [name for name in FINDINGS if name not in leaks.not_examined]
        said = "; ".join(_finding(leaks, name) for name in asked) or "nothing was looked for"
        unseen = ", ".join(name.replace("_", " ") for name in leaks.not_examined)
        more = f" Not examined: {unseen}." if unseen else ""
        yield Known(f"{answered.key}, against training: {said}.{more}", place_of(run, answered, LEAKS))


def _finding(leaks: SampleLeaks, name: str) -> str:
    """How many samples a finding is true of, and of how many nobody can tell."""
    unknown = len(leaks.unknown.get(name, ()))
    of = leaks.n - unknown
    told = f"{len(leaks.found.get(name, ())):,} of {of:,}" if of else "not known"
    return f"{name.replace('_', ' ')} {told}{f' ({unknown:,} not known)' if unknown and of else ''}"
