"""WebDataset shards that others made: tar files whose members of one key are a sample, ``jpg|png|webp`` beside texts.

Which endings are the image and the text is said by options; ``sample_of`` makes one sample of the members of a key, for
the reader and for who reads the shards as a stream. Images stay in the tar: a sample names them ``00000.tar#7.jpg``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Callable

from ..errors import DataError, one_line, why
from ..json_text import parse_json
from .captions import add_caption
from .expectations import WARNING, Expectation
from .layouts import Layout, Release, find
from .rows import add_question
from .spec import DatasetSpec, Option

DATASET = "medical_shards"
LAYOUT = "WebDataset shards"
PATTERN = "{*.tar,*/*.tar}"
_SPLIT = re.compile(r"(?:^|[^a-z])(train|val|valid|validation|dev|test)(?:[^a-z]|$)")
_SPLITS = {"valid": "val", "validation": "val", "dev": "val"}
_IMAGE, _TEXT = "jpg;jpeg;png;webp", "txt;caption;json:caption"


@dataclass(frozen=True)
class Keys:
    """Which endings of a key's members are what: alternatives, the first that is there is taken.

    ``json:caption`` is the field ``caption`` of the JSON member, ``json:meta.text`` one within another.
    """

    image: tuple[str, ...]
    text: tuple[str, ...]
    """Of the caption, report or answer."""
    question: tuple[str, ...] = ()
    """Empty: there is none, and the sample is no question."""
    task: str = "caption"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Keys:
        """As the options of the data set say."""
        parts = {name: tuple(filter(None, map(str.strip, options[name].split(";")))) for name in _KEYS}
        return cls(**parts, task=options["task"])

    def image_in(self, members: Mapping[str, Any]) -> str | None:
        """Ending of the image, if it is there."""
        return next((ending for ending in self.image if ending in members), None)

    def texts_wanted(self, members: Mapping[str, Any]) -> set[str]:
        """Endings of the members that hold a text that may be taken."""
        return {way.partition(":")[0] for way in (*self.text, *self.question)} & set(members)


_KEYS = ("image", "text", "question")


class UnusableText(Exception):
    """A text of a sample that is damaged; says what it is."""


def text_of(ways: tuple[str, ...], members: Mapping[str, bytes]) -> str | None:
    """The first text that is there; None where there is none.

    Raises:
        UnusableText: it is not UTF-8, or its JSON is damaged.
    """
    for way in ways:
        ending, colon, field = way.partition(":")
        if ending not in members:
            continue
        try:
            text: Any = members[ending].decode("utf-8")
            if colon:
                text = _field(parse_json(text, with_nan=True), field)
        except ValueError as error:
            raise UnusableText(f"{ending} cannot be read ({one_line(error)})") from error
        if text is not None:
            return str(text)
    return None


def _field(content: Any, path: str) -> Any:
    for name in path.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, (str, int, float)) and not isinstance(content, bool) else None


def add_sample(
    release: Release, shard: str, key: str, members: Mapping[str, bytes], image: str | None, split: str, keys: Keys
) -> None:
    """Append the sample of one key to ``release``, or a skip that says what it lacks.

    Args:
        shard: name of the tar file below the image root.
        members: ending -> content, of the texts at least.
        image: name of the image's member in the tar.

    Raises:
        UnusableText: as ``text_of``.
    """
    where = f"{shard}, sample {key}"
    if image is None:
        release.skip(where, f"no image ({', '.join(keys.image)})")
        return
    text = text_of(keys.text, members)
    question = text_of(keys.question, members) if keys.question else None
    if text is None or (keys.question and question is None):
        ways, what = (keys.text, "text") if text is None else (keys.question, "question")
        release.skip(where, f"no {what} ({', '.join(ways)})")
        return
    known: dict[str, Any] = {"key": f"{shard[: -len('.tar')]}/{key}", "split": split, "image": f"{shard}#{image}"}
    metadata = {"source_id": key}
    if keys.question:
        add_question(release, where, question=question, answer=text, metadata=metadata, **known)
    else:
        add_caption(release, where, caption=text, task=keys.task, metadata=metadata, **known)


def split_of(shard: str, split: str) -> str:
    """Split of a shard: as the option says, or by its name (``val-0000.tar``, ``test/0.tar``), else ``train``."""
    if split != "auto":
        return split
    found = _SPLIT.search(shard[: -len(".tar")].lower())
    return _SPLITS.get(found[1], found[1]) if found else "train"


def _read(root: Path, *, shards: str, split: str, damaged: str, **options: Any) -> Release:
    release = Release(DATASET, LAYOUT, root, holds_every_image=True)
    keys = Keys.of(options)
    names = [path.relative_to(root).as_posix() for path in find(root, PATTERN)]
    names = [name for name in names if any(fnmatch(name, one.strip()) for one in shards.split(";"))]
    if not names:
        raise DataError(f"{DATASET}: no shard in {root} is called {shards}; correct options.shards")
    endings: set[str] = set()
    for name in names:
        release.files.append(root / name)
        _read_shard(release, name, split_of(name, split), keys, _fault_taker(release, damaged), endings)
    if not release.samples and not release.problems:
        reasons = {skip.reason for skip in release.skips}
        release.problems.append(
            f"not one sample can be used ({'; '.join(sorted(reasons)) or 'the shards are empty'}); the endings are "
            f"{', '.join(sorted(endings)) or 'none'}: name yours in options.image and options.text"
        )
    return release


def _fault_taker(release: Release, damaged: str) -> Callable[[str, str, str], None]:
    from .tars.members import NO_ENDING, remedy_of  # late: numpy

    def take(where: str, kind: str, what: str) -> None:
        if damaged == "skip" or kind == NO_ENDING:
            release.skip(f"{where}: {what}", kind)
        else:
            release.problems.append(
                f"{where}: {kind}: {what}; {remedy_of(kind)}, or set options.damaged=skip to leave it out, counted"
            )

    return take


def _read_shard(
    release: Release, name: str, split: str, keys: Keys, take: Callable[[str, str, str], None], endings: set[str]
) -> None:
    from .tars.members import group_members, member_table, read_content, read_members  # late: numpy

    path = release.image_root / name
    if release.tree.leads_out(name):
        release.problems.append(f"{name} is a symbolic link out of {release.image_root}; put the file itself there")
        return
    try:
        members = read_members(path)
        samples, faults = group_members(members)
        for kind, what in faults:
            take(name, kind, what)
        for key, numbers in samples:
            endings.update(numbers)
            texts = {ending: read_content(path, members, numbers[ending]) for ending in keys.texts_wanted(numbers)}
            ending = keys.image_in(numbers)
            image = None if ending is None else members.names[numbers[ending]]
            try:
                add_sample(release, name, key, texts, image, split, keys)
            except UnusableText as error:
                take(f"{name}, sample {key}", "text that cannot be read", str(error))
        member_table(path, members)
    except OSError as error:
        release.problems.append(f"{path}: cannot be read ({why(error)})")


MEDICAL_SHARDS = DatasetSpec(
    DATASET,
    "Shards by others",
    layouts=(Layout(LAYOUT, (PATTERN,), _read),),
    options=(
        Option("image", _IMAGE, help="endings of the image, the first that is there"),
        Option("text", _TEXT, help="of the caption, report or answer; json:field is a field of the JSON"),
        Option("question", "", help="of the question; without one the samples are no questions"),
        Option("task", "caption", ("caption", "report"), help="of samples without a question"),
        Option("split", "auto", ("auto", "train", "val", "test"), help="auto: by the shard's name, else train"),
        Option("shards", "*", help="which files: train-*.tar;extra.tar"),
        Option("damaged", "error", ("error", "skip"), help="cut shards, names that lead out, broken texts"),
    ),
    expectations=(Expectation("records left out", WARNING, (0,), lambda release: len(release.skips), full=False),),
    licence="to be stated by whoever collected them",
    passing_on="Images and texts of patients: to be passed on only with the right to do so.",
    citation="to be stated by whoever collected them",
    page="docs/shards.md",
)
