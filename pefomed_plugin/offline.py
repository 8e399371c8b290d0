"""``PEFOMED_OFFLINE=1``: this process opens no connection but to this machine; and a watch over those that it opens.

The package installs the guard when it is imported, so that it stands in every process of ours: the command line, what
``torchrun`` starts, loading processes, spawned helpers. It is an audit hook (PEP 578): it sees what every Python
library does with sockets, and cannot be taken out again. What it cannot see, sockets of libraries in C++ and of other
programs, is kept to this machine by their own settings (``SETTINGS``) and by the gate in ``services/outbound.py``.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import MutableMapping
from functools import wraps
from typing import Any, Callable

VARIABLE = "PEFOMED_OFFLINE"
_OFF = ("", "0", "false", "no", "off")
_LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "WANDB_MODE": "offline",
    "GLOO_SOCKET_IFNAME": _LOOPBACK,
    "NCCL_SOCKET_IFNAME": _LOOPBACK,
    "TP_SOCKET_IFNAME": _LOOPBACK,
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
}
"""What the libraries underneath are told; those of interfaces keep torch's processes on the loopback one."""
RANKS = "PEFOMED_RANKS"
"""Folder in which processes of one run meet, set by ``pefomed train``: torch's server for that listens everywhere."""
_SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind")
_TAKE_ADDRESSES = {"connect": 0, "connect_ex": 0, "bind": 0, "sendto": -1, "sendmsg": 3}
"""Method of a socket -> which of its arguments is the address."""
_LOOKS_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
_OF_NUMBERS = ("socket.gethostbyaddr", "socket.getnameinfo")
"""Those that ask for the name of an address, too."""
_installed: list[bool] = []
_told: set[str] = set()
_watchers: list[Callable[[str], None]] = []
"""Asked of every address elsewhere before it is connected to, where PEFOMED_OFFLINE is not set."""


class OfflineError(OSError):
    """A connection was refused because of ``PEFOMED_OFFLINE``; an ``OSError``, as of a dead network."""

    def __init__(self, where: str) -> None:
        super().__init__(errno.ENETUNREACH, f"{VARIABLE} is set, so nothing goes to {where}; unset it to allow that")


def is_offline() -> bool:
    """Whether ``PEFOMED_OFFLINE`` is set: anything but 0, false, no, off and nothing."""
    return os.environ.get(VARIABLE, "").strip().lower() not in _OFF


def install(environ: MutableMapping[str, str] = os.environ) -> None:
    """Guard this process from here on, and tell the libraries, where ``PEFOMED_OFFLINE`` is set."""
    if not is_offline():
        return
    environ.update({**SETTINGS, **({"WANDB_MODE": "disabled"} if environ.get("WANDB_MODE") == "disabled" else {})})
    _install_hook()
    _guard_names_of_sockets()


def watch(watcher: Callable[[str], None]) -> None:
    """Ask ``watcher`` of every host elsewhere before Python connects to it; what it raises ends the attempt."""
    if watcher not in _watchers:
        _watchers.append(watcher)
    _install_hook()


def _install_hook() -> None:
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_watch)


def _guard_names_of_sockets() -> None:
    """A socket that is given a name looks it up before the audit hook is asked: here the name is looked at first."""
    import socket  # late: costs every command milliseconds

    families = (socket.AF_INET, socket.AF_INET6)

    def looking_first(plain: Callable[..., Any], place: int) -> Callable[..., Any]:
        @wraps(plain)
        def guarded(used: Any, *arguments: Any) -> Any:
            address = arguments[place] if len(arguments) > place else None
            if isinstance(address, tuple) and address and used.family in families and is_offline():
                _check_name(address[0], False)
            return plain(used, *arguments)

        return guarded

    for method, place in _TAKE_ADDRESSES.items():
        plain = getattr(socket.socket, method)
        if not hasattr(plain, "__wrapped__"):
            setattr(socket.socket, method, looking_first(plain, place))


def is_loopback(host: Any) -> bool:
    """Whether an address, or a name that means nothing else, is this machine's loopback; no name is looked up.

    ``localhost`` alone is such a name: ``localhost.`` and ``a.localhost`` are asked of a server elsewhere by glibc.
    """
    import ipaddress  # late: costs every command milliseconds

    name = (host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host)).lower()
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _watch(
    event: str,
    arguments: tuple[Any, ...],
    sends: tuple[str, ...] = _SENDS,
    looks_up: tuple[str, ...] = _LOOKS_UP,
) -> None:
    """The audit hook: raises where something would leave this machine.

    Its names are defaults because it is called to the very end of Python, when those of the module are gone.
    """
    if event in sends:
        _check_address(event, arguments[0], arguments[1])
    elif event in looks_up and is_offline():
        asked = arguments[0]
        _check_name(asked[0] if isinstance(asked, tuple) and asked else asked, event in _OF_NUMBERS)


def _check_address(event: str, used: Any, address: Any) -> None:
    import socket  # late: costs every command milliseconds

    family = getattr(used, "family", None)
    if family == getattr(socket, "AF_UNIX", None) or address is None:
        return
    host = address[0] if isinstance(address, tuple) and address else address
    if not is_offline():
        if event != "socket.bind" and family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(host):
            for watcher in _watchers:
                watcher(str(host))
        return
    if family not in (socket.AF_INET, socket.AF_INET6):
        _refuse(f"a socket of {family!r}") if event != "socket.bind" else None
    elif not is_loopback(host):
        _refuse(f"the address {host or 'of every interface'}" if event == "socket.bind" else str(host))


def _check_name(name: Any, numbers_too: bool) -> None:
    """Names are asked of a server elsewhere; numbers are not, unless their name is wanted."""
    import ipaddress  # late: as above

    if name is None or is_loopback(name):
        return
    text = name.decode("ascii", "replace") if isinstance(name, (bytes, bytearray)) else str(name)
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        is_number = False
    else:
        is_number = True
    if text and (numbers_too or not is_number):
        _refuse(text)


def _refuse(where: str) -> None:
    import socket  # late: as above

    error = OfflineError(where)
    if where not in _told and where != socket.gethostname():  # this machine's own name is asked for in passing
        _told.add(where)
        print(f"refused: {error.strerror}", file=sys.stderr, flush=True)
    raise error
