"""``pefomed prepare``: check a downloaded data set, report on it and write it in our schema."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, PefomedError, near_names
from ..origins import data_origin
from ..readers import DATASETS
from ..readers.prepared import is_prepared, read_manifest, tasks_in
from ..reporting.cards import CARD, write_card
from ..reporting.cards.data_card import data_card
from ..reporting.rendering import show
from ..services.console import say
from ..services.private_files import keep_private
from ..services.project_template import CAPTION
from ._own_data import OWN, add_own_arguments, refuse_own_arguments, wishes_of
from .arguments import count_from_1
from .next_step import NextStep, again, pefomed, with_storages


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "dataset",
        nargs="?",
        metavar="DATASET",
        help=", ".join(DATASETS),
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="every data set that has a sub-folder of its name in --source; goes on past one that fails",
    )
    parser.add_argument(
        "--source",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the release as it was downloaded; of medical_custom also one table",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to write (with --all: one sub-folder a data set)"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the data set, for example language=zh; may be repeated",
    )
    parser.add_argument(
        "--allow-mismatch",
        action="store_true",
        help="write although the release differs from the published one; the manifest says so",
    )
    parser.add_argument("--no-images", action="store_true", help="look at the text alone, open no image")
    parser.add_argument("--allow-truncated", action="store_true", help="use what there is of images that are cut short")
    parser.add_argument(
        "--max-words",
        type=count_from_1,
        default=50,
        metavar="N",
        help="count the answers and reports that a limit of N words would cut (default: 50)",
    )
    parser.add_argument("--workers", type=count_from_1, metavar="N", help="threads that open images")
    parser.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="prepared folders to look in for the same images in training and test",
    )
    add_own_arguments(parser)
    parser.epilog = "example: pefomed prepare vqa_rad --source downloads/data_RAD --out data/vqa_rad"


def run(arguments: argparse.Namespace) -> int:
    """Prepare one data set or all, then compare their images; 1 if one is not what it should be."""
    from ..reporting.examination import findings_view  # late: loads PIL
    from ..services.data.prepare import find_overlaps  # late: loads PIL

    sources = _sources(arguments)
    options = dataset_options(arguments.option)
    failed = [
        name
        for name, source in sources.items()
        if not _prepare(name, source, _out(arguments, name), options, arguments)
    ]
    written = [_out(arguments, name) for name in sources if name not in failed]
    compared = [*arguments.against, *written]
    if written and len(compared) > 1 and not arguments.no_images:
        findings = find_overlaps(compared)
        shared = [finding for finding in findings if finding.count]
        show(findings_view("images that one data set trains on and another tests on", shared))
        say(
            f"\nimages shared in {len(shared)} of {len(findings)} comparison(s) of one data set's train with "
            "another's test",
        )
    if arguments.all:
        left_out = f"; not: {', '.join(failed)}" if failed else ""
        say(f"\n{len(written)} of {len(sources)} data sets written to {arguments.out}{left_out}")
    return 1 if failed else 0


def next_step(arguments: argparse.Namespace, exit_code: int) -> NextStep | None:
    """See whether a run takes it; once more where it could not be written; nothing of texts that no one run takes."""
    if exit_code:
        return again(arguments)
    tasks = getattr(arguments, "tasks", [])
    if len(tasks) > 1:
        return None
    storages = {name: _out(arguments, name) for name in _sources(arguments)}
    if tasks == [CAPTION] and Path("stage1.yaml").is_file():
        options = f"datasets.{OWN}.build_info.storage={storages[OWN]}"
        return pefomed("doctor", "--cfg-path", "stage1.yaml", "--options", options)
    return with_storages("doctor", storages)


def _prepare(name: str, source: Path, out: Path, options: Mapping[str, Any], arguments: argparse.Namespace) -> bool:
    """Whether the data set is what it should be, and written."""
    from ..reporting.examination import account_view  # late: loads PIL
    from ..services.data.prepare import ReleaseMismatch, prepare  # late: loads PIL

    keep_private([name], {name: data_origin(source)})
    say(f"{chr(10) if arguments.all else ''}{name}: reading {source}\n")
    try:
        own = _read_own(name, source, out, options, arguments)
        account = prepare(
            DATASETS[name],
            source,
            out,
            options=options,
            examination=_examination(arguments),
            allow_mismatch=arguments.allow_mismatch,
            own=own,
        )
    except PefomedError as error:
        if arguments.debug or (isinstance(error, ConfigError) and not arguments.all):
            raise
        if isinstance(error, ReleaseMismatch):
            show(account_view(error.account))
        print(f"error: {error.summary if isinstance(error, ReleaseMismatch) else error}", file=sys.stderr)
        return False
    card = write_card(out, data_card(read_manifest(out)))
    show(account_view(account))
    if card.name != CARD:
        say(f"\n{out / CARD} is not ours and stays; the data card is {card.name}")
    if arguments.no_images:
        say("\nno image was opened: nothing is known of them but their names")
    say(f"\nwritten to {out}")
    if name == OWN:
        arguments.tasks = tasks_in(out)  # for the next step
        if len(arguments.tasks) > 1:
            say(
                f"it holds {' and '.join(arguments.tasks)}: a project (pefomed init) is for one of them; prepare each "
                "by itself"
            )
    return True


def _read_own(name: str, source: Path, out: Path, options: Mapping[str, Any], arguments: argparse.Namespace) -> Any:
    """Own files in another form than the layout of ``medical_custom``; None for those, and for other data sets."""
    if name != OWN:
        return None
    from ..services.data.prepare import earlier_preparation  # late: loads PIL
    from ..services.own_data.doors import is_plain, read_own  # late: loads PIL
    from ..services.own_data.wishes import Wishes  # late: loads PIL

    wishes = wishes_of(arguments, DATASETS[name].complete_options(options))
    if wishes is None and is_plain(source):
        return None
    if out.resolve() == source.resolve():
        raise ConfigError(f"{out}: write to a folder of its own; your files stay as they are")
    earlier_preparation(out)  # refused before copies of films are made there
    return read_own(source, wishes or Wishes(), out)


def _sources(arguments: argparse.Namespace) -> dict[str, Path]:
    """Data set -> folder of its release, of everything asked for; mistakes in that are raised before any work."""
    if bool(arguments.dataset) == arguments.all:
        raise ConfigError(f"name one data set, or give --all; {near_names('', DATASETS)}")
    is_own = not arguments.all and DATASETS.find(arguments.dataset).name == OWN
    if not is_own and arguments.source.is_file():
        raise ConfigError(
            f"--source {arguments.source} is a file; name the folder of the release (tables are of {OWN})"
        )
    if not arguments.source.is_dir() and not arguments.source.is_file():
        raise ConfigError(f"--source {arguments.source}: no such folder{' or file' if is_own else ''}")
    if not is_own:
        refuse_own_arguments(arguments)
    if arguments.against and arguments.no_images:
        raise ConfigError("--against compares images; leave --no-images out")
    unprepared = [
        f"{folder}: no folder that pefomed prepare wrote" for folder in arguments.against if not is_prepared(folder)
    ]
    if unprepared:
        raise ConfigError("--against cannot be used", unprepared)
    if not arguments.all:
        return {DATASETS.find(arguments.dataset).name: arguments.source}
    if arguments.option:
        raise ConfigError("--option belongs to one data set; prepare that one by itself, without --all")
    found = {name: arguments.source / name for name in DATASETS if (arguments.source / name).is_dir()}
    if not found:
        raise ConfigError(f"{arguments.source} has no sub-folder named after a data set; {near_names('', DATASETS)}")
    return found


def _out(arguments: argparse.Namespace, name: str) -> Path:
    return arguments.out / name if arguments.all else arguments.out


def dataset_options(given: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` as a YAML section would have it: ``true`` is a truth value, ``3`` a number.

    Raises:
        ConfigError: one of them is not of this form.
    """
    import yaml  # late: heavy

    wrong: list[str] = [repr(value) for value in given if not value.partition("=")[0] or "=" not in value]
    if wrong:
        raise ConfigError("--option cannot be read; write it as key=value", wrong)
    pairs = (value.partition("=") for value in given)
    try:
        return {key.strip(): yaml.safe_load(value) for key, _, value in pairs}
    except yaml.YAMLError as error:
        raise ConfigError(f"--option cannot be read: {' '.join(str(error).split())}") from error


def _examination(arguments: argparse.Namespace) -> Any:
    from ..services.data.examination import DEFAULT_EXAMINATION, Examination  # late: loads PIL
    from ..services.images.decoding import ImagePolicy  # late: loads PIL

    return Examination(
        policy=ImagePolicy(allow_truncated=arguments.allow_truncated),
        open_images=not arguments.no_images,
        max_length=arguments.max_words,
        workers=arguments.workers or DEFAULT_EXAMINATION.workers,
    )
