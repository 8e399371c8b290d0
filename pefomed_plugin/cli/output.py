"""What a command found, for people and for machines: ``--json`` prints the one instead of the other.

With ``--json`` the standard output holds one JSON document and nothing else; what is said on the way goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..reporting.rendering import Shown, to_data
from ..reporting.table import Table
from ..storage import SCHEMA


@dataclass(frozen=True)
class Output:
    """What ``run`` of a command returns that has ``--json``."""

    data: Mapping[str, Any]
    """For ``--json``; what the command writes to a file, where it writes one."""
    shown: Sequence[Shown]
    """What is printed for people; its tables stand in the JSON too, under ``shown``."""
    exit_code: int = 0
    """What the shell gets."""


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """``--json``, for a command whose ``run`` returns an ``Output``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def print_json(output: Output) -> None:
    """One JSON document, with the schema's version; NaN is an error."""
    tables = [to_data(part) for part in output.shown if isinstance(part, Table)]
    data = {"schema": SCHEMA, **output.data, **({"shown": tables} if tables else {})}
    takes_all = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    print(json.dumps(data, indent=2, ensure_ascii=not takes_all, allow_nan=False))
