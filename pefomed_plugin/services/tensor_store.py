"""Arrays of one shape and kind by key, in memory-mapped files that several processes may read and write at once.

Every writer has files of its own (``part-*.bin`` and its index ``part-*.jsonl``), and an index line is written when its
array is on the disk, so a writer that is killed leaves whole arrays only. Two writers of the same key waste space and
nothing else.
"""

from __future__ import annotations

import json
import os
import uuid
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from ..errors import DataError
from ..json_text import parse_json
from ..readers.textfiles import read_json_object
from ..storage import write_json

META = "meta.json"
_PART_BYTES = 1 << 30


class TensorStore:
    """Arrays in ``folder``, read by key."""

    def __init__(
        self, folder: Path, shape: tuple[int, ...], dtype: str, facts: Mapping[str, Any] | None = None
    ) -> None:
        """Open the store, or begin one.

        Args:
            shape: of each array.
            dtype: numpy's name of the type of its elements.
            facts: what the arrays are, for a reader of ``meta.json``.

        Raises:
            DataError: the folder holds arrays of another shape or kind.
        """
        self.folder, self.shape, self.dtype = Path(folder), tuple(shape), np.dtype(dtype)
        self.record_bytes = int(np.prod(self.shape)) * self.dtype.itemsize
        meta = {"shape": list(self.shape), "dtype": self.dtype.name, **(facts or {})}
        path = self.folder / META
        if not path.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(path, meta)
        found = read_json_object(path, {"shape": "list[int]", "dtype": "str"}, what="a store's; remove the folder")
        if (found.get("shape"), found.get("dtype")) != (meta["shape"], meta["dtype"]):
            raise DataError(
                f"{self.folder} holds arrays {found.get('shape')} of {found.get('dtype')}, not {meta['shape']} of "
                f"{meta['dtype']}; remove the folder, or name another one"
            )
        self._places: dict[str, tuple[Path, int, int]] = {}
        self._files: dict[Path, np.ndarray] = {}
        self._checked: set[str] = set()
        self.reload()

    def reload(self) -> None:
        """See what other writers have added."""
        for index in sorted(self.folder.glob("part-*.jsonl")):
            data = index.with_suffix(".bin")
            rows = data.stat().st_size // self.record_bytes if data.is_file() else 0
            for number, line in enumerate(index.read_bytes().splitlines(keepends=True), 1):
                if line.endswith(b"\n"):  # else its writer was killed, or is at it
                    key, row, checksum = _entry(line, index, number)
                    if row < rows:
                        self._places.setdefault(key, (data, row, checksum))

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Keys that are not there, each once, in the order given."""
        return [key for key in dict.fromkeys(keys) if key not in self._places]

    def __getitem__(self, key: str) -> np.ndarray:
        """The array, in memory shared by all who read it; not to be written to.

        Raises:
            KeyError: it is not there.
            DataError: it is damaged (looked at when a process first reads it).
        """
        path, row, checksum = self._places[key]
        if path not in self._files or len(self._files[path]) <= row:
            rows = path.stat().st_size // self.record_bytes
            # copy-on-write, so that torch takes the array without a warning; nobody writes
            self._files[path] = np.memmap(path, self.dtype, "c", shape=(rows, *self.shape))
        array = self._files[path][row]
        if key not in self._checked:
            if zlib.crc32(memoryview(array)) != checksum:
                raise DataError(
                    f"{path}: array {row} is damaged; remove this file and its .jsonl, what it held is made again"
                )
            self._checked.add(key)
        return array

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": {}}

    def writer(self) -> StoreWriter:
        """A writer with files of its own."""
        return StoreWriter(self)


def _entry(line: bytes, index: Path, number: int) -> tuple[str, int, int]:
    """Key, row and checksum of an index line."""
    try:
        key, row, checksum = parse_json(line)
        if isinstance(key, str) and type(row) is int is type(checksum) and row >= 0:
            return key, row, checksum
    except (ValueError, TypeError):
        pass
    raise DataError(f"{index}, line {number}: damaged; remove this file and its .bin, what they held is made again")


class StoreWriter:
    """Adds arrays to a store; used as a context."""

    def __init__(self, store: TensorStore) -> None:
        self._store = store
        self._data: BinaryIO | None = None
        self._index: TextIO | None = None
        self._row = 0

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, *_: Any) -> None:
        self._close()

    def add(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write arrays of the store's shape and kind; they are on the disk when this returns.

        Raises:
            DataError: the disk is full or the folder cannot be written; what was there before stays whole.
        """
        store = self._store
        lines: list[str] = []
        try:
            data, index = self._open()
            for key, array in arrays.items():
                if array.shape != store.shape or array.dtype != store.dtype:
                    raise ValueError(f"{array.shape} of {array.dtype} into a store of {store.shape} of {store.dtype}")
                content: Any = memoryview(np.ascontiguousarray(array))  # type: ignore[arg-type]  # it has a buffer
                data.write(content)
                lines.append(json.dumps([key, self._row + len(lines), zlib.crc32(content)]) + "\n")
            data.flush()
            os.fsync(data.fileno())
            index.writelines(lines)
            index.flush()
            os.fsync(index.fileno())
        except OSError as error:
            raise DataError(
                f"{store.folder}: cannot write ({error.strerror}); free space or name another run.cache_dir, then "
                "start again: what is written stays"
            ) from error
        self._row += len(lines)

    def _open(self) -> tuple[BinaryIO, TextIO]:
        if self._row * self._store.record_bytes >= _PART_BYTES:
            self._close()
        if self._data is None or self._index is None:
            name = f"part-{uuid.uuid4().hex[:12]}"
            self._data = (self._store.folder / (name + ".bin")).open("xb")
            self._index = (self._store.folder / (name + ".jsonl")).open("x", encoding="utf-8")
        return self._data, self._index

    def _close(self) -> None:
        for file in (self._data, self._index):
            if file is not None:
                file.close()
        self._data, self._index, self._row = None, None, 0
