"""``pefomed privacy``: what left this machine."""

from __future__ import annotations

import argparse

from ..reporting.privacy import log_table
from ..services.outbound import log_path, read_log
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    log = kinds.add_parser("log", help="what left this machine: host, bytes, how many texts, when, which command")
    log.add_argument("--host", default="", metavar="HOST", help="only what went there")
    add_json_argument(log)
    parser.epilog = "example: pefomed privacy log"


def run(arguments: argparse.Namespace) -> Output:
    """Show what was asked for."""
    return _log(arguments)


def _log(arguments: argparse.Namespace) -> Output:
    path = log_path()
    entries = [entry for entry in read_log(path) if arguments.host in ("", entry["host"])]
    words = f"{len(entries):,} requests, noted in {path}" if entries else f"nothing has left, says {path}"
    return Output({"log": str(path), "entries": entries}, [*([log_table(entries)] if entries else []), words])
