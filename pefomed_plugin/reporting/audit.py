"""What an audit of scorers found, as tables: what was declared beside what came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..scoring.intervals import Interval
from ..scoring.probes import PERFECT, PROBES
from ..services.audit.harness_calls import Called, Counted
from ..services.audit.judge_audit import KindFigure
from ..services.audit.scorers import NOT_RUN, OFF, Finding
from .table import BAD, COUNT, FIGURE, WARNING, Cell, Column, Table

_WHOLE, _GROUPS = "overall", ("open", "closed")
_MOST_NAMES = 4
"""Figures of a row that are named one by one."""


@dataclass(frozen=True)
class _Row:
    probe: str
    declared: str
    came: str
    of: str
    verdict: str


def audit_table(title: str, findings: Sequence[Finding], *, every_figure: bool = False) -> Table:
    """One test set: a row for each probe and for what was declared, with the scorers and figures that share it.

    Of answers in groups (open, closed) the figure over all is shown, and those that are off. With ``every_figure`` each
    has a row of its own.
    """
    shown = [found for found in findings if every_figure or found.verdict == OFF or found.figure not in _GROUPS]
    return Table(
        title,
        [
            Column("answers", lambda row: row.probe),
            Column("declared", lambda row: row.declared),
            Column("came", lambda row: row.came),
            Column("", lambda row: row.verdict),
            Column("of", lambda row: row.of),
        ],
        _rows([found for found in shown if found.verdict != NOT_RUN], every_figure),
        _not_run(findings),
        tone=lambda row: BAD if row.verdict else "",
    )


def harness_table(called: Called, *, every_figure: bool = False) -> Table:
    """What another project counted, beside a right count: the perfect answers, and what differs."""
    shown = [
        found
        for found in called.figures
        if every_figure or not found.is_right or (found.answers == PERFECT and not found.judge)
    ]
    alike = len(called.figures) - len(shown)
    notes = [
        *([f"nothing counted: {called.error}"] if called.error and not called.figures else []),
        *([f"ended early: {called.error}"] if called.error and called.figures else []),
        *([f"{alike} more figures are those of a right count"] if alike else []),
        *([called.note] if called.note else []),
        f"their code, in a process with {called.network}" if called.network else "",
        *([f"not installed, and not called: {', '.join(called.stood_in)}"] if called.stood_in else []),
    ]
    return Table(
        f"{called.harness} ({called.version}): {called.dataset}-test, {called.questions:,} questions",
        [
            Column("answers", lambda row: row.answers + (f", judge always {row.judge}" if row.judge else "")),
            Column("figure", lambda row: row.figure),
            Column("a right count", _right_count),
            Column("came", lambda row: row.reason or f"{row.value:.1f} %"),
            Column("", lambda row: "" if row.is_right else "differs"),
        ],
        shown,
        [note for note in notes if note],
        tone=lambda row: "" if row.is_right else WARNING,
    )


def _right_count(counted: Counted) -> str:
    return "" if counted.low is None or counted.high is None else _span(counted.low, counted.high, "%")


def reward_table(title: str, ends: tuple[float, float], rows: Sequence[Any]) -> Table:
    """What a reward pays for each kind of answers (``rewards.Earned``), beside what is right of them."""
    return Table(
        title,
        [
            Column("answers", lambda row: row.probe),
            Column("earn", lambda row: row.mean, FIGURE, digits=3),
            Column("right of it", lambda row: row.right, FIGURE, digits=3),
            Column("scored", lambda row: row.scored, COUNT),
            Column("not", lambda row: row.unscored, COUNT),
            Column("", lambda row: "overpaid" if row.is_overpaid else ""),
        ],
        rows,
        [f"mean reward, {ends[0]:g} to {ends[1]:g}; right of it: what its exact answers alone would earn"],
        tone=lambda row: BAD if row.is_overpaid else "",
    )


def judge_table(title: str, figures: Sequence[KindFigure]) -> Table:
    """How often a judge's verdict did what it must not, by what was changed."""
    unusable = sum(found.without for found in figures)
    return Table(
        title,
        [
            Column("what was judged", lambda row: row.kind),
            Column("it must", lambda row: row.must),
            Column("moved", lambda row: Cell(row.moved, of=row.n), COUNT),
            Column("wrong", lambda row: Cell(row.wrong, of=row.n), COUNT),
            Column(
                "wrong",
                lambda row: _percent(row.wrong / row.n if row.n else None, row.interval),
                FIGURE,
                unit="%",
                digits=0,
            ),
        ],
        figures,
        [
            "moved: the verdict is another than that of the unchanged answer, or than the right one.",
            "Intervals: 95 %, Wilson.",
            *([f"{unusable:,} probes are left out: no verdict, or nothing that could move so"] if unusable else []),
        ],
        tone=lambda row: WARNING if row.wrong else "",
    )


def _percent(share: float | None, interval: Interval) -> Cell:
    if share is None or interval.low is None or interval.high is None:
        return Cell(reason=interval.reason or "")
    return Cell(100 * share, interval=Interval(100 * interval.low, 100 * interval.high))


def probes_table(names: Sequence[str]) -> Table:
    """What the probes are."""
    return Table(
        "",
        [Column("answers", lambda name: name), Column("what they are", lambda name: PROBES[name].title)],
        names,
    )


def _rows(findings: Sequence[Finding], every_figure: bool) -> list[_Row]:
    """What was declared alike for a probe is one row: figures of a scorer together, then scorers of equal figures."""
    variants = Counter(_family(name) for name in {found.scorer for found in findings})
    by_scorer: dict[tuple[str, str, str, str, str, str, str], list[Finding]] = {}
    for found in findings:
        alone = found.figure if every_figure else ""
        key = (found.probe, _declared(found), found.verdict, found.reason, found.unit, found.scorer, alone)
        by_scorer.setdefault(key, []).append(found)
    together: dict[tuple[object, ...], list[Finding]] = {}
    for key, of_one in by_scorer.items():
        own = key[5] if every_figure or key[2] == OFF else ""
        together.setdefault((*key[:5], own, tuple(found.figure for found in of_one)), []).extend(of_one)
    rows = [_row(found, variants) for found in together.values()]
    order = list(PROBES)
    return sorted(rows, key=lambda row: order.index(row.probe))


def _row(found: Sequence[Finding], variants: Counter[str]) -> _Row:
    first = found[0]
    values = [each.value for each in found if each.value is not None]
    came = _span(min(values), max(values), first.unit) if values else ""
    came += f" ({first.reason})" if first.reason else ""
    return _Row(first.probe, _declared(first), came, _who(found, variants), OFF if first.verdict == OFF else "")


def _declared(found: Finding) -> str:
    if found.low is None or found.high is None:
        return ""
    if found.below:
        return f"below {found.below}"
    return _span(found.low, found.high, found.unit)


def _span(low: float, high: float, unit: str) -> str:
    """``12.5 %``, or ``0.0 - 12.5 %`` where the two are not written alike."""
    digits = 1 if unit == "%" else 3
    ends = dict.fromkeys(
        f"{value + 0.0:.{digits}f}".replace(f"-{0:.{digits}f}", f"{0:.{digits}f}") for value in (low, high)
    )
    return " ".join([" - ".join(ends), unit]).strip()


def _who(found: Sequence[Finding], variants: Counter[str]) -> str:
    """Scorers of a row, a family whole where all of it is in the row, and which of their figures."""
    families: dict[str, dict[str, None]] = {}
    for finding in found:
        families.setdefault(_family(finding.scorer), {})[finding.scorer.rpartition("/")[2]] = None
    names = [
        f"{family}/* ({len(own)})"
        if len(own) == variants[family] > 1
        else family
        if list(own) == [family]
        else f"{family}/{', '.join(own)}"
        for family, own in families.items()
    ]
    figures = list(dict.fromkeys(each.figure for each in found if each.figure not in ("", _WHOLE)))
    if len(figures) > _MOST_NAMES:
        figures = [f"{figures[0]} to {figures[-1]} ({len(figures)})"]
    return "; ".join(names) + (f": {', '.join(figures)}" if figures else "")


def _family(scorer: str) -> str:
    """``judge/vqa`` of ``judge/vqa/gpt-4``; a name without a variant is its own family."""
    return scorer.rpartition("/")[0] or scorer


def _not_run(findings: Sequence[Finding]) -> list[str]:
    """A line for each scorer and reason, with the figures that were not measured."""
    lines: dict[tuple[str, str], list[str]] = {}
    for found in findings:
        if found.verdict == NOT_RUN:
            lines.setdefault((found.scorer, found.reason), []).append(found.figure)
    return [
        f"not run: {scorer}, {', '.join(dict.fromkeys(figures))}: {reason}"
        for (scorer, reason), figures in lines.items()
    ]
