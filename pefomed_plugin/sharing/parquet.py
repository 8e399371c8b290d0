"""Samples with their images as parquet shards that Hugging Face's ``datasets`` reads: column types in the file's own
schema, image bytes embedded. Memory stays flat: a row group is written as soon as it is full."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..digests import file_sha256
from ..readers.shared import HUB_SPLITS, ONE, SEVERAL, TEXT, TEXTS, columns_of
from ..records import Sample
from ..services.console import progress
from .format import Shared, SharedFile, ToShare
from .images import Counted, LeavingImage, Reason, leaving_images

if TYPE_CHECKING:
    import pyarrow

ROWS_A_GROUP = 100
BYTES_A_GROUP = 32 * 2**20
"""Of images, reached before a row group ends: what a reader unpacks at a time."""
BYTES_A_SHARD = 500_000_000
_DATASETS_TYPES: dict[str, dict[str, Any]] = {
    ONE: {"_type": "Image"},
    SEVERAL: {"_type": "Sequence", "feature": {"_type": "Image"}},
    TEXT: {"_type": "Value", "dtype": "string"},
    TEXTS: {"_type": "Sequence", "feature": {"_type": "Value", "dtype": "string"}},
}
"""``Sequence`` is understood by every version of ``datasets``; since 4.0 it is called ``List``."""
_CARD_TYPES: dict[str, dict[str, str]] = {
    ONE: {"dtype": "image"},
    SEVERAL: {"sequence": "image"},
    TEXT: {"dtype": "string"},
    TEXTS: {"sequence": "string"},
}


def images_column(to_share: ToShare) -> str:
    """``ONE`` where every sample has one image, else ``SEVERAL``."""
    return SEVERAL if to_share.shows_several else ONE


def features_of(to_share: ToShare) -> list[dict[str, str]]:
    """Columns as ``dataset_info`` of a card has them."""
    return [{"name": name, **_CARD_TYPES[kind]} for name, kind in columns_of(images_column(to_share)).items()]


def write_parquet(to_share: ToShare, folder: Path, reason: Reason) -> Shared:
    """``data/<split>-00000-of-00003.parquet`` for every split.

    Args:
        reason: why an image is converted (``images.as_it_is``, ``images.unless_plain``).

    Raises:
        UnusableImage: an image cannot be used.
    """
    shared = Shared()
    counted, images = Counted(shared), images_column(to_share)
    (folder / "data").mkdir()
    with progress("shared: samples", sum(map(len, to_share.splits.values()))) as advance:
        for split, samples in to_share.splits.items():
            written: list[tuple[Path, SharedFile]] = []
            shard = None
            for rows in _row_groups(to_share, samples, images, reason, counted):
                if shard is None or shard.is_full:
                    if shard is not None:
                        written.append(shard.close())
                    shard = _Shard(folder / "data" / f"{HUB_SPLITS[split]}-{len(written):05}", images, split)
                shard.add(rows)
                advance(len(rows))
            if shard is not None:
                written.append(shard.close())
            for number, (path, file) in enumerate(written):
                name = f"data/{HUB_SPLITS[split]}-{number:05}-of-{len(written):05}.parquet"
                path.rename(folder / name)
                shared.files[name] = file
    return shared


def _row_groups(
    to_share: ToShare, samples: Sequence[Sample], images: str, reason: Reason, counted: Counted
) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    size = 0
    for sample, shown in zip(samples, leaving_images(to_share, samples, reason)):
        counted.add(shown)
        rows.append(_row(sample, shown, images))
        size += sum(len(image.data) for image in shown)
        if len(rows) == ROWS_A_GROUP or size >= BYTES_A_GROUP:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _row(sample: Sample, shown: Sequence[LeavingImage], images: str) -> dict[str, Any]:
    embedded = [{"bytes": image.data, "path": image.name} for image in shown]
    fields = {name: getattr(sample, name) for name in columns_of(images) if name not in (images, "views", "metadata")}
    metadata = json.dumps(dict(sample.metadata), ensure_ascii=False, allow_nan=False) if sample.metadata else None
    views = {"views": list(sample.views)} if images == SEVERAL else {}
    return {**fields, **views, "metadata": metadata, images: embedded if images == SEVERAL else embedded[0]}


class _Shard:
    """One file, written a row group at a time."""

    def __init__(self, path: Path, images: str, split: str) -> None:
        from pyarrow import parquet  # late: optional

        self.path, self.split, self.samples, self.arrow_bytes = path, split, 0, 0
        self.schema = _schema(images)
        self.file = parquet.ParquetWriter(
            path,
            self.schema,
            compression={name: "none" if "bytes" in name else "snappy" for name in _leaves(self.schema)},
            use_dictionary=False,
        )

    @property
    def is_full(self) -> bool:
        return self.arrow_bytes >= BYTES_A_SHARD

    def add(self, rows: list[dict[str, Any]]) -> None:
        import pyarrow  # late: optional

        table = pyarrow.Table.from_pylist(rows, schema=self.schema)
        self.file.write_table(table, row_group_size=len(rows))
        self.samples += len(rows)
        self.arrow_bytes += table.nbytes

    def close(self) -> tuple[Path, SharedFile]:
        self.file.close()
        size, digest = self.path.stat().st_size, file_sha256(self.path)
        return self.path, SharedFile(self.split, self.samples, size, digest, self.arrow_bytes)


def _schema(images: str) -> pyarrow.Schema:
    import pyarrow as pa  # late: optional

    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    types = {ONE: image, SEVERAL: pa.list_(image), TEXT: pa.string(), TEXTS: pa.list_(pa.string())}
    columns = columns_of(images)
    info = {"info": {"features": {name: _DATASETS_TYPES[kind] for name, kind in columns.items()}}}
    return pa.schema(
        [(name, types[kind]) for name, kind in columns.items()], metadata={"huggingface": json.dumps(info)}
    )


def _leaves(schema: pyarrow.Schema) -> list[str]:
    """Paths of the columns as parquet stores them."""
    found: list[str] = []

    def visit(path: str, kind: Any) -> None:
        from pyarrow import types  # late: optional

        if types.is_struct(kind):
            for child in kind:
                visit(f"{path}.{child.name}", child.type)
        elif types.is_list(kind):
            visit(f"{path}.list.element", kind.value_type)
        else:
            found.append(path)

    for column in schema:
        visit(column.name, column.type)
    return found
