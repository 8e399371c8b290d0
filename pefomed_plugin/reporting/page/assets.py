"""Frame, style and script of our pages put together: one file, which runs its own script alone and fetches nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).resolve().parents[1] / "assets"
_INCLUDE = re.compile(r"// @include (\w+\.js)")


class Marks:
    """What stands in a frame for what is put there."""

    hash = "@SCRIPT_HASH@"
    style = "@STYLE@"
    script = "@SCRIPT@"
    data = "@DATA@"
    images = "@IMAGES@"
    training = "@TRAINING@"


def read_asset(name: str) -> str:
    """A file of ``assets/``."""
    return (ASSETS / name).read_text(encoding="utf-8")


def with_includes(name: str) -> str:
    """A script with the parts it names."""
    return _INCLUDE.sub(lambda found: read_asset(found.group(1)), read_asset(name))


def fill(name: str, style: Sequence[str], script: str, parts: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """The page in pieces: the head that all pages share and the frame ``name``, whose content security policy lets this
    script run, by its digest, and no other.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    filled = {Marks.hash: [digest], Marks.style: style, Marks.script: [script], **parts}
    for line in (read_asset("head.html") + read_asset(name)).splitlines(keepends=True):
        # Line by line and one mark per line, so that no text of the data can be taken for a mark.
        mark = next((part for part in filled if part in line), None)
        before, _, after = line.partition(mark) if mark else (line, "", "")
        yield before
        yield from filled[mark] if mark else ()
        yield after


def embeddable(content: Any) -> str:
    """JSON that can stand inside a script element: no ``<``, so neither ``</script>`` nor ``<!--`` can end it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
