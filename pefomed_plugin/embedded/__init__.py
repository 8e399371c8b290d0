"""The embedded default: miniature data sets in their official layouts, and a tiny model. Made here, from a seed.

Nothing of it comes from a real patient, a real data set or a released model; its figures say nothing about medicine.
"""

import json
import shutil
from pathlib import Path
from random import Random

from ..digests import file_sha256
from ..errors import DataError
from ..services.console import progress, say
from . import releases_caption, releases_vqa

WRITERS = dict((*releases_caption.WRITERS, *releases_vqa.WRITERS))
FLAG = "EMBEDDED"
"""File in the folder that marks it; holds what it was made from."""


def make_sample(out: Path, seed: int = 0, model: bool = True) -> None:
    """Write what is not there yet: the eight data sets, and with ``model`` the tiny model (``out/tiny``).

    The same seed and version of the package give the same bytes. A second call finds its own work and does nothing.

    Raises:
        DataError: ``out`` holds something else, or a sample of another seed or version.
    """
    out = Path(out)
    made_from = {"seed": seed, "code": code_digest()}
    flag = out / FLAG
    if not flag.is_file() and out.is_dir() and any(out.iterdir()):
        raise DataError("{} is not empty and holds no sample; choose another folder".format(out))
    if flag.is_file() and json.loads(flag.read_text(encoding="utf-8")) != made_from:
        say("the sample in {} is of another seed or version: making it again".format(out))
        for name in (*WRITERS, "tiny"):
            shutil.rmtree(out / name, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    flag.write_text(json.dumps(made_from) + "\n", encoding="utf-8")
    missing = [name for name in WRITERS if not (out / name).is_dir()]
    if missing:
        with progress("drawing the sample", len(missing)) as advance:
            for name in missing:
                _write_whole(out / name, name, seed)
                advance()
    if model and not (out / "tiny").is_dir():
        from .tiny_model import make_tiny_model

        fresh = out / "tiny.part"
        shutil.rmtree(fresh, ignore_errors=True)
        make_tiny_model(fresh, seed)
        fresh.rename(out / "tiny")


def _write_whole(folder: Path, name: str, seed: int) -> None:
    """Write a data set beside its place and move it there: what has the name is complete."""
    fresh = folder.with_name(folder.name + ".part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    WRITERS[name](fresh, Random("{} {}".format(seed, name)))
    fresh.rename(folder)


def code_digest() -> str:
    """Digest of the code that makes the sample, so that an older sample is not taken for a new one."""
    import hashlib

    parts = [file_sha256(path) for path in sorted(Path(__file__).resolve().parent.glob("*.py"))]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]
