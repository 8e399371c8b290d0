"""What ``build_info.storage`` says of shards: a folder, files in braces, addresses on a server, or commands.

Only this text, which the user wrote, may name a server or a command: file names in an index or in a tar are names
beside it, and nothing else (``shards.read_shard_index`` refuses others).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import ConfigError, one_line
from ...readers.prepared import SHARD_INDEX, is_remote, scheme_of

PIPE = "pipe:"
SCHEMES = ("http", "https", "s3")
_ADDRESS = re.compile(r"[\w\-.~:/?#\[\]@!$&()*+,;=%]+", re.ASCII)
"""What an address may consist of (RFC 3986), but for the quote: webdataset 0.2 hands it to a shell in quotes."""

_TAR = re.compile(r"[\w.-]+\.tar")
_OTHER_BRACES = re.compile(r"\{((?:(?!\.\.)[^{},])*)\}")
"""Braces that are no range and no list."""


@dataclass(frozen=True)
class ShardSource:
    """Shards as the user named them."""

    base: str
    """Local folder, or what stands before the file names on a server, with ``/`` at its end; ``pipe:`` for commands."""
    names: tuple[str, ...] | None
    """File names, in order; None: all that the index beside them lists."""
    addresses: tuple[str, ...] = ()
    """Of each name what webdataset opens; empty: ``base`` and the name."""

    @property
    def is_remote(self) -> bool:
        """Whether they are on a server, or come from a command."""
        return is_remote(self.base)

    @property
    def shown(self) -> str:
        """``base`` for messages, without user and password."""
        return without_login(self.base)

    def only(self, names: Sequence[str]) -> ShardSource:
        """The same with some of the files."""
        return ShardSource(self.base, tuple(names), tuple(map(self.address, names)) if self.addresses else ())

    def address(self, name: str) -> str:
        """What webdataset opens for a file."""
        if self.addresses and self.names is not None:
            return self.addresses[self.names.index(name)]
        return self.base + name if self.is_remote else str(Path(self.base) / name)


def read_storage(storage: str) -> ShardSource | None:
    """Shards that ``build_info.storage`` names; None if it is a folder without an index of shards, or anything else.

    Raises:
        ConfigError: an address that cannot be used, or braces that do not close.
    """
    scheme = scheme_of(storage)
    if storage.startswith(PIPE):
        commands = expand(storage)
        names = tuple(f"{_digest(command)}-{(_TAR.findall(command) or ['shard.tar'])[-1]}" for command in commands)
        return ShardSource(PIPE, names, tuple(commands))
    if scheme:
        return _on_server(storage, scheme)
    path = Path(storage)
    if path.suffix == ".tar":
        return ShardSource(str(path.parent), (path.name,) if path.is_file() else tuple(expand(path.name)))
    if (path / SHARD_INDEX).is_file() and any(path.glob("*.tar")):
        return ShardSource(storage, None)
    return None


def expand(pattern: str) -> list[str]:
    """``{000000..000012}`` and ``{a,b}`` written out, as webdataset does it; other braces stay, those of a command too.

    Raises:
        ConfigError: braces that do not close.
    """
    from braceexpand import braceexpand  # late: comes with webdataset

    hidden = _OTHER_BRACES.sub(lambda match: f"\ue000{match[1]}\ue001", pattern)
    try:
        return [text.replace("\ue000", "{").replace("\ue001", "}") for text in braceexpand(hidden, escape=False)]
    except ValueError as error:
        raise ConfigError(f"{pattern}: {one_line(error)}; close the braces") from error


def without_login(address: str) -> str:
    """An address without user and password."""
    return re.sub(r"://[^/@\s]+@", "://", address)


def _on_server(storage: str, scheme: str) -> ShardSource:
    if scheme not in SCHEMES:
        known = ", ".join(f"{known}://" for known in SCHEMES)
        raise ConfigError(
            f"{without_login(storage)}: shards are read from folders, {known} and pipe:COMMAND; for anything else "
            "write the command that prints a shard, for example pipe:gsutil cat gs://bucket/{000000..000012}.tar"
        )
    addresses = expand(storage)
    odd = [address for address in addresses if not _ADDRESS.fullmatch(address)]
    if odd:
        raise ConfigError(
            f"{without_login(odd[0])!r} is not an address; write blanks, quotes and other signs as %20, %27, ..."
        )
    path = urlsplit(addresses[0]).path
    if not path.endswith(".tar"):
        if len(addresses) > 1 or urlsplit(storage).query:
            raise ConfigError(f"{without_login(storage)}: name the .tar files, or one folder with an {SHARD_INDEX}")
        return ShardSource(storage.rstrip("/") + "/", None)
    base = _folder_of(addresses[0])
    plain = all(_folder_of(address) == base and not urlsplit(address).query for address in addresses)
    names = tuple(urlsplit(address).path.rpartition("/")[2] for address in addresses)
    if plain:
        return ShardSource(base, names)
    return ShardSource(base, _distinct(names, addresses), tuple(addresses))


def _distinct(names: Sequence[str], addresses: Sequence[str]) -> tuple[str, ...]:
    """File names for shards of several folders: where some would be the same, with digest and folder before them."""
    if len(set(names)) == len(names):
        return tuple(names)
    folders = [urlsplit(address).path.split("/")[-2] for address in addresses]
    return tuple(f"{_digest(at)}-{folder}-{name}" for name, folder, at in zip(names, folders, addresses))


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:8]


def _folder_of(address: str) -> str:
    return address.partition("?")[0].rpartition("/")[0] + "/"
