"""Where a run's weights and data come from: the ``PEFOMED_*`` variables, or the embedded default when none is set.

Holds which variables there are and what each must point at; opens no weights and no data.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from .errors import ConfigError
from .storage import why_unwritable

EMBEDDED = "embedded"
"""As the value of a variable: take this one from the embedded default."""

VARIABLES = {
    "PEFOMED_DATA": "folder with a sub-folder for each data set, under its name here",
    "PEFOMED_LLAMA": "folder of Llama-2-7b-chat-hf",
    "PEFOMED_VIT": "eva_vit_g.pth, or file or folder of another model.vit_model",
    "PEFOMED_CKPT": "MiniGPT-v2 or PeFoMed checkpoint to start from (.pth)",
}
FAMILY = "PEFOMED_FAMILY"
"""The language model family of the tiny model; LLaMA-2's where it is not set."""
_PREFIX = "PEFOMED_"
_OTHERS = (
    FAMILY, "PEFOMED_SAMPLE", "PEFOMED_CACHE", "PEFOMED_TOOLKIT", "PEFOMED_OFFLINE", "PEFOMED_JAVA", "PEFOMED_RANKS",
    "PEFOMED_SERVE_KEY", "PEFOMED_MOST_RESTARTS", "PEFOMED_CONTINUE",
)  # fmt: skip
"""Read elsewhere."""
TINY_FAMILIES = ("llama", "llama3", "qwen2", "qwen3")
_MODEL = ("PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT")


def cache_folder() -> Path:
    """Our folder in the user's cache; it need not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pefomed"


def state_folder() -> Path:
    """Our folder for what is to outlast caches: the log of what left this machine; it need not be there yet."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "pefomed"


def sample_folder() -> Path:
    """Where the embedded default lives: ``PEFOMED_SAMPLE``, or a folder in the user's cache."""
    own = os.environ.get("PEFOMED_SAMPLE")
    return Path(own) if own else cache_folder() / "sample"


def check_sample_folder() -> None:
    """Whether the embedded default can be written where it belongs; leaves nothing behind.

    Raises:
        ConfigError: it cannot; names the folder and the variables that choose another.
    """
    fault = why_unwritable(sample_folder())
    if fault:
        remedy = "set PEFOMED_SAMPLE, or XDG_CACHE_HOME, to a folder that can"
        raise ConfigError(f"{sample_folder()} cannot be written ({fault}); {remedy}")


def mistyped(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables that begin like ours and that nothing reads -> what is near."""
    known = {name[len(_PREFIX) :]: name for name in (*VARIABLES, *_OTHERS)}
    found = {}
    for name in sorted(environ):
        if name.upper().startswith(_PREFIX) and name not in known.values():
            near = get_close_matches(name[len(_PREFIX) :].upper(), known, n=1, cutoff=0.75)
            found[name] = known[near[0]] if near else ""
    return found


def embedded_parts(needed: set[str], environ: Mapping[str, str]) -> list[str]:
    """Which of the variables a configuration needs come from the embedded default.

    All of them when none of the four is set; else those whose value is ``embedded``, and the model where only
    ``PEFOMED_DATA`` is set: the tiny model then trains on real data.

    Raises:
        ConfigError: some are set, and others that are needed are not or point nowhere: all in one message; or one is
            mistyped, so that something else would be used in its place.
    """
    wrong = {name: near for name, near in mistyped(environ).items() if near in VARIABLES and not environ.get(near)}
    if wrong:
        raise ConfigError(
            "the environment names what nothing reads",
            [f"{name}: write it {near}, or unset it" for name, near in wrong.items()],
        )
    values = {name: environ[name] for name in VARIABLES if environ.get(name)}
    if not values:
        return sorted(needed)
    of_model = [name for name in _MODEL if name in needed]
    if not set(_MODEL) & set(values):
        values.update(dict.fromkeys(of_model, EMBEDDED))
    problems = [f"{name} is not set: {VARIABLES[name]}" for name in sorted(needed - set(values))]
    problems += [
        f"{name}={value}: {fault}; it should be a {VARIABLES[name]}"
        for name, value in sorted(values.items())
        if name in needed and value != EMBEDDED and (fault := _wrong_with(name, value))
    ]
    parts = sorted(name for name in needed if values.get(name) == EMBEDDED)
    if 0 < len(set(of_model) & set(parts)) < len(of_model):
        problems.append(f"{', '.join(of_model)} must be embedded together, or none of them")
    if problems:
        raise ConfigError(
            "some PEFOMED_ variables are set, so the embedded default is not used; still missing "
            "(unset those of the model to train the tiny model, and PEFOMED_DATA too for generated data)",
            problems,
        )
    return parts


def _wrong_with(name: str, value: str) -> str:
    if not Path(value).exists():
        return "no such path (~ is for a shell alone, write the whole path)" if value[0] == "~" else "no such path"
    return "a file" if name in ("PEFOMED_DATA", "PEFOMED_LLAMA") and Path(value).is_file() else ""


def tiny_family() -> str:
    """Which family the tiny model is of.

    Raises:
        ConfigError: there is no tiny model of the family that the environment names.
    """
    family = os.environ.get(FAMILY) or "llama"
    if family not in TINY_FAMILIES:
        raise ConfigError(
            f"{FAMILY}={family}: no tiny model of that language model family; set it to one of "
            f"{', '.join(TINY_FAMILIES)}, or unset it"
        )
    return family


def tiny_part(family: str) -> str:
    """Folder of a family's tiny model in the embedded default."""
    return "tiny" if family == "llama" else f"tiny_{family}"


def embedded_values(folder: Path, family: str | None = None) -> dict[str, str]:
    """What the variables are for the embedded default in ``folder``; ``family`` in place of ``tiny_family()``."""
    tiny = folder / tiny_part(family or tiny_family())
    return {
        "PEFOMED_DATA": str(folder),
        "PEFOMED_LLAMA": str(tiny / "llama"),
        "PEFOMED_VIT": str(tiny / "eva_vit.pth"),
        "PEFOMED_CKPT": str(tiny / "minigptv2_tiny.pth"),
    }


def point_at_embedded(parts: list[str], environ: MutableMapping[str, str]) -> None:
    """Set the variables of ``parts`` to the embedded default's paths."""
    values = embedded_values(sample_folder())
    environ.update({name: values[name] for name in parts})


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set for a while: processes that are started meanwhile have these values."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
