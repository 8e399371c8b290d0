"""ROCO (Pelka et al. 2018; github razorx89/roco-dataset) and its copies.

The paper trains on ROCO's training set (section 4.1); whether with the non-radiology figures is not known, hence the
option ``kind``. ROCOv2 and the parquet copies are in ``roco_v2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple

from .captions import add_caption, existing_name, file_names
from .expectations import ERROR, WARNING, Applies, Expectation, Found, by_split, in_layout, kept
from .layouts import Layout, Release, find
from .roco_v2 import read_parquet_copy, read_zenodo
from .spec import PUBLIC, DatasetSpec, Field, Option
from .tables import read_csv, read_lines, read_tab_pairs

DATASET = "roco"
KINDS: Mapping[str, tuple[str, ...]] = {
    "radiology": ("radiology",),
    "non-radiology": ("non-radiology",),
    "both": ("radiology", "non-radiology"),
}
_SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}
_ID = re.compile(r"ROCO_\d{5}")
_FOLDERS = "{train,validation,val,test}/{radiology,non-radiology}/"
_CAPTIONS = _FOLDERS + "captions.txt"
_TABLES = _FOLDERS + "{train,val,test}data.csv"

Notes = dict[str, dict[str, Any]]
"""By ROCO id: ``cuis``, ``licence``, ``study`` (the article) and ``old_name``, as far as the release has them."""


class _Part(NamedTuple):
    """The text file of one kind and split, and what lies beside it."""

    path: Path
    split: str
    notes: Notes
    images: frozenset[str]
    """Names of the image files."""


def _read_official(root: Path, kind: str, home: str = "") -> Release:
    """``captions.txt``: id, TAB, caption."""
    release = Release(DATASET, "official", root / home)
    for part in _parts(release, _CAPTIONS, kind):
        for number, key, caption in read_tab_pairs(part.path):
            where = f"{part.path.relative_to(root)}, line {number}"
            if caption is None:
                release.problems.append(f"{where}: no TAB between id and caption; fetch the file again")
            else:
                old = part.notes.get(key, {}).get("old_name")
                _add(release, where, part, key, [key + ".jpg", *([old] if old is not None else [])], caption)
    return release


def _read_kaggle(root: Path, kind: str, home: str = "") -> Release:
    """``{train,val,test}data.csv``: id, name, caption, where the name is the one from before 2022."""
    release = Release(DATASET, "Kaggle", root / home)
    for part in _parts(release, _TABLES, kind):
        for number, row in read_csv(part.path, ("id", "name", "caption"), release.problems):
            key = row["id"].strip()
            where = f"{part.path.relative_to(root)}, line {number}"
            _add(release, where, part, key, [row["name"].strip(), key + ".jpg"], row["caption"])
    return release


def _add(release: Release, where: str, part: _Part, key: str, spellings: list[str], caption: str) -> None:
    if not _ID.fullmatch(key):
        release.problems.append(f"{where}: id {key!r} is not of the form ROCO_00001; fetch the file again")
        return
    folder, note = part.path.parent, part.notes.get(key, {})
    below = folder.relative_to(release.image_root).as_posix()
    image = f"{below}/images/{existing_name(spellings, part.images)}"
    metadata = {"source_id": key, "kind": folder.name}
    metadata.update((name, note[name]) for name in ("cuis", "licence", "study") if name in note)
    add_caption(release, where, key=key, split=part.split, image=image, caption=caption, metadata=metadata)


def _parts(release: Release, pattern: str, kind: str) -> Iterator[_Part]:
    """The folders of the wanted kinds, one for each split."""
    home = release.image_root
    for wanted in KINDS[kind]:
        paths = [path for path in find(home, pattern) if path.parent.name == wanted]
        paths.sort(key=lambda path: list(_SPLITS).index(path.parent.parent.name))
        if not paths:
            release.problems.append(f"{home}: no {wanted} captions; fetch them or choose another kind")
        taken: dict[str, Path] = {}
        for path in paths:
            split = _SPLITS[path.parent.parent.name]
            if split in taken:
                release.problems.append(f"{taken[split]} and {path} are the same split; keep one of them")
            else:
                taken[split] = path
                release.files.append(path)
                yield _Part(path, split, _notes(path.parent, release), file_names(path.parent / "images"))


def _notes(folder: Path, release: Release) -> Notes:
    """What the other text files of a folder say of its figures; each of them may be missing."""
    notes: Notes = {}
    cuis, licences, links = (folder / name for name in ("cuis.txt", "licences.txt", "dlinks.txt"))
    if cuis.is_file():
        release.files.append(cuis)
        for _, key, codes in read_tab_pairs(cuis):
            notes.setdefault(key, {})["cuis"] = (codes or "").split()
    if licences.is_file():
        release.files.append(licences)
        for _, line in list(read_lines(licences))[1:]:
            key, _, rest = line.strip().partition(",")
            name, _, licence = rest.rpartition(",")
            notes.setdefault(key, {}).update(licence=licence, old_name=name, study=name.partition("_")[0])
    elif links.is_file():
        release.files.append(links)
        for _, key, link in read_tab_pairs(links):
            parts = [part.rpartition(".tar.gz")[0] for part in re.split(r"[/\s]", link or "")]
            article = next(filter(None, parts), None)
            if link and article:
                name = "_".join((article, link.rpartition("\t")[2].strip()))
                notes.setdefault(key, {}).update(old_name=name, study=article)
    return notes


def _with_homes(
    name: str, home: str, pattern: str, read: Callable[..., Release], unless: tuple[str, ...] = ()
) -> tuple[Layout, Layout]:
    """A layout seen from the folder above ``home`` and from ``home`` itself."""
    return (
        Layout(name, (home + "/" + pattern,), partial(read, home=home), unless),
        Layout(f"{name} ({home} folder)", (pattern,), read, unless),
    )


def _figures(kind: str) -> Found:
    """Figures of one kind by split."""
    return lambda release: by_split(sample for sample in release.samples if sample.metadata.get("kind") == kind)


def _has_figures(kind: str) -> Applies:
    return lambda release: _OF_2018(release) and any(_figures(kind)(release))


def _ids_ascend(release: Release) -> bool:
    last: dict[tuple[str, str], int] = {}
    for sample in release.samples:
        part = (sample.split, str(sample.metadata.get("kind")))
        number = int(str(sample.metadata["source_id"])[len("ROCO_") :])
        if not last.get(part, 0) < number <= _HIGHEST_ID:
            return False
        last[part] = number
    return True


_HIGHEST_ID = 87_952
_OF_2018 = in_layout("official", "Kaggle")

ROCO = DatasetSpec(
    DATASET,
    "ROCO",
    layouts=(
        *_with_homes("official", "data", _CAPTIONS, _read_official, unless=("{data/,}" + _TABLES,)),
        *_with_homes("Kaggle", "all_data", _TABLES, _read_kaggle),
        Layout("ROCOv2 Zenodo", ("{train,valid,test}_captions.csv",), read_zenodo),
        Layout("parquet", ("data/{train,validation,test}-*.parquet",), read_parquet_copy),
    ),
    tasks=("caption",),
    options=(Option("kind", "radiology", tuple(KINDS), "ROCOv2 and the parquet copies have radiology figures only"),),
    stage=1,
    splits={"train": 65_448, "val": 8_180, "test": 8_179},
    mean_length=(0, 138),
    expectations=(
        *(
            Expectation(
                f"{kind} figures by split",
                WARNING,
                (counts,),
                _figures(kind),
                _has_figures(kind),
            )
            for kind, counts in (("radiology", (65_448, 8_180, 8_179)), ("non-radiology", (4_895, 611, 612)))
        ),
        Expectation("ids ascend, none above 87,952", ERROR, (True,), _ids_ascend, _OF_2018),
        Expectation(
            "figures by split",
            WARNING,
            ((65_423, 8_175, 8_176), (65_419, 8_175, 8_176)),
            kept,
            in_layout("ROCO parquet"),
        ),
        Expectation(
            "figures by split", WARNING, ((59_958, 9_904, 9_927), (59_962, 9_904, 9_927)), kept, in_layout("ROCOv2")
        ),
    ),
    fields=(Field("kind", "kind of figure"),),
    audience=PUBLIC,
    licence="each figure under its article's licence (CC BY, CC BY-NC, ... ; licences.txt of the release)",
    citation="Pelka et al., Radiology Objects in COntext (ROCO): A Multimodal Image Dataset, LABELS 2018, "
    "doi:10.1007/978-3-030-01364-6_20",
    url="https://github.com/razorx89/roco-dataset",
    quirks=(
        "Some figures can no longer be fetched; a missing image is skipped and counted.",
        "Figures of one article may be in several splits.",
        "ImageCLEF 2022 draws on an extended ROCO: the two share images.",
    ),
    specialty="radiology",
    languages=lambda options: ("en",),
    sample_writer="pefomed_plugin.embedded.releases_caption:write_roco",
    page="docs/data/roco.md",
)
"""The folder is the repository's or its data folder (Kaggle: ``all_data``)."""
