"""The paper's tables on answers: 2 (models), 3 and 4 (phrase types, organs), 8 and 9 (ablation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...scoring.breakdown import GroupMean, label_of
from ...scoring.leaks import NO, YES
from ...scoring.spec import GROUPS, ScorerSpec
from ..breakdowns import break_down_answers, title_of_axis
from ..comparison.paper_figures import BOTH, EXACT_MATCH, GPT4_JUDGE, HUMAN, paper_figure
from ..comparison.paper_rivals import EXACT, GENERATIVE, TABLE_2
from ..leaks import parting_axis
from ..table import FIGURE, HIGHER, Cell, Column, Table
from .cells import (
    EVALUATIONS,
    MEASURED_BY,
    VQA_SETS,
    PaperTable,
    Row,
    ablation_rows,
    ablation_tables,
    figures_table,
    floor_note,
    floor_rows,
)
from .material import Material, Place
from .notes import beside_papers, judge_note, papers_note, scorers_note, trained_in_words, words_of
from .plan import ROWS


def table_2(material: Material) -> PaperTable:
    """Models on the three data sets: the paper's, ours, and whose answers were imported or asked for."""
    ours = {name: material.row(name) for name in VQA_SETS}
    others = [place for _, places in material.models for name, place in places.items() if name in VQA_SETS]
    material = beside_papers(material, [*ours.values(), *others])
    figures_of = "ours (paper)" if material.papers else "ours"
    rows = [
        Row((model.name, model.kind, model.protocol, model.trained or "not printed", "paper"), {}, "", published=model)
        for model in TABLE_2
    ]
    trained = trained_in_words(material, ours.values())
    rows += [
        Row(("PeFoMed", GENERATIVE, words_of(of, ours.values()), trained, figures_of), ours, of, BOTH)
        for of in EVALUATIONS
    ]
    rows += _further("PeFoMed", GENERATIVE, trained, "ours", ours)
    for model, places in material.models:
        kind, trained = model.kind, model.trained or "not given"
        vqa = {name: place for name, place in places.items() if name in VQA_SETS}
        if vqa:
            rows.append(Row((model.name, kind, EXACT, trained, "answers"), vqa, EXACT_MATCH))
            if any(place.scorer(GPT4_JUDGE) for place in vqa.values()):
                judge = words_of(GPT4_JUDGE, vqa.values())
                rows.append(Row((model.name, kind, judge, trained, "answers"), vqa, GPT4_JUDGE))
            rows += _further(model.name, kind, trained, "answers", vqa)
    columns = {(name, group): f"{title} {group}" for name, title in VQA_SETS.items() for group in GROUPS}
    names = ("model", "type", MEASURED_BY, "trained parameters", "figures of")
    table = figures_table("Table 2: models on VQA-RAD, SLAKE and PathVQA", names, rows, columns, material)
    notes = [f"{model.name}: {model.note}." for model in TABLE_2 if model.note]
    notes.append("The paper's rows are its table 2; the protocols differ, and token recall is no exact match.")
    return PaperTable(2, (replace(table, notes=[*table.notes, *(notes if material.papers else [])]),))


def leak_table(material: Material) -> PaperTable | None:
    """Beside the paper: our answers on both parts of a test set, those that training has and those that it has not.

    None where ``pefomed leaks`` looked for none of them, or what it found parts no test set.
    """
    parts: list[Table] = []
    for dataset, title in VQA_SETS.items():
        place = material.row(dataset)
        run = (
            replace(place.run, answered={place.answered.key: place.answered}) if place.run and place.answered else None
        )
        axis = parting_axis([run], place.answered.key) if run and place.answered else None
        if axis:
            labels = {group: label_of(dataset, axis, group) for group in (YES, NO)}
            name = f"Beside the paper: {title} by {title_of_axis(axis, dataset)}"
            parts += breakdown_table(material, 13, axis, labels, name, dataset).parts
    return PaperTable(13, tuple(parts)) if parts else None


def breakdown_table(
    material: Material,
    number: int,
    axis: str,
    groups: Mapping[str, str],
    title: str,
    dataset: str = "vqa_rad",
    said: Sequence[str] = (),
) -> PaperTable:
    """Tables 3 and 4: VQA-RAD by phrase type or organ, under the three evaluations.

    Args:
        said: of the paper's figures, where they stand.
    """
    place = material.row(dataset)
    material = beside_papers(material, [place])
    rows = [Row((words_of(of, [place]),), {dataset: place}, of, BOTH) for of in EVALUATIONS]
    rows += [replace(row, labels=(f"{row.labels[0]}, {words_of(row.of, [place])}",)) for row in floor_rows(rows)]
    found = {(row.of, row.is_floor): _cells(row.places[dataset], row.of, axis) for row in rows}
    there = [group for cells in found.values() for group in cells]

    def content(row: Row, group: str) -> Cell:
        paper = paper_figure(dataset, row.of, group, row.stages) if material.papers else None
        own = found[(row.of, row.is_floor)].get(group)
        if own is not None:
            shown = Cell(own.value, sd=own.sd, digits=1, reason="" if own.value is not None else "nothing scored")
        elif found[(row.of, row.is_floor)]:
            shown = Cell(None, reason="no such answers", digits=1)
        else:
            shown = Cell(None, reason=place.why_not(row.of, material.missing), digits=1)
        return replace(shown, paper=paper.value, paper_sd=paper.sd) if paper else shown

    wanted = {**groups, **{group: group for group in there if group not in groups}}
    columns = [
        Column(name, lambda row, of=group: content(row, of), FIGURE, unit="%", better=HIGHER)  # type: ignore[misc]
        for group, name in wanted.items()
    ]
    table = Table(title, [Column("evaluation", lambda row: row.labels[0]), *columns], rows)
    table.rows()
    specs = [place.scorer(of) for of in EVALUATIONS]
    notes = [*papers_note(material, [place]), *scorers_note(specs), *judge_note(material, specs), *floor_note(rows)]
    return PaperTable(number, (replace(table, notes=[*notes, *(said if material.papers else ())]),))


def table_8(material: Material) -> PaperTable:
    """Ablation on SLAKE and PathVQA."""
    sets = ("slake", "path_vqa")
    columns = {(name, group): f"{VQA_SETS[name]} {group}" for name in sets for group in GROUPS}
    parts = {EXACT_MATCH: "(a): ablation, exact match", GPT4_JUDGE: "(b): ablation, GPT-4"}
    return PaperTable(8, ablation_tables(material, "Table 8", sets, parts, columns))


def table_9(material: Material) -> PaperTable:
    """Ablation on VQA-RAD; people rate the model of both stages."""
    columns = {("vqa_rad", group): group for group in GROUPS}
    parts = {EXACT_MATCH: "(a): VQA-RAD, exact match", GPT4_JUDGE: "(b): VQA-RAD, GPT-4"}
    tables = ablation_tables(material, "Table 9", ("vqa_rad",), parts, columns)
    material = beside_papers(material, [material.row("vqa_rad", name) for name in ROWS])
    people = [row for row in ablation_rows(material, ("vqa_rad",), HUMAN) if row.stages == BOTH]
    last = figures_table("Table 9 (c): VQA-RAD, people", ("stages",), people, columns, material)
    return PaperTable(9, (*tables, last))


def _further(name: str, kind: str, trained: str, figures_of: str, places: Mapping[str, Place]) -> list[Row]:
    """Rows of token recall, LLaVA-Med's measure, where it was scored."""
    scorer = "token_recall/llava_med"
    having = {key: place for key, place in places.items() if place.answered and scorer in place.answered.scorers}
    row = Row((name, kind, "token recall (open)", trained, figures_of), having, "", name=scorer)
    return [row] if having else []


def _cells(place: Place, of: str, axis: str) -> dict[str, GroupMean]:
    spec: ScorerSpec | None = place.scorer(of)
    if place.answered is None or spec is None:
        return {}
    return {found.group: found for found in break_down_answers(place.answered, spec.name, axis).cells}
