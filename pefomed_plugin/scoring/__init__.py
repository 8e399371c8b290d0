"""Pure functions from predictions to scores, and the table of their names. A version changes with the numbers.

Other packages add scorers through the entry point group ``pefomed_plugin.scorers`` (docs/extending.md).
Summaries (accuracy, WASM, breakdowns, intervals) are functions of the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Callable

from ..errors import ConfigError, near_names
from ..plugins import Registry
from ..records import Prediction, Score
from ..text import NORMALISATIONS
from . import clinical, exact_match, lexical, token_overlap

Scorer = Callable[[Sequence[Prediction]], list[Score]]

DEFAULTS = {
    "clinical": "clinical/radeval",
    "exact_match": "exact_match/pefomed",
    "lexical": "lexical/coco",
    "token_recall": "token_recall/llava_med",
    "token_f1": "token_f1/llava_med",
}
"""A family's short name -> the variant it stands for; scores carry the variant's name."""

_OWN: dict[str, Scorer] = {
    **{"exact_match/" + rule: partial(exact_match.score_exact_match, normalisation=rule) for rule in NORMALISATIONS},
    **{
        f"{measure}/{variant}": partial(token_overlap.score_token_overlap, measure=measure, variant=variant)
        for measure in token_overlap.MEASURES
        for variant in token_overlap.OVERLAPS
    },
    "clinical/radeval": clinical.score_clinical,
    **{"lexical/" + protocol: partial(lexical.score_lexical, protocol=protocol) for protocol in lexical.PROTOCOLS},
}
_OWN.update({short: _OWN[name] for short, name in DEFAULTS.items()})
SCORERS: Registry[Scorer] = Registry("scorer", object, _OWN)
"""Name of a scorer -> function; the short names are there as well, and the scorers of other packages."""

_VERSION_OF = {"exact_match": exact_match.VERSION, "lexical": lexical.VERSION, "clinical": clinical.VERSION}
VERSIONS: dict[str, str] = {name: _VERSION_OF.get(name.partition("/")[0], token_overlap.VERSION) for name in _OWN}
"""Name of a scorer of ours -> the version its scores carry."""


def find_scorer(name: str) -> Scorer:
    """The scorer of that name.

    Raises:
        ConfigError: there is none; names the near ones.
        PluginError: it is another package's, and cannot be used.
    """
    if name not in SCORERS:
        raise ConfigError(f"unknown scorer {name!r}; {near_names(name, SCORERS)}")
    return SCORERS[name]


__all__ = ["DEFAULTS", "SCORERS", "VERSIONS", "Scorer", "find_scorer"]
