"""A release, read and examined, as a folder of our own schema: splits, manifest, what was skipped.

``readers.prepared`` reads such a folder back. The account is returned, or raised with ``ReleaseMismatch``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ... import __version__
from ...digests import file_sha256
from ...errors import ConfigError, DataError, quoted
from ...origins import data_origin
from ...readers import DatasetSpec, Release, read_data
from ...readers.prepared import FINGERPRINTS, KIND, MANIFEST, SKIPPED, read_prepared, split_file
from ...readers.shared import is_shared, read_shared_manifest
from ...readers.textfiles import read_json_object
from ...records import SPLITS
from ...storage import write_json, write_records, write_text
from ..images.fingerprints import Fingerprint, read_fingerprints
from ..own_data.wishes import OwnData
from .examination import DEFAULT_EXAMINATION, Account, Examination, examine
from .leakage import Leak, find_shared_images


class ReleaseMismatch(DataError):
    """The release is not what the paper used; ``account`` says in what."""

    def __init__(self, account: Account) -> None:
        self.account = account
        super().__init__(
            f"{account.dataset}: the {account.layout} layout differs from the published release; fetch it again, or "
            "go on with --allow-mismatch",
            account.mismatches,
        )


def prepare(
    spec: DatasetSpec,
    source: Path,
    out: Path,
    *,
    options: Mapping[str, Any] | None = None,
    examination: Examination = DEFAULT_EXAMINATION,
    allow_mismatch: bool = False,
    own: OwnData | None = None,
) -> Account:
    """Read a release, examine it, and write it to ``out``: a JSON-lines file for each split, one for skipped rows, and
    ``manifest.json`` last. A second run opens only images that changed.

    Args:
        spec: the data set.
        options: of the data set.
        allow_mismatch: write although an expectation of severity E is broken; the manifest says so.
        own: the user's own files in place of the release, read already (``own_data.read_own``).

    Raises:
        ConfigError: an option or value that the data set does not have, or ``out`` is the release's own folder, or as
            ``earlier_preparation``.
        DataError: the release cannot be read, or nothing of it can be used.
        ReleaseMismatch: an expectation of severity E is broken; nothing was written but the memory of the images.
    """
    source, out, options = Path(source), Path(out), dict(options or {})
    spec.complete_options(options)
    if out.resolve() == source.resolve():
        raise ConfigError(f"{out}: write to a folder of its own; the release stays as it was downloaded")
    earlier = earlier_preparation(out)
    shared = own is None and is_shared(source)
    if shared:
        options = {**read_shared_manifest(source)["options"], **options}
    release = (
        own.release if own else read_data(spec.name, source, **options) if shared else spec.read(source, **options)
    )
    if own and own.missing and not examination.open_images:
        release.notes["image name(s) of which there is no file"] += own.missing
    leaves_out = not shared and not spec.every_row.items() <= options.items()
    whole = spec.read(source, **{**options, **spec.every_row}) if leaves_out else None
    usable, account = examine(
        release, examination, options=options, origin=data_origin(source), cache=out / FINGERPRINTS, whole=whole
    )
    if account.mismatches and not allow_mismatch:
        raise ReleaseMismatch(account)
    gone = [
        f"no record of {split} is left: all {len(rows):,} were left out, as said below"
        for split, rows in release.splits().items()
        if split not in usable.splits()
    ]
    said = [*(own.said if own else []), *gone, *(_changed(out, usable) if own and earlier else [])]
    written = said if own is None or own.public_said is None else [*own.public_said, *gone]
    content = {**account.to_json(), "read_as": written, "mismatch_allowed": bool(account.mismatches)}
    write_prepared(usable, content, out, examination)
    return replace(account, read_as=[*said, *_replaced(earlier, content, release.files)])


def earlier_preparation(out: Path) -> dict[str, Any] | None:
    """The manifest of what was prepared in ``out`` before; None where nothing was.

    Raises:
        ConfigError: files there have the names that would be written, and ``prepare`` did not write them.
    """
    there = [name for name in (*map(split_file, SPLITS), SKIPPED, MANIFEST) if (out / name).exists()]
    if MANIFEST in there:
        with suppress(DataError):  # not ours then, and refused
            manifest = read_json_object(out / MANIFEST, {"kind": "str"})
            if manifest.get("kind") == KIND:
                return manifest
    elif (out / FINGERPRINTS).is_file():
        return None  # of one that was stopped
    if there:
        raise ConfigError(
            f"{out} holds files that pefomed prepare did not write, and that would be overwritten; choose another "
            "--out, or move them away",
            [f"{out / name} is there" for name in there],
        )
    return None


def _changed(out: Path, release: Release) -> list[str]:
    """What is otherwise of records that were prepared there before: splits, and names of patients; in words."""
    try:
        earlier = read_prepared(out).samples
    except DataError:
        return []  # damaged: it is written anew
    before = {(sample.images, sample.question, sample.answer): sample for sample in earlier}
    pairs = [(before.get((sample.images, sample.question, sample.answer)), sample) for sample in release.samples]
    moved = sum(old is not None and old.split != new.split for old, new in pairs)
    names = [(old.metadata.get("subject"), new.metadata.get("subject")) for old, new in pairs if old is not None]
    renamed = sum(bool(old and new) and old != new for old, new in names)
    lines = []
    if moved:
        lines.append(
            f"{moved:,} record(s) are in another split than in what was prepared there before: a model that was "
            "trained on that may have seen them"
        )
    if renamed:
        lines.append(
            f"{renamed:,} record(s) have another name of their patient than in what was prepared there before, as "
            "after another --salt"
        )
    return lines


def _replaced(earlier: Mapping[str, Any] | None, content: Mapping[str, Any], files: Sequence[Path]) -> list[str]:
    """What was there before, where it was another data set, of other files or with other options; in words."""
    if earlier is None:
        return []
    before = [str(source.get("path")) for source in earlier.get("sources") or ()]
    now = (content["dataset"], content["options"], [os.path.abspath(path) for path in files])
    if (earlier.get("dataset"), earlier.get("options"), before) == now:
        return []
    options = ", ".join(f"{name}={value}" for name, value in (earlier.get("options") or {}).items())
    what = f"{earlier.get('dataset')}{f' ({options})' if options else ''}"
    more = f" and {len(before) - 1:,} more file(s)" if len(before) > 1 else ""
    of_files = f", of {quoted(before[0], bare=True, limit=200)}{more}" if before else ""
    return [f"in the place of what was prepared there before: {what}{of_files}"]


def find_overlaps(folders: Sequence[Path], distance: int = 0) -> list[Leak]:
    """Images that one prepared data set trains on and another one tests on, for every two of ``folders``.

    Compares perceptual hashes, so that a figure that was resized or encoded again is found.

    Raises:
        DataError: a folder was not prepared, or without looking at images.
    """
    splits = {Path(folder): _fingerprints_by_split(Path(folder)) for folder in folders}
    findings = []
    for training, by_split in splits.items():
        for testing, others in splits.items():
            if training != testing and by_split.get("train") and others.get("test"):
                findings.append(
                    find_shared_images(
                        by_split["train"],
                        others["test"],
                        f"{testing.name} test: images that look like one in {training.name} train",
                        distance,
                    )
                )
    return findings


def write_prepared(release: Release, content: Mapping[str, Any], out: Path, examination: Examination) -> None:
    """A folder that ``readers.prepared`` reads: a file for each split, skipped rows, and the manifest last.

    Args:
        content: what the manifest says besides: data set, layout, options, origin, and what was found.

    Raises:
        DataError: a file cannot be written.
    """
    by_split = release.splits()
    written: dict[str, str] = {}
    for split in SPLITS:
        path = out / split_file(split)
        if split in by_split:
            write_records(path, by_split[split])
            written[path.name] = file_sha256(path)
        elif path.exists():
            path.unlink()  # of an earlier run with other options
    write_text(out / SKIPPED, "".join(json.dumps(vars(skip), ensure_ascii=False) + "\n" for skip in release.skips))
    written[SKIPPED] = file_sha256(out / SKIPPED)
    write_json(
        out / MANIFEST,
        {
            "kind": KIND,
            "plugin_version": __version__,
            **content,
            "image_root": os.path.abspath(release.image_root),
            "images_opened": examination.open_images,
            "image_policy": vars(examination.policy),
            "files": written,
            "sources": _sources(release.files),
        },
    )


def _sources(paths: Iterable[Path]) -> list[dict[str, Any]]:
    return [
        {"path": os.path.abspath(path), "bytes": path.stat().st_size, "sha256": file_sha256(path)} for path in paths
    ]


def _fingerprints_by_split(folder: Path) -> dict[str, dict[str, Fingerprint]]:
    release, known = read_prepared(folder), read_fingerprints(folder / FINGERPRINTS)
    return {
        split: {image: known[image] for sample in samples for image in sample.images if image in known}
        for split, samples in release.splits().items()
    }
