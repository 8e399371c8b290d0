"""``pefomed export-predictions``: our predictions as other projects' result files."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..atomic import as_one, replacing
from ..errors import ConfigError, DataError, why
from ..origins import origins_of
from ..scoring.metrics_file import PREDICTIONS
from ..services.console import say
from ..services.private_files import keep_answers_private
from ..services.results_out import FORMATS_OUT, Given, find_format_out
from ..services.results_out.writers import Files
from ..storage import read_predictions, set_aside
from .next_step import NextStep, pefomed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("format", metavar="FORMAT", help=", ".join(FORMATS_OUT))
    parser.add_argument(
        "answers", type=Path, metavar="RUN_OR_PREDICTIONS", help="output_dir of an evaluation, or predictions.jsonl"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the files")
    parser.add_argument(
        "--test-set", default="", metavar="NAME", help="of a run with several, for example vqa_rad-test"
    )
    parser.add_argument("--model", default="", metavar="NAME", help="for names of files (default: as the answers say)")
    parser.add_argument(
        "--studies", type=Path, metavar="FILE", help="rexrank: its data file, whose studies are answered"
    )
    parser.add_argument(
        "--view",
        default="",
        metavar="VIEW",
        help="rexrank, r2gen: which answer of a study that has one an image: first, key (ReXrank's), frontal, ...",
    )
    parser.epilog = (
        "example: pefomed export-predictions lmms_eval output/eval --test-set vqa_rad-test --out output/lmms"
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the answers, write them in the other form, say what it does not carry."""
    form = find_format_out(arguments.format)
    path = _find_answers(arguments.answers, arguments.test_set)
    predictions = read_predictions(path)
    keep_answers_private(predictions)
    model = arguments.model or str(predictions[0].producer.get("model") or "")
    files = form.files_of(predictions, Given(Path(model).name or "model", arguments.studies, arguments.view))
    aside = _write(arguments.out, files)
    test_set = f"{predictions[0].dataset}-{predictions[0].split}"
    say(f"{len(predictions):,} answers of {test_set} for {form.project} ({form.name})")
    for note in files.notes:
        say(f"  - {note}")
    notice = origins_of(predictions).notice
    if notice:
        say(notice)
    for line in aside:
        say(line)
    say(f"{files.answers:,} answers written to {', '.join(str(arguments.out / name) for name in files.contents)}")
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep | None:
    """What a reader of these answers will ask for, where they are a run's."""
    place = arguments.answers
    run = place if place.is_dir() else place.parent
    return None if place.is_file() and place.name != PREDICTIONS else pefomed("checklist", run)


def _find_answers(place: Path, test_set: str) -> Path:
    """The predictions of a file, or of the test set of a run."""
    if place.is_file():
        if test_set:
            raise ConfigError(f"--test-set is of a run; {place} is the answers of one")
        return place
    if not place.exists():
        raise ConfigError(f"no run and no file {place}")
    if (place / PREDICTIONS).is_file() and not test_set:
        return place / PREDICTIONS
    found = {path.parent.name: path for path in sorted(place.glob("results/*/" + PREDICTIONS))}
    if not found:
        raise DataError(
            f"{place} holds no answers: neither {PREDICTIONS} nor results/<data set>-<split>/{PREDICTIONS}; evaluate "
            "first"
        )
    if test_set and test_set not in found:
        raise ConfigError(f"{place} has no test set {test_set!r}; it has {', '.join(found)}")
    if not test_set and len(found) > 1:
        raise ConfigError(f"{place} has answers of {', '.join(found)}; say of which: --test-set {next(iter(found))}")
    return found[test_set or next(iter(found))]


def _write(folder: Path, files: Files) -> list[str]:
    """Write the files; what was there under their names is set aside, and said."""
    aside = []
    for name, content in files.contents.items():
        path = folder / name
        if path.is_file() and path.read_bytes() != content:
            aside.append(f"{path} was there with other content, and is now {set_aside(path)}")
    with as_one(folder):
        for name, content in files.contents.items():
            try:
                with replacing(folder / name) as file:
                    file.write(content)
            except OSError as error:
                raise DataError(f"cannot write {folder / name}: {why(error)}") from error
    return aside
