"""Images inside tar files, as WebDataset shards hold them: ``00000.tar#7.jpg``. Gives encoded bytes."""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import why
from ...readers.tars.members import member_table
from .faults import UnusableImage

_ADDRESS = re.compile(r"(?P<file>.+?\.tar)#(?P<member>.+)", re.DOTALL)


def split_tar_address(image: str) -> tuple[str, str] | None:
    """``a/00000.tar#7.jpg`` -> file and member; None for anything else."""
    match = _ADDRESS.fullmatch(image)
    return (match["file"], match["member"]) if match else None


def read_member(path: Path, member: str) -> bytes:
    """Content of one member.

    Raises:
        UnusableImage: no such file or member, or the file ends within it.
    """
    where = f"{path}#{member}"
    try:
        place = member_table(path).find(member)
        if place is None:
            raise UnusableImage(where, "no such member", "the samples were read from another copy, read them again")
        with open(path, "rb") as file:
            file.seek(place[0])
            content = file.read(place[1])
    except FileNotFoundError as error:
        raise UnusableImage(where, "no such file", "fetch it, or correct the image root") from error
    except OSError as error:
        raise UnusableImage(where, "cannot be read", "see to what the system says", why(error)) from error
    if len(content) < place[1]:
        raise UnusableImage(where, "the file ends within it", "fetch it again")
    return content
