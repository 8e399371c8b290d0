"""The embedded default: miniature data sets in their official layouts, and a tiny model. Made here, from a seed.

Nothing of it comes from a real patient, a real data set or a released model; its figures say nothing about medicine.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import active_children, current_process, get_context
from pathlib import Path
from random import Random
from typing import Callable

from ..digests import file_sha256
from ..environment import TINY_FAMILIES, tiny_part
from ..errors import DataError, failed_to_write
from ..origins import TEXTS_KEY, is_generated, mark_generated, read_mark, text_digests
from ..readers import DATASETS
from ..services.console import progress, say

DRAWN = tuple(spec.name for spec in DATASETS.own.values() if spec.sample_writer)
"""The data sets of which a miniature is made."""
TINY = {tiny_part(family): family for family in TINY_FAMILIES}
"""Folder of a tiny model -> its language model family."""
PARTS = (*DRAWN, "tiny")


def make_sample(out: Path, seed: int = 0, parts: Sequence[str] = PARTS) -> None:
    """Write what is not there yet of ``parts``: the data sets, and ``tiny``, the tiny model (which needs torch);
    ``tiny_qwen3`` is one of another language model family.

    The same seed and version of the package give the same bytes. A second call finds its own work and does nothing.

    Raises:
        DataError: ``out`` holds something else, or a sample of another seed or version.
    """
    out = Path(out)
    made_from = {"seed": seed, "code": code_digest()}
    mark = read_mark(out)
    if mark is None and out.is_dir() and any(out.iterdir()):
        raise DataError(f"{out} is not empty and holds no sample; choose another folder")
    if mark is not None and {key: mark.get(key) for key in made_from} != made_from:
        say(f"the sample in {out} is of another seed or version: making it again")
        there = [name for name in (*DRAWN, *TINY) if (out / name).is_dir()]
        older = [name for name in there if is_generated(out / name)]  # and not a release that a user put there
        for name in older:
            shutil.rmtree(out / name, ignore_errors=True)
        parts = list(dict.fromkeys((*parts, *older)))  # runs of before show their images
    out.mkdir(parents=True, exist_ok=True)
    mark_generated(out, made_from, whole=True)
    missing = sorted((name for name in parts if not (out / name).is_dir()), key=_slowest_first)
    if missing and current_process().daemon:  # it may start no others: one of several of a server, or of a pool
        with progress("making the sample", len(missing)) as advance:
            for name in missing:
                _write_part(out, name, seed)
                advance()
    elif missing:
        _write_side_by_side(out, missing, seed)


def _write_side_by_side(out: Path, missing: Sequence[str], seed: int) -> None:
    before = set(active_children())
    with (
        progress("making the sample", len(missing)) as advance,
        ProcessPoolExecutor(
            max_workers=min(os.cpu_count() or 1, len(missing)), mp_context=get_context("spawn")
        ) as pool,
    ):
        try:
            with _script_left_aside():
                parts_of = [pool.submit(_write_part, out, name, seed) for name in missing]
            for done in parts_of:
                done.result()
                advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # else all others are drawn before anybody is told
            for process in set(active_children()) - before:
                process.terminate()
            raise


@contextmanager
def _script_left_aside() -> Iterator[None]:
    """Processes that are spawned meanwhile do not run the user's script again, which need not have
    ``if __name__ == "__main__"``, and may have come through a pipe."""
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), main.__dict__.pop("__file__", None)
    main.__spec__ = None
    try:
        yield
    finally:
        main.__spec__ = spec
        if file is not None:
            main.__file__ = file


def _write_part(out: Path, name: str, seed: int) -> None:
    """Write a part under another name, then rename it: a part with its own name is complete.

    Raises:
        DataError: it cannot be written.
    """
    try:
        _make_part(out, name, seed)
    except Exception as error:  # those of safetensors and torch are their own
        said = failed_to_write(error)
        if said is None:
            raise
        place = getattr(error, "filename", None) or out / name
        raise DataError(f"cannot write {place}: {said} (PEFOMED_SAMPLE, or --out of pefomed sample)") from None


def _make_part(out: Path, name: str, seed: int) -> None:
    if name in TINY:
        import torch  # late: heavy

        from .tiny_model import make_tiny_model  # late: loads torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # small matrices: a second thread only waits, and the other core is drawing
        try:
            make_tiny_model(out, seed, family=TINY[name])
        finally:
            torch.set_num_threads(threads)
        return
    fresh = out / (name + ".part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    find_writer(name)(fresh, Random(f"{seed} {name}"))
    mark_generated(fresh, {"part": name, "seed": seed, TEXTS_KEY: text_digests(fresh)})
    fresh.rename(out / name)


def find_writer(name: str) -> Callable[..., None]:
    """The function that writes the miniature of a data set: ``write(folder, rng)``."""
    module, _, function = DATASETS[name].sample_writer.partition(":")
    return getattr(import_module(module), function)


def _slowest_first(name: str) -> int:
    return PARTS.index(name) if name not in TINY else -1


def code_digest() -> str:
    """Digest of the code that makes the sample, so that an older sample is not taken for a new one."""
    here = Path(__file__).resolve().parent
    parts = [file_sha256(path) for path in (*sorted(here.glob("*.py")), here.parent / "prompts.py")]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]
