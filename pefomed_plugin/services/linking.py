"""Makes the plugin part of a MiniGPT-4 checkout, and takes it out again byte for byte.

Linking adds to the checkout one import line in ``train.py``, symbolic links to this package and to its YAMLs (copies
where links cannot be made), and a marker that says what was added. Nothing is changed when anything is in the way.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..config.given import shipped_files
from ..digests import file_sha256
from ..errors import ToolkitError, one_line
from ..json_text import parse_json
from ..storage import write_json
from .checkout_entry import ENTRY, LINE, entry_problems, leftovers, read_entry, with_line, without_line, write_entry
from .console import quote_words

MARKER = ".pefomed_link.json"
_NEEDED = (
    "minigpt4/__init__.py",
    "minigpt4/common/registry.py",
    "minigpt4/runners/runner_base.py",
    ENTRY,
    "train_configs",
    "eval_configs",
)
_PACKAGE = Path(__file__).resolve().parents[1]
_IGNORED = "__pycache__"


@dataclass(frozen=True)
class Step:
    """One change of the checkout."""

    path: str
    """Below the checkout; for the import line with its number."""
    what: str
    """What happens there, in words."""
    done: bool = False
    """It was so already: nothing is changed."""


def link_checkout(checkout: Path, *, dry_run: bool = False) -> list[Step]:
    """Make the plugin part of ``checkout``; what is there already stays as it is.

    Raises:
        ToolkitError: no checkout, linked by another version, a file of ours is in the way, or ``train.py`` cannot be
            changed; the checkout is untouched.
    """
    root = _find_checkout(checkout)
    marker = _read_marker(root)
    if marker is not None and (marker["version"], marker["package"]) != (__version__, str(_PACKAGE)):
        raise ToolkitError(
            f"{root} is linked to pefomed_plugin {marker['version']} in {marker['package']}, this is {__version__} in "
            f"{_PACKAGE}; run {quote_words(['pefomed', 'unlink', checkout])} first"
        )
    before = marker or {"links": {}, "folders": []}
    links = {**_planned_links(), **before["links"]}
    missing = (name for name in _folders_of(links) if not (root / name).exists())
    folders = sorted({*before["folders"], *missing})
    states = {name: _state_of(root / name, link) for name, link in links.items()}
    content = read_entry(root)
    changed, number = with_line(content)
    problems = [
        f"{root / name}: is there already and is not ours; move it away"
        for name, state in states.items()
        if state == "other"
    ]
    problems += [
        f"{root / name}: is no folder; move it away"
        for name in _folders_of(links)
        if os.path.lexists(root / name) and not (root / name).is_dir()
    ]
    problems += entry_problems(root) if changed != content else []
    if problems:
        raise ToolkitError(f"{root} cannot be linked; nothing was changed", problems)
    steps = [Step(name, f"link to {link['target']}", states[name] == "ours") for name, link in links.items()]
    steps += [
        Step(f"{ENTRY}:{number}", LINE.decode(), changed == content),
        Step(MARKER, "what 'pefomed unlink' needs to know", marker is not None),
    ]
    if not dry_run and not all(step.done for step in steps):
        facts = {
            "version": __version__,
            "package": str(_PACKAGE),
            "entry": ENTRY,
            "entry_sha256": _sha256(without_line(changed)),
            "links": links,
            "folders": folders,
        }
        with _writing(root):
            write_json(root / MARKER, facts)  # first: whatever happens after it can be undone
            for name in folders:
                (root / name).mkdir(exist_ok=True)
            for name, link in links.items():
                if states[name] == "absent":
                    _make_link(root / name, Path(link["target"]))
            write_entry(root, content, changed)
    return steps


def unlink_checkout(checkout: Path, *, dry_run: bool = False) -> list[Step]:
    """Take out of ``checkout`` what ``link_checkout`` added; nothing to do is no error.

    Raises:
        ToolkitError: no checkout, or what was added has been changed since, so that it cannot be told from the user's
            own; the checkout is untouched.
    """
    root = _find_checkout(checkout)
    marker = _read_marker(root)
    if marker is None and LINE not in read_entry(root):
        return []
    links = marker["links"] if marker is not None else _planned_links()
    states = {name: _state_of(root / name, link) for name, link in links.items()}
    content = read_entry(root)
    restored = without_line(content)
    problems = [
        f"{root / name}: was changed since it was linked; move it away, then unlink again"
        for name, state in states.items()
        if state == "other"
    ]
    problems += leftovers(root, restored) + (entry_problems(root) if restored != content else [])
    if problems:
        raise ToolkitError(f"{root} cannot be unlinked; nothing was changed", problems)
    steps = [Step(name, "taken away", state == "absent") for name, state in states.items()]
    own = marker is not None and _sha256(restored) != marker["entry_sha256"]
    steps.append(
        Step(ENTRY, "the import line taken out" + ("; your own changes of it stay" if own else ""), restored == content)
    )
    if marker is not None:
        steps.append(Step(MARKER, "taken away"))
    if not dry_run:
        with _writing(root):
            for name, state in states.items():
                if state == "ours":
                    _remove(root / name)
            for folder in reversed(marker["folders"] if marker is not None else _folders_of(links)):
                _remove_if_empty(root / folder)
            write_entry(root, content, restored)
            (root / MARKER).unlink(missing_ok=True)
    return steps


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ToolkitError(f"{root} cannot be written: {error}") from error


def _find_checkout(checkout: Path) -> Path:
    root = Path(checkout).resolve()
    if not root.is_dir():
        raise ToolkitError(f"no folder {root}; give the folder of a clone of Vision-CAIR/MiniGPT-4")
    missing = [f"{root / name}: not there" for name in _NEEDED if not (root / name).exists()]
    if missing:
        raise ToolkitError(f"{root} is not a clone of Vision-CAIR/MiniGPT-4", missing)
    return root


def _planned_links() -> dict[str, dict[str, str]]:
    """Path below the checkout -> target of the link, and the target's digest, needed where it becomes a copy."""
    targets = {_PACKAGE.name: _PACKAGE, **{name: path.resolve() for name, path in shipped_files().items()}}
    return {name: {"target": str(path), "sha256": _digest(path)} for name, path in targets.items()}


def _folders_of(links: Iterable[str]) -> list[str]:
    """Folders that the links lie in and a checkout does not have, outermost first."""
    folders = {parent.as_posix() for name in links for parent in Path(name).parents if parent.name}
    return sorted(folders - set(_NEEDED))


def _read_marker(root: Path) -> dict[str, Any] | None:
    path = root / MARKER
    if not path.is_file():
        return None
    try:
        marker = parse_json(path.read_bytes())
        for name in ("version", "package", "entry_sha256", "links"):
            marker[name]
        marker.setdefault("folders", [])  # versions before 0.3 made none
    except (ValueError, KeyError, TypeError) as error:
        raise ToolkitError(f"{path} is damaged ({one_line(error)}); delete it, then unlink again") from error
    outside = [
        f"{name}: leads out of the checkout"
        for name in (*marker["links"], *marker["folders"])
        if Path(name).is_absolute() or ".." in Path(name).parts
    ]
    if outside:
        raise ToolkitError(f"{path} is not as 'pefomed link' writes it; delete it, then unlink again", outside)
    return marker


def _state_of(path: Path, link: dict[str, str]) -> str:
    """``absent``, ``ours`` (our link, or our copy unchanged) or ``other``."""
    if path.is_symlink():
        return "ours" if os.readlink(path) == link["target"] else "other"
    if not path.exists():
        return "absent"
    return "ours" if _digest(path) == link["sha256"] else "other"


def _make_link(path: Path, target: Path) -> None:
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except (OSError, NotImplementedError):  # a file system, or a user of Windows, without symbolic links
        if target.is_dir():
            shutil.copytree(target, path, ignore=shutil.ignore_patterns(_IGNORED))
        else:
            shutil.copyfile(target, path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_if_empty(folder: Path) -> None:
    """Take a folder away that linking made, unless something of the user's is in it."""
    with suppress(OSError):
        folder.rmdir()


def _digest(path: Path) -> str:
    """Digest of a file, or of a folder's files with their names; compiled files do not count."""
    if path.is_file():
        return file_sha256(path)
    # links are followed: in a copy, what they lead to stands in their place
    files = sorted(
        Path(place) / name
        for place, _, names in os.walk(path, followlinks=True)
        if _IGNORED not in Path(place).parts
        for name in names
    )
    return _sha256("".join(f"{file.relative_to(path).as_posix()} {file_sha256(file)}\n" for file in files).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
