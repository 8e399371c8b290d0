"""``pefomed privacy``: protected health information in files, cleaned copies of them, and what left this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, bullets
from ..reporting.privacy import changes_table, findings_table, kinds_table, log_table
from ..reporting.rendering import Shown
from ..services.ending import FATAL
from ..services.outbound_log import MOST_BYTES, log_path, names_of, older_path, read_log
from ..services.privacy import burned_in, recognisers
from ..services.privacy.findings import Scan
from ..services.private_files import write_for_owner_alone
from ..services.whole_folder import fresh_folder
from .arguments import count_from_1
from .next_step import NextStep, again, pefomed
from .output import Output, add_json_argument

if TYPE_CHECKING:
    from ..services.privacy.cleaning import Cleaned
    from ..services.privacy.scanning import Looker
    from ..services.privacy.sources import Source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    look = kinds.add_parser("scan", help="look for protected health information; writes nothing but with --redact")
    look.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="files and folders, sub-folders included")
    look.add_argument("--redact", action="store_true", help="write a cleaned copy to --out; originals stay as they are")
    look.add_argument("--out", type=Path, metavar="DIR", help="folder of the copy, new or empty")
    look.add_argument(
        "--names",
        default=recognisers.AUTO,
        choices=recognisers.CHOICES,
        help="what finds names: own patterns, or Presidio beside them; auto: Presidio where it is installed",
    )
    look.add_argument(
        "--ocr",
        default=burned_in.AUTO,
        choices=burned_in.CHOICES,
        help="what reads text within images; auto: the first that is installed; none: header and a guess from pixels",
    )
    look.add_argument("--most", type=count_from_1, default=20, metavar="N", help="findings that are listed (20)")
    look.add_argument("--full-names", action="store_true", help="show names of files whole, also where they identify")
    add_json_argument(look)
    log = kinds.add_parser("log", help="what left this machine: host, bytes, how many texts, when, which command")
    log.add_argument("--host", default="", metavar="HOST", help="only what went there")
    add_json_argument(log)
    parser.epilog = (
        "examples:\n  pefomed privacy scan data/ward output\n"
        "  pefomed privacy scan data/ward --redact --out data/ward_cleaned\n  pefomed privacy log\n\n"
        "exit codes of scan: 0 nothing found (with --redact: nothing left in the copy), 1 something found, left, or "
        "not read"
    )


def run(arguments: argparse.Namespace) -> Output:
    """Scan, clean, or show the log."""
    if arguments.what == "log":
        return _log(arguments)
    from ..services.privacy.cleaning import check_out  # late: loads PIL
    from ..services.privacy.scanning import Looker, scan, severity_order  # late: loads PIL
    from ..services.privacy.sources import find_sources  # late: loads PIL

    if arguments.redact != (arguments.out is not None):
        raise ConfigError("--redact and --out DIR go together: the cleaned copy is written there")
    if arguments.out is not None:
        check_out(arguments.out, arguments.paths)
    looker = Looker(
        recognisers.find_recogniser(arguments.names), burned_in.find_reader(arguments.ocr), arguments.full_names
    )
    sources, links = find_sources(arguments.paths)
    if arguments.redact:
        return _redact(arguments, looker, sources, links)
    found = scan(sources, links, looker)
    found.findings.sort(key=severity_order)
    code = FATAL + found.told if found.told else int(bool(found.findings or found.unread))
    return Output(_scan_data(found, looker), _scan_shown(found, looker, len(sources), arguments.most), code)


def _redact(arguments: argparse.Namespace, looker: Looker, sources: Sequence[Source], links: Sequence[str]) -> Output:
    from ..services.privacy.cleaning import Cleaner  # late: loads PIL
    from ..services.privacy.scanning import scan, severity_order  # late: loads PIL
    from ..services.privacy.sources import LINKS, find_sources  # late: loads PIL

    write_for_owner_alone()  # whatever was overlooked is nobody else's to read
    try:
        with fresh_folder(arguments.out, ConfigError) as folder:
            cleaner = Cleaner(looker, sources, folder)
            done = cleaner.copy(sources)
    except KeyboardInterrupt:
        print(f"the copy was not whole: nothing is left in {arguments.out}", file=sys.stderr)
        raise
    if links:
        done.not_copied[LINKS] = [looker.shown(link) for link in links]
    shown: list[Shown] = [changes_table(done.changes), ""] if done.changes else []
    shown += _cleaned_lines(done, arguments.out, arguments.out / cleaner.changes_path.name)
    copies = find_sources([arguments.out])[0]
    found = scan(copies, [], looker)
    count = len(found.findings)
    so_far = f" of the {found.interrupted_after:,} of {len(copies):,} files that were looked at" if found.told else ""
    shown.append(
        f"looked at again: {f'{count:,} findings are left' if count else 'nothing is found in the copy'}{so_far}"
    )
    if count:
        found.findings.sort(key=severity_order)
        shown += ["", findings_table(found.findings, arguments.most)]
    shown += _unread_lines(found)
    data = {
        "out": str(arguments.out),
        "changes": [asdict(change) for change in done.changes],
        "files": dict(done.files),
        "left": done.left,
        "not_copied": done.not_copied,
        "found_in_copy": [asdict(finding) for finding in found.findings],
        "unread_in_copy": found.unread,
        "interrupted_after": found.interrupted_after,
        **_how(looker),
    }
    code = int(bool(found.findings or found.unread or done.left or done.not_copied))
    return Output(data, shown, FATAL + found.told if found.told else code)


def _scan_shown(found: Scan, looker: Looker, total: int, most: int) -> list[Shown]:
    shown: list[Shown] = []
    if found.findings:
        shown += [kinds_table(found), "", findings_table(found.findings, most), ""]
    else:
        shown.append("nothing found, of what was looked at and can be found (docs/privacy.md)")
    read = ", ".join(f"{count:,} {kind}" for kind, count in found.files.most_common()) or "none"
    shown += [f"looked at: {read}", f"names: {looker.recogniser.words}", f"text in images: {looker.reader.words}"]
    if found.marks:
        shown.append(f"{found.marks:,} places were taken out before (___, [NAME], shifted dates, made-up numbers)")
    shown += [f"{count:,} files: {text}" for text, count in found.notes.items()]
    if found.not_looked_at:
        others = ", ".join(f"{len(names):,} {reason}" for reason, names in _most_first(found.not_looked_at))
        shown.append(f"not looked at (--json has their names): {others}")
    shown += _unread_lines(found)
    if found.interrupted_after is not None:
        shown.append(f"interrupted after {found.interrupted_after:,} of {total:,} files: the others were not looked at")
    return shown


def _most_first(named: Mapping[str, list[str]]) -> list[tuple[str, list[str]]]:
    """(why, names), that of most files first."""
    return sorted(named.items(), key=lambda one: -len(one[1]))


def _unread_lines(found: Scan) -> list[str]:
    return [f"could not be read: {len(found.unread):,}", *bullets(found.unread)] if found.unread else []


def _cleaned_lines(done: Cleaned, out: Path, changes: Path) -> list[Shown]:
    counted = ", ".join(f"{count:,} {how}" for how, count in done.files.items()) or "none"
    lines: list[Shown] = [f"copied to {out}, for you alone: {counted}; every change is in {changes}"]
    if done.not_copied:
        lines.append("not copied, because they cannot be cleaned:")
        for reason, names in _most_first(done.not_copied):
            lines += [f"  - {len(names):,} {reason}:", *(f"  {line}" for line in bullets(names))]
    if done.left:
        lines += ["not cleaned:", *bullets(done.left)]
    return lines


def _scan_data(found: Scan, looker: Looker) -> dict[str, Any]:
    return {
        "findings": [{**asdict(finding), "severity": finding.severity} for finding in found.findings],
        "files": dict(found.files),
        "not_looked_at": found.not_looked_at,
        "unread": found.unread,
        "notes": found.notes,
        "taken_out_before": found.marks,
        "interrupted_after": found.interrupted_after,
        **_how(looker),
    }


def _how(looker: Looker) -> dict[str, str]:
    return {"names": looker.recogniser.words, "text_in_images": looker.reader.words}


def next_step(arguments: argparse.Namespace, exit_code: int) -> NextStep:
    """A cleaned copy of what was looked at, or a look at what is still in one; else what the machine allows."""
    if arguments.what == "log" or not exit_code:
        return pefomed("doctor")
    if arguments.redact:
        return pefomed("privacy", "scan", arguments.out)
    if exit_code > FATAL:
        return again(arguments)
    return again(arguments, "--redact", "--out", str(arguments.paths[0].absolute()) + "_cleaned")


def _log(arguments: argparse.Namespace) -> Output:
    noted, gone = read_log()
    older = [older_path()] if older_path().exists() else []
    places = " and ".join(map(str, [log_path(), *older]))
    entries = [entry for entry in noted if arguments.host in ("", *names_of(entry["host"]))]
    words = f"{len(entries):,} requests, noted in {places}" if entries else f"nothing has left, says {places}"
    if noted and not entries:
        hosts = ", ".join(sorted({str(entry["host"]) for entry in noted}))
        words = f"nothing has left for {arguments.host}, says {places}; its {len(noted):,} requests went to {hosts}"
    shown: list[Shown] = [*([log_table(entries)] if entries else []), words]
    if gone:
        since = noted[0]["time"]
        shown.append(
            f"{gone:,} requests before {since} are not noted any more: two files of {MOST_BYTES // 2**20} MiB are kept "
            "(copy the older one away to keep more)"
        )
    return Output({"log": str(log_path()), "older": list(map(str, older)), "entries": entries, "gone": gone}, shown)
