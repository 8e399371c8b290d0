"""The paper's tables on reports: 5 (models), 6 and 7 (levels by people and GPT-4), 10 and 11 (ablation)."""

from __future__ import annotations

from dataclasses import replace

from ...readers import describe
from ..comparison.compare_tables import figure_cell
from ..comparison.evaluations import evaluate_runs
from ..comparison.paper_figures import BOTH, GPT4_JUDGE, HUMAN, LEXICAL, paper_figure
from ..comparison.paper_rivals import GENERATIVE, TABLE_5
from ..table import FIGURE, Cell, Column, Table
from .cells import LEVELS, METRICS, PaperTable, Row, ablation_tables, figures_table
from .material import Material, Place
from .notes import beside_papers, judge_note, papers_note, words_of
from .plan import ROWS


def table_5(material: Material) -> PaperTable:
    """Report metrics of models on IU-Xray."""
    ours = material.row("iu_xray")
    others = [places["iu_xray"] for _, places in material.models if "iu_xray" in places]
    material = beside_papers(material, [ours, *others])
    rows = [Row((model.name, model.kind, "paper"), {}, "", published=model) for model in TABLE_5]
    figures_of = "ours (paper)" if material.papers else "ours"
    rows.append(Row(("PeFoMed", GENERATIVE, figures_of), {"iu_xray": ours}, LEXICAL, BOTH))
    for model, places in material.models:
        if "iu_xray" in places:
            rows.append(Row((model.name, model.kind, "answers"), {"iu_xray": places["iu_xray"]}, LEXICAL))
    columns = {("iu_xray", metric): name for metric, name in METRICS.items()}
    title = "Table 5: models on IU-Xray"
    table = figures_table(title, ("model", "type", "figures of"), rows, columns, material)
    notes = [f"{model.name}: {model.note}." for model in TABLE_5 if model.note and material.papers]
    return PaperTable(5, (replace(table, notes=[*table.notes, *notes]),))


def table_6(material: Material) -> PaperTable:
    """What people and the judge give the reports that people rated."""
    place = material.row("iu_xray")
    material = beside_papers(material, [place])
    found = (
        evaluate_runs([replace(place.run, answered={place.answered.key: place.answered})])
        if place.run and place.answered
        else []
    )
    by_spec = {row.scorer: row for evaluations in found for row in evaluations.rows}
    rated = {row.scorer: row for evaluations in found for row in evaluations.rows if row.among is not None}

    def content(of: str, column: str) -> Cell:
        among = "" if of == HUMAN else "rated"
        paper = paper_figure("iu_xray", of, column, BOTH, among) if material.papers else None
        spec, people = place.scorer(of), place.scorer(HUMAN)
        row = (rated.get(spec.name) or by_spec.get(spec.name)) if spec else None
        if spec is None:
            shown = Cell(None, reason=place.why_not(of, material.missing), digits=2)
        elif people is None or row is None:
            shown = Cell(None, reason="nobody rated", digits=2)
        else:
            scored = spec.column(column)
            shown = replace(figure_cell(replace(row.figures[column], paper=None), scored), digits=2)
        return replace(shown, paper=paper.value, paper_sd=paper.sd, paper_digits=2) if paper else shown

    columns = [
        Column(name, lambda of, at=column: content(of, at), FIGURE)  # type: ignore[misc]
        for column, name in zip((*LEVELS, "wasm"), (*LEVELS, "WASM"))
    ]
    label = Column("evaluation", lambda of: words_of(of, [place]))
    table = Table("Table 6: reports that people rated", [label, *columns], [HUMAN, GPT4_JUDGE])
    table.rows()
    people = place.answered.figures.get("human/report", {}) if place.answered else {}
    rated_of_ours = people.get("overall", {}).get("n")
    scope = [f"People rated {people['scope']}."] if people.get("scope") else []
    scope += [f"Ours are {rated_of_ours:,} reports, the paper's 100."] if rated_of_ours and material.papers else []
    notes = [*papers_note(material, [place]), *scope, *judge_note(material, [place.scorer(GPT4_JUDGE)])]
    return PaperTable(6, (replace(table, notes=notes),))


def table_7(material: Material) -> PaperTable:
    """Levels that the judge gives the whole test set, in numbers and percent."""
    place = material.row("iu_xray")
    material = beside_papers(material, [place])
    row = Row(("reports",), {"iu_xray": place}, GPT4_JUDGE, BOTH)
    columns = {("iu_xray", level): level for level in LEVELS}
    numbers = figures_table("", ("",), [row], {**columns, ("iu_xray", "wasm"): "WASM"}, material)
    counts = numbers.rows()[0][1:-1]
    total = sum(found.value or 0 for found in counts if isinstance(found, Cell))
    papers = [found.paper for found in counts if isinstance(found, Cell) and found.paper is not None]

    def share(at: int) -> Cell:
        found = counts[at]
        assert isinstance(found, Cell)
        value = 100 * found.value / total if found.value is not None and total else None
        paper = 100 * found.paper / sum(papers) if found.paper is not None else None
        return Cell(value, "%", paper=paper, digits=1, reason=found.reason)

    shares = ["share", *(share(at) for at in range(len(counts))), Cell(None, reason="")]
    rows = [numbers.rows()[0], shares]
    table_columns = [
        replace(column, content=lambda places, at=at: places[at], better=None)  # type: ignore[misc]
        for at, column in enumerate(numbers.columns)
    ]
    title = "Table 7: levels of the reports of the whole test set"
    return PaperTable(7, (Table(title, table_columns, rows, [*numbers.notes, *_sizes(material, place)]),))


def table_10(material: Material) -> PaperTable:
    """Ablation on IU-Xray, report metrics."""
    columns = {("iu_xray", metric): name for metric, name in METRICS.items()}
    return PaperTable(
        10, ablation_tables(material, "Table 10", ("iu_xray",), {LEXICAL: ": ablation on IU-Xray"}, columns)
    )


def table_11(material: Material) -> PaperTable:
    """Ablation on IU-Xray, levels."""
    columns = {("iu_xray", column): name for column, name in zip((*LEVELS, "wasm"), (*LEVELS, "WASM"))}
    parts = {GPT4_JUDGE: ": levels by GPT-4 on IU-Xray"}
    tables = ablation_tables(material, "Table 11", ("iu_xray",), parts, columns)
    material = beside_papers(material, [material.row("iu_xray", name) for name in ROWS])
    sizes = _sizes(material, material.row("iu_xray"))
    return PaperTable(11, tuple(replace(table, notes=[*table.notes, *sizes]) for table in tables))


def _sizes(material: Material, place: Place) -> list[str]:
    """How many reports the counts are of, where it is another number than the paper's."""
    if not material.papers:
        return []
    ours, papers = len(place.answered.predictions) if place.answered else 0, describe(place.dataset).splits["test"]
    return [f"Counts are of {ours:,} reports here, and of {papers:,} in the paper."] if ours not in (0, papers) else []
