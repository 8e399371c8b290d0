"""An image part as an image: a data URL, or a file below the one folder that was allowed. Nothing is fetched."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from functools import partial
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

from PIL import Image

from ...errors import ImageError
from ..images.decoding import ImagePolicy, decode_image
from ..images.faults import UnusableImage
from .engine import ShownImage
from .faults import wrong
from .messages import ImagePart

MEDIA = (
    "image/png",
    "image/jpeg",
    "image/jpg",
    "image/webp",
    "image/gif",
    "image/bmp",
    "image/tiff",
    "image/jp2",
    "application/dicom",
    "application/octet-stream",
)
"""What a data URL may call itself; what it is, its bytes say."""
_LONGEST_PATH = 4096
_USABLE = "send one whole picture as PNG or JPEG, not larger than the server takes"
"""What a client can do; remedies of whoever has the file and the configuration are not his."""
_REMOTE = ("http", "https", "ftp", "ftps", "s3", "gs", "blob")


class ImageReader:
    """Reads the images of requests.

    Args:
        folder: of the files that may be named; None: none may.
        most_bytes: of a file.
        policy: how images are decoded, and how large they may be.
    """

    def __init__(self, folder: Path | None, most_bytes: int, policy: ImagePolicy) -> None:
        self._folder = None if folder is None else os.path.realpath(folder)
        self._most_bytes, self._policy = most_bytes, policy

    def read(self, part: ImagePart) -> ShownImage:
        """The image, not decoded yet.

        Raises:
            ApiFault: 400; an address elsewhere, a file that may not be read, or no base64.
        """
        content = self._content(part)
        key = hashlib.sha256(content).hexdigest()
        return ShownImage(key, partial(self._decode, content, part.param))

    def _decode(self, content: bytes, param: str) -> Image.Image:
        try:
            return decode_image(BytesIO(content), param, self._policy)
        except UnusableImage as error:
            raise wrong(param, f"{error.told}; {_USABLE}", "invalid_image") from error
        except (MemoryError, RecursionError) as error:
            raise wrong(param, f"cannot be decoded; {_USABLE}", "invalid_image") from error

    def _content(self, part: ImagePart) -> bytes:
        url, param = part.url, part.param
        if url[:5].lower() == "data:":
            return _data(url, param)
        try:
            scheme = urlsplit(url).scheme.lower()
        except ValueError:
            raise wrong(param, "no address; send data:image/png;base64,...", "invalid_value") from None
        if scheme in _REMOTE or url.startswith("//"):
            raise wrong(
                param,
                f"{scheme or 'remote'} addresses are refused: the server fetches nothing; send the image as "
                "data:image/png;base64,...",
                "unsupported_value",
            )
        if scheme not in ("", "file"):
            raise wrong(param, f"{scheme[:20]}: is refused; send data:image/png;base64,...", "unsupported_value")
        return self._file(url, param)

    def _file(self, url: str, param: str) -> bytes:
        if self._folder is None:
            raise wrong(
                param,
                "not a data URL, and files may not be named here (--allow-files); send data:image/png;base64,...",
                "unsupported_value",
            )
        if len(url) > _LONGEST_PATH:  # before the system looks for it, folder by folder
            raise wrong(
                param,
                "too long for the path of a file; an image itself has data:image/png;base64, in front",
                "invalid_value",
            )
        path = url
        if url[:5].lower() == "file:":
            parts = urlsplit(url)
            if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
                raise wrong(param, "file:///path of this machine, and nothing behind it", "invalid_value")
            path = unquote(parts.path)
        target = "" if "\0" in path else os.path.realpath(os.path.join(self._folder, path))
        if not target.startswith(self._folder.rstrip(os.sep) + os.sep):
            raise wrong(param, "lies outside the folder of --allow-files", "invalid_value")
        try:
            return self._read(target)
        except (OSError, ValueError):
            raise wrong(param, "no such file, or one that cannot be read", "invalid_value") from None
        except ImageError as error:
            raise wrong(param, str(error), "invalid_value") from None

    def _read(self, target: str) -> bytes:
        """What lies there: a file itself, not a link that has come in between."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(target, flags), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ImageError("no ordinary file")
            if found.st_size > self._most_bytes:
                raise ImageError(f"larger than {self._most_bytes:,} bytes (--max-body)")
            return file.read(self._most_bytes + 1)


def _data(url: str, param: str) -> bytes:
    head, comma, payload = url.partition(",")
    media, *options = (word.strip().lower() for word in head[5:].split(";"))
    if not comma or "base64" not in options:
        raise wrong(param, "a data URL is data:image/png;base64,...", "invalid_value")
    if media and media not in MEDIA:
        raise wrong(
            param, f"{media[:60]} is not read; send {', '.join(MEDIA[:2])} or application/dicom", "unsupported_value"
        )
    try:
        letters = unquote(payload) if "%" in payload else payload
        content = base64.b64decode("".join(letters.split()), validate=True)  # many tools break it into lines
    except (binascii.Error, ValueError):
        raise wrong(param, "what stands behind base64, is not base64 (of +, / and =, whole)", "invalid_value") from None
    if not content:
        raise wrong(param, "an empty image", "invalid_value")
    return content
