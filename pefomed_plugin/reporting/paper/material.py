"""The runs of a plan, read and completed: what is missing is named with its remedy, and never guessed.

What needs no model (exact match, report metrics) is computed from the answers where a run has no such scores, or has
those of other answers. Judges and people are read as they are. Writes nothing into the runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import ConfigError, PefomedError
from ...requirements import require
from ...scoring import find_scorer
from ...scoring.files import measure
from ...scoring.metrics_file import PREDICTIONS
from ...scoring.spec import ACCURACY, RATER, RUN, ScorerSpec
from ...services.console import quote_words
from ..comparison.paper_figures import EXACT_MATCH, GPT4_JUDGE, HUMAN, LEXICAL, Stages
from ..floors import floor_label
from ..results import Answered, Run, read_run
from .plan import DATASETS, ROWS, PaperPlan, PlannedModel

COMPUTED = {EXACT_MATCH: "exact_match/pefomed", LEXICAL: "lexical/coco"}
"""Evaluation of the paper -> the scorer that is computed where a run has none."""
TASKS = {"iu_xray": LEXICAL}
"""Data set -> its evaluation without a model; exact match where it is not named."""
REMEDIES = {
    EXACT_MATCH: "pefomed score exact_match {place}",
    LEXICAL: "pefomed score lexical {place}",
    GPT4_JUDGE: "pefomed judge {kind} {place} --model NAME",
    HUMAN: "pefomed rate export {place} --out ratings{some}, then pefomed rate import ratings {place}",
}


@dataclass
class Missing:
    """What the output lacks, each once, with what to do."""

    lines: list[str] = field(default_factory=list)

    def add(self, what: str, remedy: str) -> None:
        """Note one thing."""
        line = f"{what}: {remedy}"
        if line not in self.lines:
            self.lines.append(line)


@dataclass(frozen=True)
class Place:
    """Answers to one test set, of one row of the study or of one model beside it."""

    label: str
    """``both``; or the model's name."""
    dataset: str
    folder: Path | None
    """Where it is or should be; None where the plan names none."""
    stages: Stages | None = None
    """Of a row of the study."""
    run: Run | None = None
    answered: Answered | None = None
    reason: str = ""
    """Why there are no answers, in a few words."""
    judge: str = ""
    """Model whose verdicts are wanted; empty: the only one."""
    samples: str = ""
    """How the samples differ from those that the study's other rows answered; empty where they do not."""

    @property
    def path(self) -> str:
        """The predictions, as the shell takes them."""
        folder = self.folder or Path(".")
        inner = folder / "results" / f"{self.dataset}-test"
        return quote_words([(inner if inner.is_dir() else folder) / "predictions.jsonl"])

    def scorer(self, of: str) -> ScorerSpec | None:
        """The scorer that is one of the paper's evaluations here; None where there is none.

        Raises:
            ConfigError: several judges, and the plan says not which.
        """
        if self.answered is None:
            return None
        scored = self.answered.scored
        if of in (EXACT_MATCH, LEXICAL):
            return next((spec for spec in scored if spec.paper == of), None)
        repeated = RATER if of == HUMAN else RUN
        wanted = [spec for spec in scored if spec.repeated == repeated and _suits(spec, self.dataset)]
        if of == GPT4_JUDGE and self.judge:
            wanted = [spec for spec in wanted if spec.name.split("/", 2)[-1] == self.judge]
        if len(wanted) > 1:
            as_in_the_paper = [spec for spec in wanted if spec.paper == of]
            wanted = as_in_the_paper if len(as_in_the_paper) == 1 else wanted
        if len(wanted) > 1:
            names = [spec.name for spec in wanted]
            raise ConfigError(f"{self.folder} holds several judges; name one under judge: in the plan", names)
        return wanted[0] if wanted else None

    def floor(self, spec: ScorerSpec | None) -> Place | None:
        """The strongest predictor that does not look in place of the answers; None where none lies beside them."""
        if self.answered is None or spec is None or spec.name not in self.answered.floors:
            return None
        floor = self.answered.floors[spec.name]
        return replace(self, label=floor_label(floor.predictor), stages=None, answered=floor.answered)

    def why_not(self, of: str, missing: Missing) -> str:
        """Why an evaluation is not here, in two words; noted with its remedy."""
        if self.answered is None:
            return self.reason
        kind = "report" if self.dataset == "iu_xray" else "vqa"
        some = " --random 100" if kind == "report" else ""
        words = {GPT4_JUDGE: "not judged", HUMAN: "not rated"}.get(of, "not scored")
        stale = [name for name in self.answered.stale if _begins(name, of)]
        because = f"{words} since the answers changed ({', '.join(stale)} is about others)" if stale else words
        remedy = REMEDIES[of].format(place=self.path, kind=kind, some=some)
        missing.add(f"{self.label}, {self.dataset}: {because}", remedy)
        return words


@dataclass(frozen=True)
class Material:
    """Everything that the paper is written from."""

    plan: PaperPlan
    rows: Mapping[tuple[str, str], Place]
    """(data set, row) -> the study's own answers, all of them."""
    models: Sequence[tuple[PlannedModel, Mapping[str, Place]]]
    """Models beside ours."""
    missing: Missing
    floors: bool = True
    """Whether floors stand in the tables."""
    papers: bool = True
    """Whether the paper's figures stand beside ours (``notes.beside_papers``)."""

    def row(self, dataset: str, name: str = "both") -> Place:
        """Our answers of one row."""
        return self.rows[(dataset, name)]

    @property
    def places(self) -> list[Place]:
        """Every place with answers."""
        found = [*self.rows.values(), *(place for _, places in self.models for place in places.values())]
        return [place for place in found if place.answered is not None]


def read_material(plan: PaperPlan, floors: bool = True) -> Material:
    """Read the runs of a plan.

    Args:
        floors: read what predictors that do not look get, where it lies beside the answers.

    Raises:
        ConfigError: a package is missing without which answers that are there cannot be scored, or several judges.
        DataError: a run is damaged.
    """
    missing, runs = Missing(), dict[Path, Run]()
    rows = {}
    for dataset in DATASETS:
        for name, stages in ROWS.items():
            folder = plan.runs.get(dataset, {}).get(name)
            rows[(dataset, name)] = _place(name, dataset, folder, plan.judge, runs, missing, stages, floors)
    models = [
        (
            model,
            {
                name: _place(model.name, name, folder, plan.judge, runs, missing, None, floors)
                for name, folder in model.answers.items()
            },
        )
        for model in plan.models
    ]
    of_rows = {dataset: [rows[(dataset, name)] for name in reversed(tuple(ROWS))] for dataset in DATASETS}
    first = {dataset: next((one for one in places if one.answered), None) for dataset, places in of_rows.items()}
    rows = {key: _compared(place, first[key[0]]) for key, place in rows.items()}
    models = [
        (model, {name: _compared(place, first[name]) for name, place in places.items()}) for model, places in models
    ]
    return Material(plan, rows, models, missing, floors)


def _place(
    label: str,
    dataset: str,
    folder: Path | None,
    judge: str,
    runs: dict[Path, Run],
    missing: Missing,
    stages: Stages | None = None,
    floors: bool = True,
) -> Place:
    place = Place(label, dataset, folder, stages, judge=judge)
    if folder is None:
        missing.add(f"{label}, {dataset}: no run", "name its folder under runs: in the plan")
        return replace(place, reason="no run")
    if not folder.is_dir():
        how = "train and evaluate it" if stages is not None else "pefomed import-predictions, or pefomed predict --api"
        missing.add(f"{label}, {dataset}: {folder} is not there yet", f"{how} (docs/reproducing.md)")
        return replace(place, reason="not run")
    if not (folder / PREDICTIONS).is_file() and not any(folder.glob("results/*/" + PREDICTIONS)):
        missing.add(f"{label}, {dataset}: {folder} holds no answers yet", "let it finish, or evaluate it")
        return replace(place, reason="not answered")
    if folder not in runs:
        runs[folder] = read_run(folder, label, leave_out_stale=True, floors=floors)
    run = replace(runs[folder], name=label)
    answered = run.answered.get(f"{dataset}-test")
    if answered is None:
        missing.add(f"{label}, {dataset}: {folder} does not answer its test split", "evaluate it")
        return replace(place, reason="not answered")
    answered = _with_computed(answered, dataset, place, missing)
    return replace(place, run=run, answered=answered)


def _compared(place: Place, first: Place | None) -> Place:
    """The place, with how its samples differ from those of the study's row with most stages."""
    if place.answered is None or first is None or first.answered is None or place.answered is first.answered:
        return place
    own, others = ({row.id: row for row in one.predictions} for one in (place.answered, first.answered))
    changed = sum(
        (own[name].question, own[name].answer) != (others[name].question, others[name].answer)
        for name in own.keys() & others.keys()
    )
    counts = {
        "are not answered": len(others.keys() - own.keys()),
        "are others": len(own.keys() - others.keys()),
        "have another question or reference": changed,
    }
    said = [f"{count:,} {words}" for words, count in counts.items() if count]
    return replace(place, samples=f"of the samples of row {first.label} {', '.join(said)}") if said else place


def _with_computed(answered: Answered, dataset: str, place: Place, missing: Missing) -> Answered:
    """The answers with the paper's scores that need no model, where they were not scored or were other ones then."""
    of = TASKS.get(dataset, EXACT_MATCH)
    if any(spec.paper == of for spec in answered.scored):
        return answered
    spec = find_scorer(COMPUTED[of])
    require(spec.needs)
    try:
        found = measure(spec, answered.predictions)
    except PefomedError as error:
        missing.add(f"{place.label}, {dataset}: {spec.name} fails", str(error).splitlines()[0])
        return answered
    return replace(
        answered,
        scores={**answered.scores, **found.scores},
        figures={**answered.figures, spec.name: found.figures},
        scorers={**answered.scorers, spec.name: spec},
    )


def _suits(spec: ScorerSpec, dataset: str) -> bool:
    return (spec.kind == ACCURACY) == (dataset != "iu_xray")


def _begins(name: str, of: str) -> bool:
    return name.startswith({GPT4_JUDGE: "judge/", HUMAN: "human/", EXACT_MATCH: "exact_match", LEXICAL: "lexical"}[of])
