"""One file a data set: official layout -> ``Release`` of samples. ``READERS`` maps registry names to functions."""

from typing import Callable, Dict

from .layouts import Layout, Release, Skip
from .vqa_rad import read_vqa_rad

READERS: Dict[str, Callable[..., Release]] = {
    "vqa_rad": read_vqa_rad,
}

__all__ = ["READERS", "Layout", "Release", "Skip"]
