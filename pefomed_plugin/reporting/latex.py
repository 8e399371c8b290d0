"""A table as LaTeX, and any text escaped for it. For pdflatex, XeLaTeX and LuaLaTeX, with what ``NEEDS`` says.

A rendering of ``Table`` as those of ``rendering``: what a place says is decided in ``table``. Characters that pdflatex
does not know are written as their code, ``[U+4E2D]``, so that the file always compiles.
"""

from __future__ import annotations

import unicodedata

from .table import TEXT, Column, Table, on_one_line

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\`{}",
    "[": "{[}",
    "]": "{]}",
    "\u00b1": r"$\pm$",
    "\u00d7": r"$\times$",
    "\u00b7": r"$\cdot$",
    "\u00b2": r"$^{2}$",
    "\u00b3": r"$^{3}$",
    "\u00b0": r"$^{\circ}$",
    "\u00b5": r"$\mu$",
    "\u2264": r"$\leq$",
    "\u2265": r"$\geq$",
    "\u2248": r"$\approx$",
    "\u2192": r"$\rightarrow$",
    "\u2212": r"$-$",
    "\u2013": "--",
    "\u2014": "---",
    "\u2018": "`",
    "\u2019": "'",
    "\u201c": "``",
    "\u201d": "''",
    "\u2026": r"\ldots{}",
    "\u00a0": "~",
    "\u2191": r"$\uparrow$",
    "\u2193": r"$\downarrow$",
}
"""Brackets stand in braces: one at the start of a row would be taken for an option of the line break before it."""
_GREEK_SMALL = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
    *("nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
_GREEK_CAPITAL = ["gamma", "delta", "theta", "lambda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega"]
"""Those that differ from a Latin capital, which alone have a command."""
_LAST_OF_LATIN_1 = "\u00ff"
_LONG, _WIDE, _MOST_LETTERS = 34, 7, 90
"""Letters from which a column of texts is set as paragraphs; columns from which a table is scaled to the page; letters
above which a column gets no wider."""
_APART = "\0"
_APARTED = f"-{_APART}-"
"""Two hyphens that are no dash: ``--out``."""
NEEDS = "\\usepackage[T1]{fontenc}\n\\usepackage{booktabs}\n\\usepackage{graphicx}"
"""What a document that takes these tables has in its preamble."""


def escape(text: str) -> str:
    """A text as LaTeX sets it, on one line."""
    return "".join(map(_letter, on_one_line(text).replace("--", _APARTED).replace("--", _APARTED)))


def to_latex(table: Table, label: str = "") -> str:
    """A ``table`` environment: title as caption, notes below; nothing where it has no rows.

    Args:
        label: for ``\\ref``; empty: none.
    """
    if not table.items:
        return ""
    texts = table.texts()
    longest = [max(map(len, places)) for places in zip(*texts)]
    scaled = len(table.columns) > _WIDE
    paragraphs = [
        not scaled and column.kind == TEXT and length > _LONG for column, length in zip(table.columns, longest)
    ]
    rows = [
        r"\toprule",
        _line([column.header for column in table.columns]),
        r"\midrule",
        *map(_line, texts),
        r"\bottomrule",
    ]
    whole = sum(min(length, _MOST_LETTERS) for length in longest)
    columns = "".join(
        _place(column, min(length, _MOST_LETTERS) / whole if is_paragraph else None)
        for column, length, is_paragraph in zip(table.columns, longest, paragraphs)
    )
    body = "\n".join([rf"\begin{{tabular}}{{{columns}}}", *rows, r"\end{tabular}"])
    if scaled:
        body = "\\resizebox{\\linewidth}{!}{%\n" + body + "}"
    notes = [
        rf"\par\smallskip\parbox{{0.95\linewidth}}{{\footnotesize {escape(note.strip())}}}" for note in table.notes
    ]
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering\small",
            *([rf"\caption{{{escape(table.title)}}}"] if table.title else []),
            *([rf"\label{{{label}}}"] if label else []),
            body,
            *notes,
            r"\end{table}",
        ]
    )


def _note(text: str) -> str:
    return rf"\par\smallskip\parbox{{0.95\linewidth}}{{\footnotesize {escape(text.strip())}}}"


def _line(places: list[str]) -> str:
    return " & ".join(map(escape, places)) + r" \\"


def _place(column: Column, share: float | None) -> str:
    """Left or right; a paragraph where it has a share of the width."""
    if share is None:
        return "l" if column.kind == TEXT else "r"
    return rf"p{{{max(0.9 * share, 0.12):.2f}\linewidth}}"


def _letter(letter: str) -> str:
    if letter == _APART:
        return "{}"
    if letter in _SPECIAL:
        return _SPECIAL[letter]
    if letter.isascii() or (letter <= _LAST_OF_LATIN_1 and letter.isalpha()):
        return letter
    kind, _, name = unicodedata.name(letter, "").lower().replace("lamda", "lambda").rpartition(" ")
    if kind == "greek small letter" and name in _GREEK_SMALL:
        return f"$\\{name}$"
    if kind == "greek capital letter" and name in _GREEK_CAPITAL:
        return f"$\\{name.capitalize()}$"
    return rf"{{[}}U+{ord(letter):04X}{{]}}"
