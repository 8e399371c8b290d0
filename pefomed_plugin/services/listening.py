"""The socket that a server of ours listens on; no other package is needed."""

from __future__ import annotations

import socket

from ..errors import ConfigError


def listen(host: str, port: int, *, shared: bool = False, backlog: int = 0) -> socket.socket:
    """A socket of the address, so that its port is known before anything is served.

    Args:
        port: 0 takes a free one.
        shared: others of ours have it too (SO_REUSEPORT).
        backlog: how many connections wait to be taken, from now on; 0: none is let in yet.

    Raises:
        ConfigError: it cannot be had.
    """
    if shared and not hasattr(socket, "SO_REUSEPORT"):
        raise ConfigError("--data-parallel needs a system that shares a port (SO_REUSEPORT), such as Linux")
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
        if backlog:
            found.listen(backlog)
    except (OSError, OverflowError) as error:
        found.close()
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}; choose another "
            "--port (0: any free one) or --host"
        ) from error
    return found
