"""Pickles that may hold plain values only: lists, dictionaries, text, numbers, None. No class is ever looked up.

A pickle is a program: unpickling one from the web with ``pickle.load`` runs whatever it names.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from ..errors import DataError, one_line

# What the pickle module raises on damaged input, as its documentation lists it, and what its opcodes can add.
_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    MemoryError,
)


class _ForbiddenClass(pickle.UnpicklingError):
    pass


class _PlainUnpickler(pickle.Unpickler):
    """Plain values are opcodes of their own; every look-up of a class or function goes through ``find_class``."""

    def find_class(self, module: str, name: str) -> Any:
        raise _ForbiddenClass(f"{module}.{name}")


def read_plain_pickle(path: Path) -> Any:
    """Value of a pickle; byte strings of Python 2 are read as UTF-8.

    Raises:
        DataError: the file cannot be read, is damaged, or names a class or function (which the message names).
    """
    try:
        return _PlainUnpickler(io.BytesIO(Path(path).read_bytes()), encoding="utf-8").load()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except _ForbiddenClass as error:
        raise DataError(
            f"{path}: names {error}, but only lists, dictionaries, text and numbers are read, because a pickle can "
            "run code; take the file from the original release or the repository's JSON"
        ) from error
    except _DAMAGE as error:
        raise DataError(
            f"{path}: not a pickle ({one_line(error)}); the file is damaged or incomplete, fetch it again"
        ) from error
