"""The data set doctor's account on a terminal. Only shows; every figure comes from ``services.doctor``."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..readers.expectations import ERROR, Check
from ..services.data.examination import Account
from ..services.data.leakage import Leak

_PROBLEMS_SHOWN = 5
_PLAIN_WIDTH = 140


def make_console() -> Console:
    """Console of the standard output; where that is a file, wide enough that no figure is folded."""
    console = Console()
    return console if console.is_terminal else Console(width=_PLAIN_WIDTH)


def print_account(account: Account, console: Console | None = None) -> None:
    """Samples and lengths by split, skipped rows, expectations, what is held twice and what leaks."""
    console = console or make_console()
    title = f"{account.dataset}, {account.layout} layout"
    console.print(Text(title + (", EMBEDDED sample" if account.embedded else ""), style="bold"))
    console.print()
    console.print(_splits(account))
    for reason, count in account.skipped.items():
        console.print(Text(f"skipped {count:,}: {reason}"), soft_wrap=True)
    if account.images_truncated:
        console.print(Text(f"{account.images_truncated:,} truncated image(s) used", style="yellow"))
    for problem in account.image_problems[:_PROBLEMS_SHOWN]:
        console.print(Text("  " + problem, style="yellow"), soft_wrap=True)
    if account.verdicts:
        console.print()
        console.print(_verdicts(account.verdicts))
    print_findings("held twice", account.repetitions, console)
    print_findings("held out, but seen in training", account.leaks, console)


def print_findings(title: str, findings: Sequence[Leak], console: Console | None = None) -> None:
    """Findings as a table, those that found nothing dimmed."""
    if not findings:
        return
    console = console or make_console()
    table = _table(title, ("count", "of", "share"), "for example")
    for finding in findings:
        table.add_row(
            Text(finding.what),
            f"{finding.count:,}",
            f"{finding.of:,}",
            f"{100 * finding.count / max(finding.of, 1):.1f} %" if finding.count else "-",
            Text("".join(finding.examples[:1])),
            style="yellow" if finding.count else "dim",
        )
    console.print()
    console.print(table)


def _splits(account: Account) -> Table:
    limit = account.lengths[0].limit if account.lengths else 0
    table = _table("split", ("samples", "median words", "95 % up to", "longest", f"over {limit:,}"))
    for length in account.lengths:
        table.add_row(
            length.split,
            f"{length.count:,}",
            f"{length.median:g}",
            *map("{:,}".format, (length.percentile_95, length.longest, length.over_limit)),
        )
    return table


def _verdicts(verdicts: Sequence[Check]) -> Table:
    table = _table("expected of the release", (), "expected", "found", "")
    for verdict in verdicts:
        word, style = (
            ("ok", "green")
            if verdict.holds
            else ("WRONG", "red")
            if verdict.severity == ERROR
            else ("differs", "yellow")
        )
        table.add_row(Text(verdict.check), Text(verdict.expected), Text(verdict.found), Text(word, style=style))
    return table


def _table(first: str, numbers: Sequence[str], *texts: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold cyan")
    table.add_column(first, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for name in texts:
        table.add_column(name, overflow="fold")
    return table
