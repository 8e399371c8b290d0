"""Folders as Hugging Face's ``datasets`` writes them, read with pyarrow alone: parquet under any names and in any
of the
hub's layouts, and ``save_to_disk``. Images stay in the file; a class label becomes its name.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError, one_line
from ...readers import Release
from ...readers.custom import DATASET
from ...readers.layouts import inside
from ...readers.tables import PYARROW, not_a_file_here
from ...readers.textfiles import read_json_object
from ..images.faults import UnusableImage
from ..images.parquet_images import Address, read_batches
from .columns import SPLIT_NAMES, split_of
from .own_tables import assemble
from .tables import Table
from .wishes import OwnData, Wishes

_SHARD = re.compile(r"(?P<split>.+?)-(?P<number>\d{5})-of-(?P<count>\d{5})(?:-\w+)?")
_DEPTH = 3
_PARTIAL = "partial-"
"""Begins a split in the hub's conversion of which it converted the beginning alone."""
_INFO = "dataset_info.json"


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
            f"with "
            "--split"
        )
    release = Release(DATASET, layout, root)
    tables = []
    for part in parts:
        name = part.name.removeprefix(_PARTIAL)
        table = _read_part(root, part)
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
    return str(state.get("_split") or "")  # null where nobody said it


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
                f"the "
                "missing ones and keep a single revision"
            )
        if not name and len(files) > 1:
            raise ConfigError(
                f"{source}: {len(files)} parquet files, and nothing says which split they are; name one as --source, "
                "or name them train.parquet, test.parquet"
            )
    if problems:
        raise DataError(f"{source} is not whole", problems)
    return [_Part(name, files) for (_, name), files in sorted(grouped.items())]


def _read_part(root: Path, part: _Part) -> Table:
    """The rows of a split; an image becomes the address of where it is.

    Raises:
        DataError: pyarrow is missing, or a file is no file here, or damaged.
    """
    try:
        import pyarrow  # late: optional
    except ImportError as error:
        raise DataError(f"{part.files[0]}: {PYARROW.message}") from error
    table: Table | None = None
    classes: set[str] = set()
    for path in part.files:
        name = path.relative_to(root).as_posix()
        problem = not_a_file_here(root, name)
        if problem:
            raise DataError(problem)
        try:
            schema, rows = (_arrow_rows if path.suffix == ".arrow" else _parquet_rows)(path)
            features = _features(path, schema)
            names = {column: tuple(map(str, found["names"])) for column, found in features.items() if _is_class(found)}
            classes |= set(names)
            if table is None:
                table = Table(path, schema.names, [], [], is_numbered=True)
            if list(schema.names) != list(table.header):
                raise DataError(f"{path}: other columns than {table.path.name}; keep the files of a single revision")
            for number, row in enumerate(rows):
                cells = {column: _cell(name, number, column, value, names) for column, value in row.items()}
                table.rows.append((f"{name}, row {number}", cells))
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read ({one_line(error)}); fetch the file again") from error
        except UnusableImage as error:
            raise DataError(str(error)) from error
    if table is None:
        raise DataError(f"{root}: no files of the split {part.name}")
    if classes:
        table.said.append(f"class labels read by their names: {', '.join(sorted(classes))}")
    return table


class _Embedded:
    """In place of an image's bytes: that there is one, and how many in a list."""

    def __init__(self, count: int | None = None) -> None:
        self.count = count


def _cell(file: str, row: int, column: str, value: Any, names: Mapping[str, Sequence[str]]) -> Any:
    if isinstance(value, _Embedded):
        if value.count is None:
            return str(Address(file, row, column))
        return [str(Address(file, row, column, item)) for item in range(value.count)]
    if column in names:
        labels = names[column]
        return labels[value] if isinstance(value, int) and 0 <= value < len(labels) else ""
    return value


def _parquet_rows(path: Path) -> tuple[Any, Iterator[dict[str, Any]]]:
    """Schema and rows, images as ``_Embedded`` or, where the file only names them, as their path; no pixels are
    read."""
    from pyarrow import parquet  # late: optional

    file = parquet.ParquetFile(path)
    schema = file.schema_arrow
    leaves = [file.schema.column(number).path for number in range(len(file.schema.names))]
    images = {field.name: _image_kind(field.type) for field in schema if _image_kind(field.type)}
    linked = {name for name, kind in images.items() if kind == "struct" and _only_names(file, schema, name)}
    wanted = [leaf for leaf in leaves if leaf.split(".")[0] not in images]
    wanted += [leaf for leaf in leaves if leaf.split(".")[0] in images and not leaf.endswith(".bytes")]

    def rows() -> Iterator[dict[str, Any]]:
        with file:
            binary = [name for name, kind in images.items() if kind == "binary"]
            columns = [leaf for leaf in wanted if leaf.split(".")[0] not in binary]
            for number in range(file.num_row_groups):
                for batch in file.iter_batches(row_groups=[number], columns=columns, batch_size=256):
                    for row in batch.to_pylist():
                        yield {name: _value(name, row.get(name), images, linked) for name in schema.names}

    return schema, rows()


def _arrow_rows(path: Path) -> tuple[Any, Iterator[dict[str, Any]]]:
    """As ``_parquet_rows``, of an arrow file, which is mapped into memory."""
    batches = read_batches(path)
    if not batches:
        raise DataError(f"{path}: no rows; save the data set again")
    schema = batches[0].schema
    images = {field.name: _image_kind(field.type) for field in schema if _image_kind(field.type)}

    def rows() -> Iterator[dict[str, Any]]:
        for batch in batches:
            plain = {name: batch.column(name).to_pylist() for name in schema.names if name not in images}
            paths = {name: _paths(batch.column(name), kind) for name, kind in images.items()}
            for number in range(batch.num_rows):
                row = {name: values[number] for name, values in plain.items()}
                row.update({name: values[number] for name, values in paths.items()})
                yield {name: row[name] for name in schema.names}

    return schema, rows()


def _paths(column: Any, kind: str) -> list[Any]:
    """Of a column of images what ``_value`` makes of each, without their bytes."""
    if kind == "binary":
        return [_Embedded()] * len(column)
    if kind == "struct":
        has_bytes = column.field("bytes").is_valid().to_pylist()
        named = column.field("path").to_pylist()
        return [_Embedded() if has else path or "" for has, path in zip(has_bytes, named)]
    return [_Embedded(count or 0) for count in column.value_lengths().to_pylist()]


def _value(name: str, value: Any, images: Mapping[str, str], linked: set[str]) -> Any:
    kind = images.get(name, "")
    if not kind:
        return value
    if kind == "list":
        return _Embedded(len(value or ()))
    if name in linked:
        return str((value or {}).get("path") or "")
    return _Embedded()


def _image_kind(kind: Any) -> str:
    """``struct`` (bytes and path), ``binary``, ``list`` of either; empty for what is no image."""
    from pyarrow import types  # late: optional

    if types.is_struct(kind):
        return "struct" if {"bytes", "path"} <= {kind.field(number).name for number in range(kind.num_fields)} else ""
    if types.is_binary(kind) or types.is_large_binary(kind):
        return "binary"
    if types.is_list(kind) or types.is_large_list(kind):
        return "list" if _image_kind(kind.value_type) == "struct" else ""
    return ""


def _only_names(file: Any, schema: Any, column: str) -> bool:
    """Whether a column of images holds no bytes, by its type or the statistics of the file; False where none says
    it."""
    kind, leaf = schema.field(column).type, f"{column}.bytes"
    if str(kind.field(kind.get_field_index("bytes")).type) == "null":
        return True
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        found = [
            group.column(place) for place in range(group.num_columns) if group.column(place).path_in_schema == leaf
        ]
        statistics = found[0].statistics if found else None
        if statistics is None or statistics.null_count != group.num_rows:
            return False
    return bool(file.num_row_groups)


def _features(path: Path, schema: Any) -> dict[str, Any]:
    """What ``datasets`` wrote of the columns: in the file itself, else in ``dataset_info.json`` beside or above it."""
    written = (schema.metadata or {}).get(b"huggingface")
    content: Any = {}
    try:
        content = json.loads(written)["info"]["features"] if written else {}
    except (ValueError, KeyError, TypeError):
        content = {}
    for folder in (path.parent, path.parent.parent):
        if not content and (folder / _INFO).is_file():
            content = read_json_object(folder / _INFO, {}).get("features")
    return content if isinstance(content, dict) else {}


def _is_class(feature: Any) -> bool:
    return isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
