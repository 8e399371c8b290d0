"""Text columns of the parquet copies on Hugging Face (``data/<split>-00000-of-00003.parquet``).

Images stay in the file: a sample names them ``data/<file>.parquet#<row>``, and nothing here decodes a pixel.
"""

import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from ..errors import DataError, one_line
from .layouts import Release, inside

_SHARD = re.compile(r"-(\d+)-of-(\d+)")
_LFS_POINTER = b"version https://git-lfs"


def read_split(release: Release, split: str, columns: Sequence[str]) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """Pairs of image name and row of one split, shard after shard; ``release.image_root`` is the release folder.

    A missing, doubled or damaged shard, or one without ``image`` or a column of ``columns``, becomes a problem of
    ``release``.

    Raises:
        DataError: pyarrow is not installed.
    """
    root = release.image_root
    shards = sorted(root.glob("data/{}-*.parquet".format(split)))
    release.problems += _incomplete(split, shards)
    for shard in shards:
        name = "data/" + shard.name
        release.files.append(shard)
        if inside(root, name) is None:
            release.problems.append("{} is a symbolic link out of {}; put the file itself there, for example with "
                                    "huggingface-cli download --local-dir".format(name, root))
            continue
        try:
            rows = _read_columns(shard, columns)
        except DataError as error:
            release.problems.append(str(error))
            continue
        for number, row in enumerate(rows):
            yield "{}#{}".format(name, number), row


def _incomplete(split: str, shards: Sequence[Path]) -> List[str]:
    numbers = [_SHARD.search(shard.name) for shard in shards]
    found = sorted(int(each.group(1)) for each in numbers if each)
    wanted = max((int(each.group(2)) for each in numbers if each), default=0)
    if found in ([], list(range(wanted))):
        return []
    return ["data/{}-*.parquet: found the numbers {} of {} shards; fetch the missing ones and keep one revision".format(
        split, ", ".join(map(str, found)), wanted)]


def _read_columns(path: Path, columns: Sequence[str]) -> List[Dict[str, Any]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError("{}: reading parquet needs pyarrow; pip install 'pefomed_plugin[parquet]'".format(
            path.name)) from error
    try:
        with open(path, "rb") as file:
            if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
                raise DataError("{} is a Git LFS pointer, not the data; run git lfs pull".format(path))
        with pq.ParquetFile(path) as table:
            names = table.schema_arrow.names
            missing = [each for each in ("image", *columns) if each not in names]
            if missing:
                raise DataError("{}: no column {}; found {}".format(path, ", ".join(missing), ", ".join(names)))
            return table.read(columns=list(columns)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError("{}: not readable as parquet ({}); the file is damaged or incomplete, fetch it again".format(
            path, one_line(error))) from error
