"""Arguments of ``pefomed prepare medical_custom`` for own files as they are, and what the user wishes by them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .arguments import whole_number

OWN = "medical_custom"
_JOINS = ("accession", "study", "patient")
_SPLIT_BY = ("patient", "study", "image", "record")
_PER = ("image", "study")
_OURS = {
    "map": "--map",
    "image_root": "--image-root",
    "encoding": "--encoding",
    "delimiter": "--delimiter",
    "sheet": "--sheet",
    "split": "--split",
    "split_by": "--split-by",
    "seed": "--seed",
    "salt": "--salt",
    "reports": "--reports",
    "join": "--join",
    "per": "--per",
    "nifti_slice": "--nifti-slice",
}
"""Name in the namespace -> argument; None where it was not given."""


def add_own_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments, in a group of their own."""
    group = parser.add_argument_group(
        "own data (medical_custom)",
        "files as they are: CSV of any delimiter and encoding, XLSX, Hugging Face folders, DICOM folders; see "
        "docs/own-data.md",
    )
    group.add_argument(
        "--map",
        nargs="+",
        action="extend",
        metavar="FIELD=COLUMN",
        help="image=Dateiname report=Befund patient=PatID; fields: image, images, question, answer, report, caption, "
        "id, patient, study, accession, split, answer_type, question_type, organ; metadata.NAME=COLUMN keeps a column; "
        "report=Befund+Beurteilung joins texts",
    )
    group.add_argument("--image-root", type=Path, metavar="DIR", help="folder of the images (default: the table's)")
    group.add_argument(
        "--encoding", metavar="NAME", help="of the table, for example cp1252 (default: found out, and said)"
    )
    group.add_argument("--delimiter", metavar="MARK", help="between its columns, or tab (default: found out, and said)")
    group.add_argument("--sheet", metavar="NAME", help="of an XLSX file, its name or number (default: the only one)")
    group.add_argument(
        "--split",
        metavar="SHARES",
        help="80/10/10 (train, val, test), 80/20 (train, test), or the one split of all: test",
    )
    group.add_argument(
        "--split-by",
        choices=_SPLIT_BY,
        help="what stays in one split (default: patient, else study, where one is known)",
    )
    group.add_argument("--seed", type=whole_number, metavar="N", help="of --split (default: 1)")
    group.add_argument(
        "--salt", type=Path, metavar="FILE", help="by which patients get other names (default: .pefomed-salt here)"
    )
    group.add_argument("--reports", type=Path, metavar="TABLE", help="texts of the studies of a DICOM folder")
    group.add_argument("--join", choices=_JOINS, help="what --reports and DICOM headers have in common")
    group.add_argument(
        "--per", choices=_PER, help="of DICOM: a sample each film (default), or each study with all films"
    )
    group.add_argument(
        "--nifti-slice", metavar="PLANE:PLACE", help="axial:middle, coronal:40%%, sagittal:12: what is shown of volumes"
    )


def refuse_own_arguments(arguments: argparse.Namespace) -> None:
    """Raises ConfigError where one of them is given for another data set."""
    given = _given(arguments)
    if given:
        raise ConfigError(f"{', '.join(given)}: of own data alone (pefomed prepare medical_custom); leave it out")


def wishes_of(arguments: argparse.Namespace, options: Mapping[str, Any]) -> Any:
    """What the user wishes, as ``own_data.Wishes``; None where none of the arguments is given.

    Raises:
        ConfigError: a value that cannot be, or arguments that do not go together; all of them.
    """
    if not _given(arguments):
        return None
    from ..services.own_data.columns import read_map  # late: loads PIL
    from ..services.own_data.splitting import read_shares  # late: loads PIL
    from ..services.own_data.tables import Manner  # late: loads PIL
    from ..services.own_data.wishes import SALT, Wishes  # late: loads PIL

    problems = _problems(arguments)
    columns, shares = {}, {}
    try:
        columns = read_map(arguments.map or [])
    except ConfigError as error:
        problems += [f"--map {problem}" for problem in error.problems]
    try:
        shares = read_shares(arguments.split) if arguments.split else {}
    except ConfigError as error:
        problems.append(error.summary)
    if problems:
        raise ConfigError("the own data cannot be read as you say", problems)
    return Wishes(
        columns=columns,
        image_root=arguments.image_root,
        manner=Manner(arguments.encoding or "", arguments.delimiter or "", arguments.sheet or ""),
        shares=shares,
        by=arguments.split_by or "",
        seed=1 if arguments.seed is None else arguments.seed,
        salt=arguments.salt or SALT,
        reports=arguments.reports,
        join=arguments.join or "",
        per=arguments.per or _PER[0],
        nifti_slice=arguments.nifti_slice or "",
        views=str(options.get("views", "all")),
    )


def _problems(arguments: argparse.Namespace) -> list[str]:
    """Folders and files that are not there, arguments without those that they need, and no slice."""
    from ..services.images.nifti import CHOICES, is_choice  # late: loads PIL

    problems = [
        f"{name} {value}: there is no such {kind}"
        for name, value, kind, is_there in (
            ("--image-root", arguments.image_root, "folder", Path.is_dir),
            ("--reports", arguments.reports, "file", Path.is_file),
        )
        if value and not is_there(value)
    ]
    problems += [
        f"{name}: needs {needed}; give it, or leave {name} out"
        for name, value, needed, is_given in (
            ("--split-by", arguments.split_by, "--split", arguments.split),
            ("--seed", arguments.seed is not None, "--split", arguments.split),
            ("--join", arguments.join, "--reports", arguments.reports),
            ("--per", arguments.per, "--reports", arguments.reports),
        )
        if value and not is_given
    ]
    if arguments.nifti_slice and not is_choice(arguments.nifti_slice):
        problems.append(f"--nifti-slice {arguments.nifti_slice}: write it as {CHOICES}")
    return problems


def _given(arguments: argparse.Namespace) -> list[str]:
    return [flag for name, flag in _OURS.items() if getattr(arguments, name) is not None]
