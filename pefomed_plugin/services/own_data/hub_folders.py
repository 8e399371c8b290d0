"""Folders as Hugging Face's ``datasets`` writes them, read with pyarrow alone: parquet under any names and in any of
the hub's layouts, and ``save_to_disk``. Images stay in the file; a class label becomes its name.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigError, DataError
from ...readers import Release
from ...readers.custom import DATASET
from ...readers.image_tree import inside
from ...readers.textfiles import read_json_object
from .columns import SPLIT_NAMES, split_of
from .hub_rows import read_part
from .own_tables import assemble
from .wishes import OwnData, Wishes

_SHARD = re.compile(r"(?P<split>.+?)-(?P<number>\d{5})-of-(?P<count>\d{5})(?:-\w+)?")
_DEPTH = 3
_PARTIAL = "partial-"
"""Begins a split in the hub's conversion of which it converted the beginning alone."""


@dataclass(frozen=True)
class _Part:
    """The files of one split."""

    name: str
    """As the folder calls it; empty: it is not split."""
    files: Sequence[Path]


def is_hub_folder(source: Path) -> bool:
    """Whether this is a folder (or a file) that ``datasets`` or the hub wrote."""
    if source.is_file():
        return source.suffix in (".parquet", ".arrow")
    return is_saved(source) or bool(_parquet_files(source))


def is_saved(source: Path) -> bool:
    """Whether ``save_to_disk`` wrote this folder."""
    return any((source / name).is_file() for name in ("dataset_dict.json", "state.json"))


def read_hub_folder(source: Path, wishes: Wishes) -> OwnData:
    """Samples of such a folder.

    Raises:
        ConfigError: several configurations, a split of an unknown name, or what ``assemble`` raises.
        DataError: pyarrow is missing, files are missing or damaged, or records cannot be used.
    """
    if wishes.image_root:
        raise ConfigError(f"--image-root {wishes.image_root}: the images are in the data set's own files; leave it out")
    root = source if source.is_dir() else source.parent
    layout, parts = _parts(source)
    unknown = [part.name for part in parts if part.name and not split_of(part.name.removeprefix(_PARTIAL))]
    if unknown:
        known = "; ".join(f"{ours}: {', '.join(names)}" for ours, names in SPLIT_NAMES.items())
        raise ConfigError(
            f"{source}: the split {', '.join(unknown)} is none that is known ({known}); give its files as --source, "
            "with --split"
        )
    found = Counter(split_of(part.name.removeprefix(_PARTIAL)) for part in parts)
    twice = [part.name for part in parts if found[split_of(part.name.removeprefix(_PARTIAL))] > 1]
    if twice or (len(found) > 1 and found[""]):
        names = ", ".join(twice or [path.name for part in parts if not part.name for path in part.files])
        what = "of one split" if twice else "of no split, beside others that have one"
        raise ConfigError(f"{source}: files {what} ({names}); take out what is not to be read, or name one as --source")
    release = Release(DATASET, layout, root)
    tables = []
    for part in parts:
        name = part.name.removeprefix(_PARTIAL)
        table = read_part(root, part.files, part.name)
        if part.name != name:
            table.said.append(f"{part.name}: the hub converted the beginning of this split alone")
        release.files += part.files
        tables.append((table, split_of(name)))
    return assemble(release, tables, wishes, f"images: in the data set's own files, in {root}")


def _parts(source: Path) -> tuple[str, list[_Part]]:
    if source.is_file():
        return "Hugging Face file", [_Part("", [source])]
    if (source / "dataset_dict.json").is_file():
        content = read_json_object(source / "dataset_dict.json", {"splits": "list[str]"}, ("splits",))
        names = [str(name) for name in content["splits"]]
        return "Hugging Face save_to_disk", [_Part(name, _saved_files(source, name)) for name in names]
    if (source / "state.json").is_file():
        return "Hugging Face save_to_disk", [_Part(_split_said(source), _saved_files(source))]
    return "Hugging Face parquet", _parquet_parts(source)


def _split_said(folder: Path) -> str:
    state = read_json_object(folder / "state.json", {})
    return str(state.get("_split") or "").partition("[")[0]  # null where nobody said it; train[:10] is of train


def _saved_files(root: Path, split: str = "") -> list[Path]:
    """Raises DataError where the split's folder leads out, or a file that ``state.json`` names is not there."""
    folder = root / split
    if split and inside(root, split) is None:
        raise DataError(
            f"{root}: the split {split!r} leads out of it; put its folder there, and correct dataset_dict.json"
        )
    state = read_json_object(folder / "state.json", {"_data_files": "list[Mapping[str, Any]]"}, ("_data_files",))
    files = [folder / Path(str(entry.get("filename", ""))).name for entry in state["_data_files"]]
    missing = [f"{path}: not there; save the data set again" for path in files if not path.is_file()]
    if missing:
        raise DataError(f"{folder} is not whole", missing)
    return files


def _parquet_files(source: Path) -> list[Path]:
    patterns = ["/".join(["*"] * depth + ["*.parquet"]) for depth in range(_DEPTH)]
    return sorted(path for pattern in patterns for path in source.glob(pattern))


def _parquet_parts(source: Path) -> list[_Part]:
    """Files by split: ``data/train-00000-of-00002.parquet``, ``default/train/0000.parquet``, ``train.parquet``, or one.

    Raises:
        ConfigError: several configurations, or several files of which nothing says a split.
        DataError: a shard is missing.
    """
    grouped: dict[tuple[str, str], list[Path]] = defaultdict(list)
    problems = []
    for path in _parquet_files(source):
        folder, shard = path.parent.relative_to(source).as_posix(), _SHARD.fullmatch(path.stem)
        if path.stem.isdigit() and folder != ".":
            config, _, name = folder.rpartition("/")
            grouped[config or ".", name].append(path)
        elif shard:
            grouped[folder, shard["split"]].append(path)
        else:
            grouped[folder, path.stem if split_of(path.stem) else ""].append(path)
    configurations = sorted({config for config, _ in grouped})
    if len(configurations) > 1:
        choices = " or ".join(f"--source {source / config}" for config in configurations)
        raise ConfigError(f"{source} holds {len(configurations)} configurations; choose one: {choices}")
    for (_, name), files in grouped.items():
        numbers = [match for path in files if (match := _SHARD.fullmatch(path.stem))]
        expected = {int(match["count"]) for match in numbers}
        found = sorted(int(match["number"]) for match in numbers)
        if numbers and (len(expected) != 1 or found != list(range(next(iter(expected))))):
            problems.append(
                f"{name}: expected {max(expected)} files numbered from 0, found {', '.join(map(str, found))}; fetch "
                "the missing ones and keep a single revision"
            )
        if not name and len(files) > 1:
            raise ConfigError(
                f"{source}: {len(files)} parquet files, and nothing says which split they are; name one as --source, "
                "or name them train.parquet, test.parquet"
            )
    if problems:
        raise DataError(f"{source} is not whole", problems)
    return [_Part(name, files) for (_, name), files in sorted(grouped.items())]
