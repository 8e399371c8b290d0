"""Tar files as others write them, and an HTTP server on this machine that gives them out; all invented."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .small import small_image


def encoded(seed: int, kind: str = "JPEG", size: int = 24) -> bytes:
    """A small image in a file format."""
    stream = io.BytesIO()
    small_image(seed, size).save(stream, kind)
    return stream.getvalue()


def tar_of(members: Mapping[str, bytes], **options: Any) -> bytes:
    """A tar with these members, in their order."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", **options) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def captioned(numbers: Any, ending: str = "jpg", text: str = "txt") -> dict[str, bytes]:
    """Members of samples with an image and a caption."""
    members: dict[str, bytes] = {}
    for number in numbers:
        members[f"{number:06d}.{ending}"] = encoded(number, {"jpg": "JPEG"}.get(ending, ending.upper()))
        members[f"{number:06d}.{text}"] = f"Invented caption {number}.".encode()
    return members


def write_tars(folder: Path, **shards: Mapping[str, bytes]) -> Path:
    """``<name>.tar`` for each shard."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, members in shards.items():
        (folder / f"{name}.tar").write_bytes(tar_of(members))
    return folder


class Server:
    """Files below a folder over HTTP; how it misbehaves is said by ``answer``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []
        self.answer: Any = None
        """Called with path and content; None of it, or what is sent in place of the content and whether it is cut."""
        self.url = ""


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """An HTTP server on 127.0.0.1 for as long as the block runs."""
    server = Server(root)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            path = server.root / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            content = path.read_bytes()
            sent = content if server.answer is None else server.answer(self.path, content)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(ConnectionError):  # who asked has gone
                self.wfile.write(sent)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
