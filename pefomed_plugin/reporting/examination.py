"""What ``pefomed prepare`` found in a data set, to print. Computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ..origins import GENERATED
from ..readers.expectations import ERROR, Check
from ..readers.views import views_in_words
from ..services.console import Line
from ..services.data.examination import Account, Lengths
from ..services.data.leakage import Leak
from .rendering import Shown
from .table import BAD, COUNT, FIGURE, QUIET, WARNING, Cell, Column, Table

_PROBLEMS_SHOWN = 5


def account_view(account: Account) -> list[Shown]:
    """Samples and lengths by split, skipped rows, expectations, what is held twice and what leaks."""
    sample = ", generated data" if account.origin == GENERATED else ""
    parts: list[Shown] = [Line(f"{account.dataset}, {account.layout} layout{sample}", "bold"), ""]
    parts += [*account.read_as, ""] if account.read_as else []
    parts.append(_splits_table(account.lengths))
    parts += [f"skipped {count:,}: {reason}" for reason, count in account.skipped.items()]
    parts += [f"{count:,} {what}" for what, count in account.notes.items()]
    parts += [f"{split}: {views_in_words(views)}" for split, views in account.views.items()]
    if account.images_truncated:
        parts.append(Line(f"{account.images_truncated:,} truncated image(s) used", "yellow"))
    parts += [Line("  " + problem, "yellow") for problem in account.image_problems[:_PROBLEMS_SHOWN]]
    unshown = len(account.image_problems) - _PROBLEMS_SHOWN
    if unshown > 0:
        parts.append(Line(f"  and {unshown:,} more image(s) with a problem", "yellow"))
    if account.verdicts:
        parts += ["", _checks_table(account.verdicts)]
    parts += findings_view("held twice", account.repetitions)
    return parts + findings_view("held out, but seen in training", account.leaks)


def findings_view(title: str, findings: Sequence[Leak]) -> list[Shown]:
    """Findings as a table, those that found nothing dimmed; nothing where there are none."""
    columns = [
        Column(title, lambda finding: finding.what),
        Column("count", lambda finding: finding.count, COUNT),
        Column("of", lambda finding: finding.of, COUNT),
        Column("share", _share, FIGURE),
        Column("for example", lambda finding: "".join(finding.examples[:1])),
    ]
    table = Table("", columns, findings, tone=lambda finding: WARNING if finding.count else QUIET)
    return ["", table] if findings else []


def _share(finding: Leak) -> Cell:
    return Cell(100 * finding.count / max(finding.of, 1) if finding.count else None, "%")


def _splits_table(lengths: Sequence[Lengths]) -> Table:
    limit = lengths[0].limit if lengths else 0
    columns = [
        Column("split", lambda length: length.split),
        Column("samples", lambda length: length.count, COUNT),
        Column("median words", lambda length: Cell(length.median, digits=int(length.median % 1 > 0)), FIGURE),
        Column("95 % up to", lambda length: length.percentile_95, COUNT),
        Column("longest", lambda length: length.longest, COUNT),
        Column(f"over {limit:,}", lambda length: length.over_limit, COUNT),
    ]
    return Table("", columns, lengths)


def _checks_table(checks: Sequence[Check]) -> Table:
    columns = [
        Column("expected of the release", lambda check: check.check),
        Column("expected", lambda check: check.expected),
        Column("found", lambda check: check.found),
        Column("", lambda check: "ok" if check.holds else "WRONG" if check.severity == ERROR else "differs"),
    ]
    return Table("", columns, checks, tone=_check_tone)


def _check_tone(check: Check) -> str:
    return "" if check.holds else BAD if check.severity == ERROR else WARNING
