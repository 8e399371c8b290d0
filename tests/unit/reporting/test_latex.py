"""LaTeX of tables: every special letter is escaped, every row has as many places as there are columns."""

from __future__ import annotations

import re

import pytest

from pefomed_plugin.reporting.latex import escape, to_latex
from pefomed_plugin.reporting.rendering import to_csv
from pefomed_plugin.reporting.table import COUNT, FIGURE, Cell, Column, Table
from pefomed_plugin.scoring.intervals import Interval

HOSTILE = r"50 % of a_b & c#d $x$ {y} \input{z} ~ ^ | <i> \"q\" [1]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % & a_b", r"50 \% \& a\_b"),
        ("$x$ {y} #1", r"\$x\$ \{y\} \#1"),
        (r"\end{table}", r"\textbackslash{}end\{table\}"),
        ("a~b^c", r"a\textasciitilde{}b\textasciicircum{}c"),
        ("1.0 \u00b1 0.2", r"1.0 $\pm$ 0.2"),
        ("--out ---", "-{}-out -{}-{}-"),
        ("\u03b1 \u03bb \u03a9 \u00b5", r"$\alpha$ $\lambda$ $\Omega$ $\mu$"),
        ("caf\u00e9 \u4e2d", "caf\u00e9 {[}U+4E2D{]}"),
        ("[1] a\nb", "{[}1{]} a b"),
        ("\x07", "{[}U+FFFD{]}"),
    ],
)
def test_letters_that_mean_something_to_latex_are_escaped(text: str, expected: str) -> None:
    assert escape(text) == expected


def is_balanced(text: str) -> bool:
    depth = 0
    for brace in re.sub(r"\\[\\{}]", "", text):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        if depth < 0:
            return False
    return depth == 0


@pytest.mark.parametrize("columns", [2, 9])
def test_a_table_is_well_formed(columns: int) -> None:
    more = [
        Column(f"c_{number}", lambda item: Cell(item[1], sd=1.0, paper=2.0), FIGURE, unit="%")
        for number in range(columns)
    ]
    table = Table(HOSTILE, [Column("text", lambda item: item[0]), *more], [(HOSTILE, 1.0), ("x" * 80, None)], [HOSTILE])
    found = to_latex(table, "tab:made")
    assert is_balanced(found) and found.count(r"\begin{") == found.count(r"\end{")
    lines = [line for line in found.splitlines() if line.endswith(r"\\")]
    assert [len(re.findall(r"(?<!\\)&", line)) for line in lines] == [columns] * 3
    assert not re.search(r"(?<!\\)[%#$](?![p\n])", found.replace("$\\pm$", "").replace("{!}{%", ""))
    assert (r"\resizebox" in found) == (columns == 9) and (r"p{" in found) == (columns == 2)
    assert r"\label{tab:made}" in found and to_latex(Table("", [], [])) == ""


def test_csv_holds_numbers_as_they_are_and_why_there_is_none() -> None:
    interval = Interval(1.5, 3.5, None)
    table = Table(
        "",
        [
            Column("name", lambda item: item[0]),
            Column("open", lambda item: item[1], FIGURE, unit="%"),
            Column("n", lambda item: 3, COUNT),
        ],
        [("a, b", Cell(1 / 3, sd=0.5, interval=interval, paper=2.0)), ("c", Cell(None, reason="not rated"))],
    )
    assert to_csv(table).splitlines() == [
        "name,open %,open % sd,open % low,open % high,open % paper,open % reason,n",
        '"a, b",0.3333333333333333,0.5,1.5,3.5,2.0,,3',
        "c,,,,,,not rated,3",
    ]
