"""Opening shards wherever they are, by webdataset's ``gopen``: files, ``http(s)://``, ``s3://``, ``pipe:``.

webdataset reads http through ``curl`` and has nothing for ``s3://``, which is added to its table of schemes here. It
waits for ever on a server that says nothing more; here that is an error.
"""

from __future__ import annotations

import os
import re
import select
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...errors import ConfigError, one_line
from ...offline import is_offline
from ...requirements import Need, require
from ..outbound import SHARDS, Passage, host_of, is_here, open_passage
from .shard_sources import scheme_of

BOTO3 = Need("boto3", "shards at s3://", "pefomed_plugin[s3]")
BLOCK_BYTES = 1 << 20
_ANY_TIME_S = 60.0
_EXIT = re.compile(r"exit (-?\d+)")
_CURL = {
    "6": "the name of the server is not known",
    "7": "no connection to the server",
    "18": "the server broke off before the end",
    "22": "the server refuses, or has no such file",
    "28": "the server did not answer in time",
    "35": "no secure connection to the server",
    "52": "the server gave nothing",
    "56": "the connection broke off",
    "60": "the certificate of the server cannot be checked",
    "127": "curl is not installed",
}
"""Exit code of curl -> what happened."""


class TransportError(Exception):
    """A server or a command did not give what was asked for; says why."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return self.what  # webdataset adds to an error's args


class NoSuchFile(TransportError):
    """The server answered that it has no such file, or none for us."""


class ShardStream:
    """The bytes of one shard, wherever it is; a connection that breaks is an error, not an end."""

    def __init__(self, stream: Any, scheme: str, timeout_s: float) -> None:
        self._stream, self._scheme, self._timeout_s = stream, scheme, timeout_s

    def read(self, most: int = BLOCK_BYTES) -> bytes:
        """Up to ``most`` bytes; none at the end.

        Raises:
            TransportError: the connection broke off, or nothing came for the seconds that were set.
        """
        process = getattr(self._stream, "proc", None)
        with _said(self._scheme):
            if process is None:
                return bytes(self._stream.read(most))
            pipe = self._stream.stream.fileno()  # webdataset's own reading would wait for ever
            if select.select([pipe], [], [], self._timeout_s)[0]:
                block = os.read(pipe, most)
                if not block:
                    self._stream.wait_for_child()
                return block
        process.kill()
        raise TransportError(f"nothing came for {self._timeout_s:g} s")


@contextmanager
def open_shard(address: str, timeout_s: float) -> Iterator[ShardStream]:
    """A stream of one shard's bytes.

    Args:
        address: a path, or an address or command that the user wrote (``shard_sources``).

    Raises:
        ConfigError: what the transport needs is not installed.
        TransportError: it cannot be opened.
    """
    from webdataset.gopen import gopen, gopen_schemes  # late: loads torch where it is installed

    scheme = scheme_of(address)
    check_transport(scheme)
    passage = _pass_gate(address, scheme)
    options = {}
    if scheme == "s3" and gopen_schemes.setdefault("s3", _open_s3) is _open_s3:
        options = {"timeout_s": timeout_s}
    with _said(scheme), passage.connecting() if passage else nullcontext():
        stream = gopen(address, **options)
    try:
        yield ShardStream(stream, scheme, timeout_s)
    except BaseException:
        with suppress(Exception):  # what happened first is what counts
            stream.close()
        raise
    with _said(scheme):
        stream.close()


def check_transport(scheme: str) -> None:
    """Raises ConfigError where something that shards of this scheme are read with is not installed."""
    if scheme == "s3":
        require([BOTO3])
    if scheme in ("http", "https") and shutil.which("curl") is None:
        raise ConfigError("webdataset reads shards at http:// through curl, which is not installed; install it")


def _pass_gate(address: str, scheme: str) -> Passage | None:
    """What the gate, which is told, gives; None for a file. Raises ConfigError where PEFOMED_OFFLINE forbids it."""
    if scheme == "pipe":
        words = address.partition(":")[2].split()
        host, is_local = f"pipe:{Path(words[0]).name if words else ''}", False  # what a command does cannot be seen
    elif scheme in ("http", "https"):
        host = host_of(address)
        is_local = not is_offline() and is_here(urlsplit(address).hostname or "")  # curl may be sent on elsewhere
    elif scheme == "s3":
        host = host_of(_s3_client(_ANY_TIME_S).meta.endpoint_url)
        is_local = is_here(urlsplit(f"//{host}").hostname or "")
    else:
        return None
    passage = open_passage(SHARDS, host, is_local=is_local)
    passage.note(len(address))
    return passage


@contextmanager
def _said(scheme: str) -> Iterator[None]:
    """Every kind of error that a transport raises as one, with what happened in words."""
    try:
        yield
    except (ConfigError, TransportError):
        raise
    except Exception as error:
        found = _EXIT.search(str(error))
        if scheme in ("http", "https") and found:
            kind = NoSuchFile if found[1] == "22" else TransportError
            raise kind(_CURL.get(found[1], f"curl ended with exit code {found[1]}")) from error
        if scheme == "pipe" and found:
            raise TransportError(f"the command ended with exit code {found[1]}") from error
        absent = getattr(error, "response", {}).get("Error", {}).get("Code") in ("NoSuchKey", "NoSuchBucket", "404")
        raise (NoSuchFile if absent else TransportError)(one_line(error)) from error


def _open_s3(url: str, mode: str = "rb", bufsize: int = 8192, timeout_s: float = 60.0, **_: Any) -> Any:
    """``gopen``'s handler of ``s3://bucket/key``; login, region and ``AWS_ENDPOINT_URL`` as boto3 finds them."""
    if mode[0] != "r":
        raise ValueError(f"{url}: shards are only read from s3://")
    place = urlsplit(url)
    client = _s3_client(timeout_s)
    return client.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"]


def _s3_client(timeout_s: float) -> Any:
    import boto3  # late: optional
    from botocore.config import Config  # late: optional

    return boto3.client("s3", config=Config(read_timeout=timeout_s, retries={"max_attempts": 1}))
