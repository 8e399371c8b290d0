"""Where the members of a tar file lie, found by its headers alone: no content is read.

webdataset goes through a tar from front to back and reads every byte of it; nothing in it says where member 40,000 is
(docs/adr/0016). Names become samples by webdataset's own rule, ``group_by_keys``.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import one_line

_BLOCK_BYTES = 512
_NAME, _SIZE, _CHECKSUM = slice(0, 100), slice(124, 136), slice(148, 156)
_MAGIC, _PREFIX = slice(257, 263), slice(345, 500)
_TYPE = 156
_FILE, _FOLDER, _LINKS = b"0\0007", b"5", b"12"
_REMARKS = b"xg"
"""Headers that say more of the next member; webdataset writes one before each, with the time in fractions."""
_TELLING = (b" path=", b" size=", b" GNU.", b" hdrcharset=")
"""In a remark: what changes where a member lies or what it is called."""
_EXTENDED = b"LKS"
"""Long names and holes. These, and remarks that tell, are read by ``tarfile``, which takes seven times as long."""

_ODD_BYTES = "backslashreplace"
"""What becomes of bytes of a name that are not UTF-8."""

CUT = "cut"
DAMAGED = "damaged header"
LEADS_OUT = "name that leads out of the archive"
TWICE = "member that occurs twice"
LINK = "link in place of a file"
NO_ENDING = "member whose name has no ending"


def remedy_of(kind: str) -> str:
    """What to do about a kind of fault."""
    if kind in (CUT, DAMAGED):
        return "fetch the shard again"
    return "make the shard again without such names" if kind == LEADS_OUT else "make the shard again"


@dataclass
class TarMembers:
    """The files in a tar, in its order; what cannot be used of them is in ``faults``."""

    names: list[str] = field(default_factory=list)
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """Byte at which a member's content begins."""
    sizes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """Bytes of its content."""
    faults: list[tuple[str, str]] = field(default_factory=list)
    """Kind of fault (``CUT``, ...) and what it is, with the member's name."""


def read_members(path: Path, *, check_sums: bool = True) -> TarMembers:
    """Members of a tar that is not compressed.

    Names are as they are stored, unchecked. A tar that ends too early gives the members before its end and a fault.

    Args:
        check_sums: compare each header with its checksum; not needed where the whole file is compared with a digest.

    Raises:
        OSError: the file cannot be read.
    """
    headers, starts, sizes, faults = _walk(path, check_sums)
    if headers is None:
        return _read_extended(path)
    if not headers:
        return TarMembers(faults=faults)
    table = np.frombuffer(b"".join(headers), np.uint8).reshape(-1, _BLOCK_BYTES)
    places = np.array([starts, sizes], np.int64).T + np.array([_BLOCK_BYTES, 0])
    whole = _sums_are_right(table) if check_sums else np.ones(len(headers), bool)
    if not whole.all():
        first = int(whole.argmin())
        faults = [(DAMAGED, f"the header at byte {starts[first]:,} is damaged, and all after it is lost")]
        table, places = table[:first], places[:first]
    kinds = table[:, _TYPE]
    is_file = np.isin(kinds, list(_FILE))
    is_other = ~is_file & ~np.isin(kinds, list(_FOLDER + _REMARKS))
    faults += [(LINK, f"{name} is no file") for name in _names_in(table[is_other])]
    offsets, lengths = places[is_file].T
    return TarMembers(_names_in(table[is_file]), offsets, lengths, faults)


def split_name(name: str) -> tuple[str, str] | None:
    """Key and ending of a member, by webdataset's rule: ``a/7.seg.png`` is ``a/7`` and ``seg.png``; None: no ending."""
    folder, slash, file = name.rpartition("/")
    stem, dot, ending = file.partition(".")
    return (folder + slash + stem, ending.lower()) if stem and dot else None


def leads_out(name: str) -> bool:
    """Whether a member's name is absolute or goes up: where it would land if it were unpacked is not in the archive."""
    return name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or "\0" in name


def group_members(members: TarMembers) -> tuple[list[tuple[str, dict[str, int]]], list[tuple[str, str]]]:
    """Samples of a tar, key and ending -> number of the member, as webdataset puts members together; and the faults.

    Members that lead out of the archive, occur twice or have no ending are left out; each is a fault.
    """
    from webdataset.tariterators import group_by_keys  # late: loads torch where it is installed

    faults = list(members.faults)
    samples = group_by_keys(_usable(members.names, faults))
    found = [(one["__key__"], {key: at for key, at in one.items() if not key.startswith("__")}) for one in samples]
    return found, faults


def _usable(names: Sequence[str], faults: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    seen = set()
    for number, name in enumerate(names):
        parts = split_name(name)
        kind = LEADS_OUT if leads_out(name) else NO_ENDING if parts is None else TWICE if parts in seen else None
        if kind is not None:
            faults.append((kind, name))
            continue
        seen.add(parts)
        if not (name.startswith("__") and name.endswith("__")):
            yield {"fname": name, "data": number, "__url__": ""}


class MemberTable:
    """Places of a tar's members by name, in sorted arrays in place of a dictionary: some 30 bytes a member."""

    def __init__(self, members: TarMembers) -> None:
        names = np.array([_encoded(name) for name in members.names] or [b""])
        order = np.argsort(names, kind="stable")
        self._names = names[order]
        self._places = np.stack([members.offsets, members.sizes], axis=1)[order] if members.names else None

    def find(self, name: str) -> tuple[int, int] | None:
        """Offset and size of a member in bytes; None where there is none of that name."""
        wanted = _encoded(name)
        at = int(np.searchsorted(self._names, wanted))
        if self._places is None or at == len(self._names) or self._names[at] != wanted:
            return None
        return int(self._places[at, 0]), int(self._places[at, 1])


_tables: dict[str, tuple[tuple[int, int], MemberTable]] = {}


def member_table(path: Path, members: TarMembers | None = None) -> MemberTable:
    """The table of a tar; it is made once in a process, for as long as the file stays as it is.

    Args:
        members: as ``read_members`` gave them, where that has just been done.

    Raises:
        OSError: the file cannot be read.
    """
    state, key = os.stat(path), str(path)
    stamp = (state.st_mtime_ns, state.st_size)
    if key not in _tables or _tables[key][0] != stamp:
        _tables[key] = (stamp, MemberTable(members or read_members(path)))
    return _tables[key][1]


def read_content(path: Path, members: TarMembers, number: int) -> bytes:
    """Content of one member. Raises OSError."""
    with open(path, "rb") as file:
        file.seek(int(members.offsets[number]))
        return file.read(int(members.sizes[number]))


def _walk(path: Path, check_first: bool) -> tuple[list[bytes] | None, list[int], list[int], list[tuple[str, str]]]:
    """Headers, where each begins and the bytes behind it; no headers where ``tarfile`` has to read them."""
    headers: list[bytes] = []
    starts: list[int] = []
    sizes: list[int] = []
    found = (headers, starts, sizes)
    with open(path, "rb", buffering=0) as file:
        end, at = os.fstat(file.fileno()).st_size, 0
        while True:
            file.seek(at)
            header = file.read(_BLOCK_BYTES)
            if len(header) < _BLOCK_BYTES:
                return *found, [(CUT, f"the file ends at byte {end:,} without the end mark of a tar")]
            if not header[0] and not header.strip(b"\0"):
                return *found, []
            kind = header[_TYPE]
            if check_first and not at and not _sums_are_right(np.frombuffer(header, np.uint8)[None]).all():
                return *found, [(DAMAGED, "not a tar file, or a compressed one")]
            if kind in _EXTENDED or header[124] & 0x80:
                return None, [], [], []
            try:
                size = int(header[_SIZE].strip(b"\0 ") or b"0", 8)
            except ValueError:
                return *found, [(DAMAGED, f"the header at byte {at:,} is damaged, and all after it is lost")]
            following = at + _BLOCK_BYTES + ((size + 511) & ~511)
            if at + _BLOCK_BYTES + size > end:
                (name,) = _names_in(np.frombuffer(header, np.uint8)[None])
                return *found, [(CUT, f"the file ends at byte {end:,}, within {name}")]
            if kind in _REMARKS and any(word in file.read(size) for word in _TELLING):
                return None, [], [], []
            headers.append(header)
            starts.append(at)
            sizes.append(size)
            at = following


def _read_extended(path: Path) -> TarMembers:
    """The same by ``tarfile``, for archives with extended headers."""
    found = TarMembers()
    offsets, sizes = [], []
    end = os.path.getsize(path)
    try:
        with tarfile.open(path, "r:", encoding="utf-8", errors=_ODD_BYTES) as tar:
            for member in tar:
                if member.offset_data + member.size > end:
                    found.faults.append((CUT, f"the file ends at byte {end:,}, within {member.name}"))
                    break
                if member.isdir():
                    continue
                if not member.isreg():
                    found.faults.append((LINK, f"{member.name} is no file"))
                    continue
                found.names.append(member.name)
                offsets.append(member.offset_data)
                sizes.append(member.size)
            last = tar.offset
    except tarfile.TarError as error:
        found.faults.append((CUT, one_line(error)))
        last = 0
    with open(path, "rb") as file:
        file.seek(last)
        mark = file.read(_BLOCK_BYTES)
    if not found.faults and mark.strip(b"\0"):
        found.faults.append((DAMAGED, f"the header at byte {last:,} is damaged, and all after it is lost"))
    found.offsets, found.sizes = np.asarray(offsets, np.int64), np.asarray(sizes, np.int64)
    return found


def _encoded(name: str) -> bytes:
    return name.encode("utf-8")


def _names_in(table: np.ndarray) -> list[str]:
    """Names in headers, (n, 512) bytes."""
    names = [name.split(b"\0", 1)[0] for name in np.ascontiguousarray(table[:, _NAME]).view("S100").ravel().tolist()]
    has_prefix = table[:, _PREFIX.start].astype(bool) & (table[:, _MAGIC] == np.frombuffer(b"ustar\0", np.uint8)).all(1)
    for number in np.flatnonzero(has_prefix):
        names[number] = table[number, _PREFIX].tobytes().split(b"\0", 1)[0] + b"/" + names[number]
    return [name.decode("utf-8", _ODD_BYTES) for name in names]


def _sums_are_right(table: np.ndarray) -> np.ndarray:
    """Whether each header's checksum is that of its bytes, its own eight counted as blanks."""
    fields, signed = table[:, _CHECKSUM], table.view(np.int8)
    sums = table.sum(axis=1, dtype=np.int64) - fields.sum(axis=1, dtype=np.int64) + 8 * ord(" ")
    old = signed.sum(axis=1, dtype=np.int64) - signed[:, _CHECKSUM].sum(axis=1, dtype=np.int64) + 8 * ord(" ")
    digits = fields[:, :6].astype(np.int64) - ord("0")
    stored = digits @ (8 ** np.arange(5, -1, -1))
    for number in np.flatnonzero(((digits < 0) | (digits > 7)).any(axis=1)):  # as some writers have it: blanks first
        stored[number] = _checksum_of(fields[number].tobytes())
    right: np.ndarray = (stored == sums) | (stored == old)  # some old writers summed signed bytes
    return right


def _checksum_of(field: bytes) -> int:
    try:
        return int(field.strip(b"\0 ") or b"-1", 8)
    except ValueError:
        return -1
