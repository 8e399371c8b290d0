"""The palette and the type of ``assets/look.css`` for what is drawn in Python: plots, the chat's theme, pictures.

The file is the one place of every colour; this reads it and knows no colour itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LOOK = Path(__file__).resolve().parent / "assets" / "look.css"
LIGHT, DARK = "light", "dark"
_BLOCK = re.compile(r"([^{}]+)\{([^{}]*)\}")
_VARIABLE = re.compile(r"--([\w-]+):\s*([^;]+);")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@cache
def read_look(scheme: str = LIGHT) -> Mapping[str, str]:
    """Name of a variable -> its value as CSS, ``{"ink": "#...", ...}``; what dark does not change is as in light.

    Args:
        scheme: ``light`` or ``dark``.
    """
    blocks = [
        (DARK if DARK in selector else LIGHT, dict(_VARIABLE.findall(body)))
        for selector, body in _BLOCK.findall(_COMMENT.sub("", LOOK.read_text(encoding="utf-8")))
    ]
    return {name: value for of, values in blocks if of in (LIGHT, scheme) for name, value in values.items()}


def colour(name: str, scheme: str = LIGHT) -> str:
    """A colour as ``#rrggbb``.

    Raises:
        KeyError: there is no such variable, or it is no opaque colour.
    """
    value = read_look(scheme)[name]
    if not _HEX.fullmatch(value):
        raise KeyError(f"{name} is no opaque colour: {value}")
    return value


def series(scheme: str = LIGHT) -> list[str]:
    """Colours of things side by side, in their order."""
    found = read_look(scheme)
    return [found[f"series-{number}"] for number in range(len(found)) if f"series-{number}" in found]


def contrast(one: str, other: str) -> float:
    """Contrast of two colours ``#rrggbb``, 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted(map(_luminance, (one, other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour_: str) -> float:
    channels = (int(colour_[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear))
