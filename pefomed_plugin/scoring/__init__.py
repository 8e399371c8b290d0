"""Scorers: pure functions from predictions to scores, each declared beside its function as a ``ScorerSpec``.

Other packages declare theirs in the entry point group ``pefomed_plugin.scorers`` (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import DataError, near_names
from ..plugins import Registry
from .clinical import CLINICAL
from .closed_questions import CLOSED_QUESTIONS
from .consistency import CONSISTENCY
from .exact_match import EXACT_MATCH
from .lexical import LEXICAL
from .ratings import FORMER_RATINGS
from .spec import ScorerSpec, read_spec, resolve_name
from .token_overlap import TOKEN_OVERLAP

_OURS = (*EXACT_MATCH, *TOKEN_OVERLAP, *CLOSED_QUESTIONS, *LEXICAL, CLINICAL, CONSISTENCY)
SCORERS: Registry[ScorerSpec] = Registry(
    "scorer",
    ScorerSpec,
    _OURS,
    aliases={spec.short: spec.name for spec in _OURS if spec.short},
    convert="declare SPEC = ScorerSpec(name, title, function=..., version=...) beside the function, and name SPEC in "
    "the entry point (docs/extending.md)",
)
"""Name -> what is declared, of this package and of others; the short names lead to the same."""


def find_scorer(name: str) -> ScorerSpec:
    """The scorer that a user named.

    Raises:
        ConfigError: there is none; names the near ones.
        PluginError: it is another package's, and cannot be used.
    """
    return SCORERS.find(name)


def specs_of(names: Iterable[str], recorded: Mapping[str, Any], where: str) -> dict[str, ScorerSpec]:
    """What names of scores and figures mean that were found on the disk, in their order.

    Args:
        names: as the scores carry them, or keys of ``scores`` in ``metrics.json``.
        recorded: ``scorers`` of ``metrics.json``; empty in files of earlier versions.
        where: the folder, for messages.

    Returns:
        Name of a scorer -> scorer. A scorer of several metrics occurs once.

    Raises:
        DataError: no scorer is declared under a name; near names are given.
        PluginError: another package declares it, and cannot be used.
    """
    before = {name: read_spec(name, record, where) for name, record in recorded.items()}
    known, found = dict(before), {}
    unknown = []
    for name in names:
        spec = resolve_name(name, known.values())
        if spec is None and name in SCORERS:
            spec = SCORERS[name]
        if spec is None:
            spec = resolve_name(name, (*_OURS, *FORMER_RATINGS))
        if spec is None:
            unknown.append(f"{name}: {near_names(name, {**SCORERS.own, **before})}")
        else:
            known[spec.name] = found[spec.name] = spec
    if unknown:
        raise DataError(
            f"{where} holds scores of scorers that nobody declares; install their package, or delete these scores",
            unknown,
        )
    return found


def needs_answers_alone(name: str) -> bool:
    """Whether a scorer is a function of predictions alone: no judge, no people, no option that must be given."""
    return name in SCORERS and not SCORERS[name].is_rating and not SCORERS[name].options


__all__ = ["SCORERS", "ScorerSpec", "find_scorer", "needs_answers_alone", "specs_of"]
