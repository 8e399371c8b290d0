"""What a run knows of its results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...readers import describe
from ...scoring.spec import ACCURACY
from ..comparison.lineage import deviations, training_runs
from ..figures import Figure, figures_with_floors
from ..results import Run
from ..table import FIGURE, Column, on_one_line, text_of
from .facts import CONFIG, KNOWN, RECORD, RESULTS, Known, knows, made_here, place_of


@knows
def _output(run: Run) -> Iterator[Known]:
    yield Known("Free text, kept as it was said; scorers normalise it each in their own way.", "predictions.jsonl")


@knows
def _no_thresholds(run: Run) -> Iterator[Known]:
    yield Known("Does not apply: no probabilities are turned into classes.", "predictions.jsonl")


@knows
def _metrics(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        for spec in answered.scorers.values():
            yield Known(f"{spec.title} ({spec.name}, version {spec.version}).", place_of(run, answered, RESULTS))


@knows
def _uncertainty(run: Run) -> Iterator[Known]:
    if any(answered.figures for answered in run.answered.values()):
        yield Known(
            "95 % intervals are bootstraps over studies or images; pefomed compare tests differences (paired, Holm).",
            RESULTS,
        )


@knows
def _performance(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        whole = {"scores": answered.figures}
        found = [figure for figure in figures_with_floors({answered.key: whole}) if "value" in figure.data]
        said = "; ".join(on_one_line(f"{figure.scorer} {figure.group} {_with_interval(figure)}") for figure in found)
        yield Known(f"{answered.key}: {said}." if said else "", place_of(run, answered, RESULTS))


@knows
def _internal(run: Run) -> Iterator[Known]:
    trained = _trained_on(run)
    kept = {key: answered for key, answered in run.answered.items() if answered.predictions[0].dataset in trained}
    yield from KNOWN["performance"](replace(run, answered=kept))


@knows
def _groups(run: Run) -> Iterator[Known]:
    yield from KNOWN["performance"](run)
    yield Known("pefomed score --by AXIS breaks them down by organ, type of question and more.", "scores/")


@knows
def _external(run: Run) -> Iterator[Known]:
    trained = _trained_on(run)
    other = [describe(name).title for name in run.datasets if name not in trained]
    if run.config and other:
        yield Known(f"No training sample is of {', '.join(other)}.", CONFIG)


@knows
def _robustness(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        if answered.reliance:
            yield Known(
                f"{answered.key}: asked again about another image, none, and the mirrored one.",
                place_of(run, answered, RESULTS),
            )
        for scorer, floor in answered.floors.items():
            yield Known(
                f"{answered.key}, {scorer}: beside {floor.title}, which does not look.",
                place_of(run, answered, RESULTS),
            )


@knows
def _explained(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        if answered.occlusion:
            count = len(answered.occlusion)
            yield Known(
                f"{answered.key}: {count:,} maps of what an answer leans on.", place_of(run, answered, "occlusion.json")
            )


@knows
def _raters(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        for name, runs in answered.runs.items():
            yield Known(f"{answered.key}: rated under {name}, {len(runs)} time(s).", place_of(run, answered, "scores"))


@knows
def _agreement(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        if answered.agreement:
            yield Known(
                f"{answered.key}: agreement of scorers, judges and raters is measured.",
                place_of(run, answered, "agreement.json"),
            )


@knows
def _failures(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        wrong = [
            f"{name} {sum(score.value == 0 for score in scores):,} of {len(scores):,} wrong"
            for name, scores in answered.scores.items()
            if answered.measured[name][0].kind == ACCURACY
        ]
        if wrong:
            yield Known(
                f"{answered.key}: {'; '.join(wrong)}; pefomed report shows each beside its image.",
                place_of(run, answered, "scores"),
            )


@knows
def _caveats(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        found = deviations(run, answered)
        yield Known(f"{answered.key} departs from the paper in: {'; '.join(found)}." if found else "", CONFIG)


@knows
def _compared(run: Run) -> Iterator[Known]:
    for answered in run.answered.values():
        if answered.floors:
            names = ", ".join(dict.fromkeys(floor.title for floor in answered.floors.values()))
            yield Known(
                f"{answered.key}: with predictors that do not look ({names}).", place_of(run, answered, RESULTS)
            )


@knows
def _not_clinical(run: Run) -> Iterator[Known]:
    yield Known("Research only; not for clinical use, as every model card of this software says.", "README.md")


@knows
def _record(run: Run) -> Iterator[Known]:
    if made_here(run):
        yield Known("The whole configuration, command, digests of data and weights, packages.", f"{RECORD}, {CONFIG}")


@knows
def _availability(run: Run) -> Iterator[Known]:
    record = made_here(run)
    if record:
        commit = (record.plugin.get("git") or {}).get("commit")
        at = f", commit {commit[:12]}" if commit else ""
        yield Known(f"pefomed_plugin {record.plugin['version']}{at}, BSD 3-Clause.", RECORD)


def _trained_on(run: Run) -> set[str]:
    return {name for training in training_runs(run)[1] for name in training.config.get("datasets") or {}}


def _with_interval(figure: Figure) -> str:
    column = Column("", str, FIGURE)
    value, ends = text_of(figure.value(), column), figure.interval()
    return f"{value} [{text_of(ends, column)}]" if ends is not None else value
