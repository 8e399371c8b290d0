"""What finds names and numbers in a text: our own patterns, and Presidio beside them where it is installed.

Presidio (extra ``privacy``) brings a statistical recogniser of persons, which needs a language model of spaCy for each
language, and sees texts of that language alone: of another it takes every third noun for a person. No model is
downloaded: those that are installed are used. Its recognisers that ask the network are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from ...errors import ConfigError
from ...requirements import Need
from .patterns import Span, blank_marks, find_in_field, without_overlaps

PRESIDIO = Need("presidio_analyzer", "names by Presidio", "pefomed_plugin[privacy]")
OWN, WITH_PRESIDIO, AUTO = "own", "presidio", "auto"
CHOICES = (AUTO, OWN, WITH_PRESIDIO)
_SIZES = ("trf", "lg", "md", "sm")
_KINDS = {"PERSON": "name", "PHONE_NUMBER": "phone", "US_SSN": "id", "IBAN_CODE": "id", "UK_NHS": "id"}
_LEAST_SCORE = 0.5
_LONGEST = 100_000
"""Characters that are given to spaCy at once; longer lines are cut there."""


@dataclass
class Recogniser:
    """Finds what identifies in texts."""

    words: str
    """What it is, for people."""
    _analyzer: Any = None
    _languages: Sequence[str] = field(default_factory=tuple)

    def find(self, text: str, name: str = "") -> tuple[list[Span], int]:
        """What identifies somebody in a text that stands under ``name``; how many places were cleaned before."""
        spans, marks = find_in_field(text, name)
        if self._analyzer is not None and re.search("[A-ZÄÖÜ]", text):
            spans = without_overlaps([*spans, *self._of_presidio(blank_marks(text)[0].replace("\x00", " "))])
        return spans, marks

    def _of_presidio(self, text: str) -> list[Span]:
        return [
            Span(at + one.start, at + one.end, _KINDS[one.entity_type])
            for language in self._languages
            if language == language_of(text)
            for at in range(0, len(text), _LONGEST)
            for one in self._analyzer.analyze(text[at : at + _LONGEST], language=language, entities=list(_KINDS))
            if one.score >= _LEAST_SCORE and one.end - one.start > 2
        ]


_GERMAN = re.compile(
    r"\b(?:der|die|das|den|dem|des|und|kein|keine[rsn]?|mit|nach|ist|nicht|im|bei|von|vom|zur|zum|ein|eine[rsn]?|wurde|"
    r"Herr|Herrn|Frau|geb|Befund)\b|[äöüÄÖÜß]"
)
_ENGLISH = re.compile(
    r"\b(?:the|and|of|with|is|was|were|are|no|not|there|in|for|from|to|by|at|on|seen|a|an|Mr|Mrs|Ms|chest)\b"
)


def language_of(text: str) -> str:
    """``de`` for a text with more small words and letters of German than of English, else ``en``."""
    return "de" if len(_GERMAN.findall(text)) > len(_ENGLISH.findall(text)) else "en"


def find_recogniser(choice: str = AUTO) -> Recogniser:
    """The recogniser of that choice; ``auto`` takes Presidio where it and a model of spaCy are installed.

    Raises:
        ConfigError: Presidio is asked for and cannot be used.
    """
    own = Recogniser("own patterns, English and German")
    if choice == OWN:
        return own
    models = _spacy_models() if find_spec(PRESIDIO.module) is not None else {}
    if models:
        named = ", ".join(f"{model} ({language})" for language, model in models.items())
        return Recogniser(
            f"{own.words}; names also by Presidio with spaCy's {named}, in texts of that language",
            _make(models),
            tuple(models),
        )
    if choice == WITH_PRESIDIO:
        if find_spec(PRESIDIO.module) is None:
            raise ConfigError(PRESIDIO.message)
        raise ConfigError(
            "Presidio needs a language model of spaCy, and none is installed: pip install en_core_web_lg (or "
            "de_core_news_lg) from github.com/explosion/spacy-models; nothing is downloaded here"
        )
    return own


def _spacy_models() -> dict[str, str]:
    """Language -> package of its largest model that is installed."""
    names = [str(one.metadata["Name"] or "").replace("-", "_") for one in metadata.distributions()]
    found: dict[str, str] = {}
    for language, start in (("en", "en_core_web_"), ("de", "de_core_news_")):
        models = [name for size in _SIZES for name in sorted(names) if name.startswith(start + size)]
        if models and find_spec(models[0]) is not None:
            found[language] = models[0]
    return found


def _make(models: dict[str, str]) -> Any:
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry  # late: optional
    from presidio_analyzer.nlp_engine import NlpEngineProvider  # late: optional
    from presidio_analyzer.predefined_recognizers import (  # late: optional
        IbanRecognizer,
        NhsRecognizer,
        PhoneRecognizer,
        SpacyRecognizer,
        UsSsnRecognizer,
    )

    entries = [{"lang_code": language, "model_name": model} for language, model in models.items()]
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": entries}).create_engine()
    registry = RecognizerRegistry(supported_languages=list(models))
    for language in models:
        for kind in (SpacyRecognizer, PhoneRecognizer, UsSsnRecognizer, IbanRecognizer, NhsRecognizer):
            registry.add_recognizer(kind(supported_language=language))
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=list(models))
