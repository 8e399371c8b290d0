"""A JPEG without its metadata, its pixels untouched (ITU-T T.81, Annex B)."""

from __future__ import annotations

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_KEPT_APPLICATION = (0xE0, 0xEE)
"""JFIF, and Adobe's, which says how the colours are to be read."""
_COMMENT = 0xFE
_ALONE = (*range(0xD0, 0xD8), 0x01)
"""Markers without a segment: restarts within a scan, and TEM."""


def without_metadata(data: bytes) -> bytes | None:
    """The same picture without EXIF, XMP, profiles, previews, comments and what follows its end; None if damaged."""
    if data[:2] != bytes((0xFF, _START)):
        return None
    kept, at = [data[:2]], 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker == _END:
            return b"".join([*kept, data[at : at + 2]])
        if marker in _ALONE:
            kept.append(data[at : at + 2])
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        is_metadata = (0xE0 <= marker <= 0xEF and marker not in _KEPT_APPLICATION) or marker == _COMMENT
        if marker == _SCAN:
            end = _end_of_scan(data, end)
        kept += [] if is_metadata else [data[at:end]]
        at = end
    if data[at : at + 2] == bytes((0xFF, _END)):
        return b"".join([*kept, data[at : at + 2]])
    return None


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the next marker stands that is neither a stuffed byte nor a restart."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and data[at + 1] not in _ALONE:
            return at
        at += 2
    return len(data)
