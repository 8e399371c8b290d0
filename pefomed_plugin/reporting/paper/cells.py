"""How a place of the paper's tables is filled: ours, the paper's figure in brackets behind it, or why there is none.

A place without a figure of ours says why; the paper's stands there all the same. Computes no score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...scoring.spec import GROUPS, ScorerSpec
from ...services.console import quote_words
from ..comparison.compare import make_figure
from ..comparison.compare_tables import figure_cell, format_stages
from ..comparison.paper_figures import EXACT_MATCH, GPT4_JUDGE, HUMAN, Stages, paper_figure
from ..comparison.paper_rivals import PublishedModel
from ..table import FIGURE, HIGHER, TEXT, Cell, Column, Table
from .material import COMPUTED, Material, Place
from .notes import beside_papers, judge_note, papers_note, scorers_note
from .plan import ROWS

VQA_SETS = {"vqa_rad": "VQA-RAD", "slake": "SLAKE", "path_vqa": "PathVQA"}
EVALUATIONS = (EXACT_MATCH, HUMAN, GPT4_JUDGE)
"""The paper's, of answers, in its order."""
METRICS = {"meteor": "METEOR", "rouge_l": "ROUGE-L", "cider": "CIDEr"}
LEVELS = tuple(f"level {level}" for level in range(5))
MEASURED_BY = "accuracy measured by"
"""Column of table 2 with the evaluation of a row."""


@dataclass(frozen=True)
class PaperTable:
    """One table of the paper, perhaps in parts."""

    number: int
    parts: tuple[Table, ...]

    @property
    def stem(self) -> str:
        """Beginning of its file names."""
        return f"table_{self.number:02d}"


@dataclass(frozen=True)
class Row:
    """One row: what stands before the figures, and where these come from."""

    labels: tuple[str, ...]
    places: Mapping[str, Place]
    """Data set -> answers."""
    of: str
    """The paper's evaluation; empty: ``name`` is taken."""
    stages: Stages | None = None
    """The paper's row; None: it has none."""
    name: str = ""
    """A scorer that the paper does not have."""
    published: PublishedModel | None = None
    """Figures as the paper prints them, in place of ours."""
    is_floor: bool = False
    """They are of predictors that do not look."""


def cell(row: Row, dataset: str, column: str, material: Material) -> Cell:
    """One figure of ours with the paper's, or why there is none."""
    if row.published is not None:
        value = row.published.figures.get(dataset, {}).get(column)
        return Cell(value, reason="" if value is not None else "not printed", digits=_digits(column))
    place = row.places.get(dataset)
    paper = paper_figure(dataset, row.of, column, row.stages) if row.of and material.papers else None
    if place is None:
        return Cell(None, reason="no floor" if row.is_floor else "no answers")
    spec = _spec_of(row, place)
    if place.answered is None or spec is None:
        found = Cell(None, reason=place.why_not(row.of or EXACT_MATCH, material.missing), digits=_digits(column))
    else:
        scored = spec.column(column if column in spec.columns else spec.columns[-1])
        found = figure_cell(replace(make_figure(place.answered, spec, scored, None), paper=None), scored)
        found = found if found.value is not None else replace(found, reason=_reason(place, spec, column))
    if paper is None:
        return found
    digits = None if found.value is None or column not in LEVELS else 0
    return replace(found, paper=paper.value, paper_sd=paper.sd, paper_digits=digits)


def _spec_of(row: Row, place: Place) -> ScorerSpec | None:
    if row.of:
        return place.scorer(row.of)
    return place.answered.scorers.get(row.name) if place.answered else None


def figures_table(
    title: str, names: Sequence[str], rows: Sequence[Row], columns: Mapping[tuple[str, str], str], material: Material
) -> Table:
    """Rows under columns of figures; ``columns`` gives (data set, column) its header.

    The paper's models are left out where the material is without the paper's figures.
    """
    rows = [row for row in rows if row.published is None or material.papers]

    def figure(key: tuple[str, str], header: str) -> Column:
        unit = "%" if key[1] in GROUPS else ""
        better = None if key[1] in LEVELS else HIGHER
        return Column(header, lambda row: cell(row, key[0], key[1], material), FIGURE, unit=unit, better=better)

    places = [place for row in rows for place in row.places.values()]
    specs = [_spec_of(row, place) for row in rows for place in row.places.values()]
    texts = [Column(name, lambda row, at=number: row.labels[at], TEXT) for number, name in enumerate(names)]  # type: ignore[misc]
    rows = [*rows, *floor_rows(rows, names)]
    table = Table(title, [*texts, *(figure(key, header) for key, header in columns.items())], rows)
    table.rows()  # notes what is missing
    _note_missing_floors(rows, material)
    said = [*papers_note(material, places), *scorers_note(specs), *judge_note(material, specs)]
    return replace(table, notes=[*said, *floor_note(rows)])


def floor_rows(rows: Sequence[Row], names: Sequence[str] = ("",)) -> list[Row]:
    """A row for each evaluation that has a floor: its predictor on each data set, of the first row that has one."""
    found: dict[str, dict[str, Place]] = {}
    begun: dict[str, Row] = {}
    for row in rows:
        for dataset, place in row.places.items():
            floor = place.floor(_spec_of(row, place)) if row.published is None else None
            if floor is not None:
                begun.setdefault(row.of or row.name, row)
                found.setdefault(row.of or row.name, {}).setdefault(dataset, floor)
    floors = []
    for of, places in found.items():
        first = begun[of]
        label = ", ".join(dict.fromkeys(place.label for place in places.values()))
        kept = [text if name == MEASURED_BY else "-" for name, text in zip(names, first.labels)]
        floors.append(replace(first, labels=(label, *kept[1:]), places=places, stages=None, is_floor=True))
    return floors


def _note_missing_floors(rows: Sequence[Row], material: Material) -> None:
    """That answers are there and no floor is: for the paper's evaluations that need no model."""
    if not material.floors:
        return
    for of in COMPUTED:
        own = [row for row in rows if row.of == of and row.published is None]
        having = {dataset for row in own if row.is_floor for dataset in row.places}
        for dataset, place in ((dataset, place) for row in own for dataset, place in row.places.items()):
            if place.answered is not None and dataset not in having:
                asked = quote_words(["pefomed", "floors", place.folder or "RUN", "--data", f"{dataset}=DIR"])
                material.missing.add(f"{dataset}: no floor", asked)
                having.add(dataset)


def floor_note(rows: Sequence[Row]) -> list[str]:
    """What the floors are."""
    floors = dict.fromkeys(place.label for row in rows if row.is_floor for place in row.places.values())
    return [f"{', '.join(floors)}: predictors that do not look (docs/floors-and-leaks.md)."] if floors else []


def ablation_rows(material: Material, datasets: Sequence[str], of: str) -> list[Row]:
    """The four rows of one evaluation."""
    return [
        Row((format_stages(stages),), {dataset: material.row(dataset, name) for dataset in datasets}, of, stages)
        for name, stages in ROWS.items()
    ]


def ablation_tables(
    material: Material,
    number: str,
    datasets: Sequence[str],
    parts: Mapping[str, str],
    columns: Mapping[tuple[str, str], str],
) -> tuple[Table, ...]:
    """A table for each evaluation of ``parts``, with the four rows."""
    material = beside_papers(material, [material.row(dataset, name) for dataset in datasets for name in ROWS])
    return tuple(
        figures_table(
            f"{number}{'' if title.startswith(':') else ' '}{title}",
            ("stages",),
            ablation_rows(material, datasets, of),
            columns,
            material,
        )
        for of, title in parts.items()
    )


def _reason(place: Place, spec: ScorerSpec, column: str) -> str:
    """Why a scorer has no figure, as it says itself."""
    figures = place.answered.figures.get(spec.name, {}) if place.answered else {}
    found = figures.get(column if column in figures else "overall") or {}
    return str(found.get("reason") or "nothing scored")


def _digits(column: str) -> int:
    return 1 if column in GROUPS else 0 if column in LEVELS else 2 if column == "wasm" else 3
