"""By which names and addresses a server of this machine is asked for; no other package is needed."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import SplitResult, urlsplit


def is_this_machine(host: str) -> bool:
    """Whether an address or a name can be reached from this machine only."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def split_url(url: str) -> SplitResult | None:
    """The parts of an address, or None for what is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def is_known_as(header: str, listens_on: str) -> bool:
    """Whether a ``Host`` header means the server that listens on an address: a name that a stranger's DNS points here
    (DNS rebinding) does not.
    """
    parts = split_url("//" + header)
    host = ((parts.hostname if parts else None) or "").rstrip(".")
    if is_this_machine(listens_on):
        return is_this_machine(host)
    names = {known.lower() for known in ("localhost", listens_on, socket.gethostname())}
    return _address(host) is not None or host in names


def _address(host: str) -> Any:
    """The IP address that ``host`` is, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
