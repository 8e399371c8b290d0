"""Preferences on the disk: JSON lines, or parquet with the images in it, which ``datasets`` gives to TRL as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic import replacing
from ..errors import DataError, why
from ..readers.tables import PYARROW
from ..records import Prediction
from ..requirements import require
from ..services.console import progress
from ..services.images.decoding import open_image
from ..storage import write_text
from .preferences import Exported

if TYPE_CHECKING:
    import pyarrow

DPO, KTO = "dpo", "kto"
_ROWS_A_GROUP = 100
_IMAGE = {"_type": "Sequence", "feature": {"_type": "Image"}}


def write_rows(exported: Exported, path: Path, image_roots: Mapping[str, Path]) -> Path:
    """The rows as ``path`` with ``.parquet`` (with images) or ``.jsonl`` (without) behind it.

    Args:
        image_roots: data set -> folder that its images lie below; empty: no images.

    Raises:
        ConfigError: pyarrow is missing.
        UnusableImage: an image cannot be used.
        DataError: the file cannot be written; what was there before stays.
    """
    if not image_roots:
        out = path.with_suffix(".jsonl")
        write_text(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in exported.rows))
        return out
    require([PYARROW])
    from pyarrow import Table, parquet  # late: optional

    out = path.with_suffix(".parquet")
    schema = _schema(exported.rows[0])
    try:
        with (
            progress(f"{path.name}: rows", len(exported.rows)) as advance,
            replacing(out) as file,
            parquet.ParquetWriter(file, schema) as writer,
        ):
            for rows in _with_images(exported, image_roots):
                writer.write_table(Table.from_pylist(rows, schema=schema))
                advance(len(rows))
    except OSError as error:
        raise DataError(f"cannot write {out}: {why(error)}") from error
    return out


def _with_images(exported: Exported, image_roots: Mapping[str, Path]) -> Iterator[list[dict[str, Any]]]:
    for begin in range(0, len(exported.rows), _ROWS_A_GROUP):
        part = slice(begin, begin + _ROWS_A_GROUP)
        yield [
            {**row, "images": [_image(sample, image, image_roots) for image in sample.images]}
            for row, sample in zip(exported.rows[part], exported.samples[part])
        ]


def _image(sample: Prediction, image: str, image_roots: Mapping[str, Path]) -> dict[str, Any]:
    """PNG of the pixels that training sees."""
    content = BytesIO()
    open_image(image_roots[sample.dataset], image).save(content, "PNG")
    return {"bytes": content.getvalue(), "path": None}


def _schema(row: Mapping[str, Any]) -> pyarrow.Schema:
    """Columns of a row and its images, with the types that ``datasets`` reads from the file."""
    import pyarrow as pa  # late: optional

    message = pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))
    kinds: dict[type, tuple[Any, str]] = {
        str: (pa.string(), "string"),
        bool: (pa.bool_(), "bool"),
        float: (pa.float64(), "float64"),
    }
    text = {"_type": "Value", "dtype": "string"}
    types: list[tuple[str, Any]] = []
    features: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            types.append((name, message))
            features[name] = [{"role": text, "content": text}]
        else:
            kind, dtype = kinds[type(value)]
            types.append((name, kind))
            features[name] = {"_type": "Value", "dtype": dtype}
    types.append(("images", pa.list_(pa.struct({"bytes": pa.binary(), "path": pa.string()}))))
    info = {"info": {"features": {**features, "images": _IMAGE}}}
    return pa.schema(types, metadata={"huggingface": json.dumps(info)})
