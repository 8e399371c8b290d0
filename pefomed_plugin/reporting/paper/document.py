"""Everything of ``pefomed paper`` into one folder: Markdown, LaTeX, CSV, figures, methods text, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...atomic import as_one
from ...storage import write_text
from ..latex import NEEDS, escape, to_latex
from ..rendering import to_csv, to_markdown
from .cells import PaperTable
from .figures import draw_figures
from .material import Material
from .methods import methods_text
from .notes import departures_of
from .report_tables import table_5, table_6, table_7, table_10, table_11
from .texts import table_1, table_12
from .vqa_tables import breakdown_table, leak_table, table_2, table_8, table_9

_PARTS = "abc"


@dataclass(frozen=True)
class Written:
    """What was written."""

    tables: Sequence[PaperTable]
    missing: Sequence[str]
    """What is not there yet, each with its remedy."""
    methods: Sequence[str]
    files: Sequence[Path]


def write_paper(material: Material, out: Path) -> Written:
    """Write the folder; files of an earlier call are replaced, all of them or, after an error, none.

    Raises:
        ConfigError: matplotlib is not installed, or the plan does not say which of several judges.
        DataError: a file cannot be written.
    """
    with as_one(out):
        return _write(material, out)


def _write(material: Material, out: Path) -> Written:
    tables = paper_tables(material)
    methods = methods_text(material)
    files: list[Path] = []

    def write(name: str, text: str) -> None:
        write_text(out / name, text)
        files.append(out / name)

    for table in tables:
        write(f"tables/{table.stem}.md", _markdown(table))
        write(f"tables/{table.stem}.tex", _latex(table))
        for part, name in zip(table.parts, _names(table)):
            write(f"tables/{name}.csv", to_csv(part))
    figures = draw_figures(material, out / "figures")
    files += [path.with_suffix(ending) for _, _, path in figures for ending in (".svg", ".png")]
    missing = list(material.missing.lines)
    write("methods.md", "\n\n".join(methods) + "\n")
    write("methods.tex", "\n\n".join(map(escape, methods)) + "\n")
    write("missing.md", _listing("What is missing", missing))
    departures = departures_of(material.places)
    write("departures.md", _listing("How our runs depart from the paper's", departures))
    write("README.md", _readme(material, tables, figures, methods, missing, departures))
    write("paper.tex", _document(tables, figures, missing, departures))
    return Written(tables, missing, methods, files)


def paper_tables(material: Material) -> list[PaperTable]:
    """Tables 1 to 12, in order; behind them our figures by what training has, where it was looked for."""
    phrases = {"freeform": "free-form", "para": "paraphrased"}
    organs = {"CHEST": "chest", "HEAD": "head", "ABD": "abdomen"}
    note = "The paper's figures for paraphrased questions are not in the text of it that we have."
    return [
        table_1(material),
        table_2(material),
        breakdown_table(material, 3, "phrase_type", phrases, "Table 3: VQA-RAD by phrase type", said=[note]),
        breakdown_table(material, 4, "organ", organs, "Table 4: VQA-RAD by organ"),
        *(make(material) for make in (table_5, table_6, table_7, table_8, table_9, table_10, table_11)),
        table_12(),
        *([leaks] if (leaks := leak_table(material)) else []),
    ]


def _names(table: PaperTable) -> list[str]:
    if len(table.parts) == 1:
        return [table.stem]
    return [f"{table.stem}_{letter}" for letter, _ in zip(_PARTS, table.parts)]


def _markdown(table: PaperTable) -> str:
    return "\n\n".join(to_markdown(part) for part in table.parts) + "\n"


def _latex(table: PaperTable) -> str:
    head = "% " + NEEDS.replace("\n", "\n% ")
    parts = [
        to_latex(replace(part, title=_of_the_paper(part.title)), f"tab:pefomed-{name}")
        for part, name in zip(table.parts, _names(table))
    ]
    return "\n\n".join([head, *parts]) + "\n"


def _listing(title: str, lines: Sequence[str]) -> str:
    listed = "\n".join(f"- {line}" for line in lines)
    return f"# {title}\n\n{listed or 'Nothing that is known.'}\n"


def _readme(
    material: Material,
    tables: Sequence[PaperTable],
    figures: Sequence[tuple[int, str, Path]],
    methods: Sequence[str],
    missing: Sequence[str],
    departures: Sequence[str],
) -> str:
    parts = [
        "# The paper's tables and figures, from our runs",
        f"Written by `pefomed paper` from `{material.plan.path}`. Every table is in `tables/` as Markdown, LaTeX and "
        "CSV, every figure in `figures/` as SVG and PNG; `paper.tex` has them all.",
        "## Methods",
        *methods,
        "#" + _listing("What is missing", missing).strip(),
        "#" + _listing("How our runs depart from the paper's", departures).strip(),
        *(_markdown(table).strip() for table in tables),
        *(f"## {caption}\n\n![{caption}](figures/{path.name})" for _, caption, path in figures),
    ]
    return "\n\n".join(parts) + "\n"


def _document(
    tables: Sequence[PaperTable],
    figures: Sequence[tuple[int, str, Path]],
    missing: Sequence[str],
    departures: Sequence[str],
) -> str:
    parts = [
        "% pdflatex paper.tex (or xelatex, lualatex), in this folder",
        r"\documentclass[a4paper]{article}",
        "\\usepackage[margin=2cm]{geometry}\n\\usepackage[utf8]{inputenc}\n" + NEEDS,
        r"\begin{document}",
        "\\section*{Methods}\n\\input{methods}",
        _itemised("What is missing", missing),
        _itemised("How our runs depart from the paper's", departures),
        r"\section*{Tables}",
        *(rf"\input{{tables/{table.stem}}}" for table in tables),
        "\\clearpage\n\\section*{Figures}",
        *(_figure(caption, path) for _, caption, path in figures),
        r"\end{document}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _itemised(title: str, lines: Sequence[str]) -> str:
    items = [rf"\item {escape(line)}" for line in lines]
    listed = [r"\begin{itemize}\raggedright", *items, r"\end{itemize}"]
    return "\n".join([rf"\section*{{{escape(title)}}}", *listed]) if lines else ""


def _figure(caption: str, path: Path) -> str:
    size = r"width=\linewidth,height=0.8\textheight,keepaspectratio"
    return "\n".join(
        [
            r"\begin{figure}[htbp]",
            r"\centering",
            rf"\includegraphics[{size}]{{figures/{path.name}}}",
            rf"\caption{{{escape(_of_the_paper(caption))}}}",
            r"\end{figure}",
        ]
    )


def _of_the_paper(title: str) -> str:
    """LaTeX counts tables and figures itself; which of the paper's it is, the caption says."""
    kind, _, rest = title.partition(" ")
    if kind not in ("Table", "Figure"):  # not the paper's
        return title
    return f"The paper's {kind.lower()} {rest}"
