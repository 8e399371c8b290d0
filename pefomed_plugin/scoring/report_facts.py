"""What an English radiology report states: findings as present or absent, sides, counts, measurements. Pure rules.

No model and no download, so coarse: a word list of findings and places, and the reach of a negation up to the end of
its clause (after NegEx, Chapman et al. 2001). What is possible or uncertain counts as present. Every rule takes time
in proportion to the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

FINDINGS: dict[str, str] = {
    "abnormality": r"abnormal(?:ity|ities)?",
    "adenopathy": r"(?:lymph)?adenopathy|enlarged (?:lymph )?nodes?",
    "air bronchogram": r"air bronchograms?",
    "aneurysm": r"aneurysms?|aneurysmal",
    "atelectasis": r"atelecta(?:sis|tic|ses)|collapsed?",
    "bronchiectasis": r"bronchiectasis|bronchiectatic",
    "calcification": r"calcifi(?:cations?|ed)|calculus|calculi",
    "cardiomegaly": r"cardiomegaly|enlarged (?:heart|cardiac silhouette)|"
    r"(?:heart|cardiac silhouette)(?: size)? (?:is|appears|remains)(?: \w+){0,3} enlarged",
    "cavity": r"cavit(?:y|ies|ation|ary)",
    "congestion": r"(?:vascular |venous )?congestion",
    "consolidation": r"consolidations?|consolidative",
    "cyst": r"cysts?|cystic",
    "degeneration": r"degenerat(?:ive|ion)|osteophytes?|spondylosis|arthrit(?:is|ic)",
    "dilatation": r"dilat(?:ed|ion|ation)|distend(?:ed)?|distension",
    "dislocation": r"dislocat(?:ed|ion|ions)",
    "edema": r"o?edema(?:tous)?",
    "effusion": r"effusions?|pleural fluid",
    "emphysema": r"emphysema(?:tous)?|hyperinflat(?:ed|ion)|hyperexpan(?:ded|sion)|copd",
    "enlargement": r"enlarged|enlargement",
    "fibrosis": r"fibro(?:sis|tic)|scar(?:s|ring)?",
    "fracture": r"fractur(?:es?|ed)",
    "free air": r"free (?:intraperitoneal )?air|pneumoperitoneum",
    "granuloma": r"granulomas?|granulomatous",
    "hematoma": r"ha?ematomas?",
    "hemorrhage": r"ha?emorrhag(?:e|es|ic)|bleed(?:ing)?",
    "hernia": r"hernias?|herniation",
    "hydrocephalus": r"hydrocephalus|ventriculomegaly",
    "hydronephrosis": r"hydronephrosis",
    "infarct": r"infarct(?:s|ion|ions)?|isch(?:a?emia|a?emic)",
    "infection": r"infecti(?:on|ons|ous)|abscess(?:es)?",
    "infiltrate": r"infiltrat(?:es?|ion)",
    "lesion": r"lesions?",
    "mass": r"mass(?:es)?",
    "metastasis": r"metasta(?:sis|ses|tic)",
    "midline shift": r"midline shift|shift of the midline",
    "nodule": r"nod(?:ules?|ular)",
    "obstruction": r"obstruct(?:ion|ions|ed|ive)",
    "opacity": r"opaci(?:ty|ties|fication)|densit(?:y|ies)|airspace disease",
    "pneumonia": r"pneumonias?|pneumonitis",
    "pneumothorax": r"pneumothora(?:x|ces)",
    "scoliosis": r"scoliosis|kyphosis|curvature",
    "stenosis": r"stenos(?:is|es|ed)|narrowing",
    "thickening": r"thicken(?:ing|ed)",
    "thrombus": r"thromb(?:us|osis|i)|embol(?:us|ism|i)",
    "tube or line": r"tubes?|catheters?|pacemakers?|picc|lines? tips?|leads?|stents?|wires?|clips|sternotomy",
    "tumor": r"tumou?rs?|carcinomas?|neoplasms?|malignan(?:cy|t)",
}
"""Finding -> the words it is written in."""
PLACES: dict[str, str] = {
    "adrenal": r"adrenals?",
    "airway": r"airways?|trachea|bronch(?:us|i)",
    "aorta": r"aorta|aortic",
    "apex": r"ap(?:ex|ices|ical)",
    "arm": r"arms?|humer(?:us|al)|elbows?|wrists?|hands?|radi(?:us|al)|ulnar?",
    "artery": r"arter(?:y|ies|ial)|carotids?",
    "base": r"bas(?:e|es|al|ilar)",
    "bone": r"bones?|bony|osseous|skelet(?:on|al)",
    "bowel": r"bowels?|colon|intestin(?:e|es|al)",
    "brain": r"brain|hemispheres?|frontal|parietal|temporal|occipital|cerebell(?:um|ar)",
    "breast": r"breasts?|axill(?:a|ary)",
    "chest wall": r"chest wall|soft tissues?",
    "costophrenic angle": r"costophrenic (?:angles?|sulc(?:us|i))|sulc(?:us|i)",
    "diaphragm": r"(?:hemi)?diaphragms?|diaphragmatic",
    "heart": r"heart|cardiac|cardiomediastinal|atri(?:um|al)|ventric(?:le|ular)",
    "hilum": r"hil(?:um|a|ar)|perihilar",
    "kidney": r"kidneys?|renal|ureters?",
    "leg": r"legs?|femurs?|femoral|hips?|knees?|ankles?|foot|feet|tibia|fibula",
    "liver": r"liver|hepatic",
    "lobe": r"(?:upper|middle|lower) lobes?|lobes?|lingula",
    "lung": r"lungs?|pulmonary|hemithora(?:x|ces)|midlung",
    "mediastinum": r"mediastin(?:um|al)",
    "node": r"(?:lymph )?nodes?",
    "pancreas": r"pancrea(?:s|tic)",
    "pleura": r"pleura|pleural",
    "rib": r"ribs?",
    "shoulder": r"shoulders?|clavic(?:les?|ular)|scapula",
    "sinus": r"sinus(?:es)?|maxillary",
    "spine": r"spines?|spinal|vertebra[el]?|thoracic|lumbar|cervical",
    "spleen": r"spleen|splenic",
    "vessel": r"vessels?|vascular(?:ity)?|vasculature",
}
"""Place in the body -> the words it is written in."""
_NUMBERS = dict(zip(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), range(2, 11)))
_UNITS_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
_UNIT_NAMES = {"millimeter": "mm", "millimetre": "mm", "centimeter": "cm", "centimetre": "cm", "cc": "ml"}
_REACH = 3
"""Words between a count and what is counted."""


def _any(words: dict[str, str]) -> str:
    return "|".join(words.values())


_STATED = re.compile(
    "|".join(
        (
            r"(?P<stop>[.;:!?\n](?=\s|$)|\b(?:but|however|although|though|except|apart from|aside from|yet)\b"
            r"|,(?=\s+(?:the\s+|there\s+)?(?:\w+\s+){0,2}(?:is|are|was|were|has|have|shows?|remains?|appears?)\b))",
            # looks like a negation and is none
            r"(?P<none>\b(?:no|without) (?:significant |interval |definite |acute ){0,3}(?:change|increase|decrease)\w*"
            r"|\bnot (?:only|excluded|ruled out)|\bcannot (?:be )?(?:excluded?|ruled out)|\bnot necessarily)",
            r"(?P<after>\b(?:is|are|was|were|has|have|been)? ?(?:absent|resolved|ruled out|excluded)\b"
            r"|\b(?:not|no longer) (?:\w+ )?(?:seen|identified|visuali[sz]ed|present|demonstrated|appreciated|evident"
            r"|noted|observed|found)\b)",
            r"(?P<before>\b(?:no|not|without|denies|negative for|free of|absence of|clear of|lack of|neither|nor"
            r"|rather than|isn't|aren't|wasn't|weren't)\b)",
            r"(?P<side>\b(?:left and right|right and left|left|right|bilateral(?:ly)?|both)\b)",
            r"(?P<normal>\b(?:normal|unremarkable|clear|intact|within normal limits)\b)",
            rf"(?P<finding>\b(?:{_any(FINDINGS)})\b)",
            rf"(?P<place>\b(?:{_any(PLACES)})\b)",
            r"(?P<level>\b[ctl](?:1[0-2]|[1-9])\b)",
            r"(?P<measure>\b\d+(?:\.\d+)?(?:\s*(?:x|by)\s*\d+(?:\.\d+)?){0,2}\s*"
            r"(?:mm|cm|ml|cc|hu|%|millimet(?:er|re)s?|centimet(?:er|re)s?)(?!\w))",
            rf"(?P<count>\b(?:{'|'.join(_NUMBERS)}|\d{{1,2}})\b(?![.,/:]\d))",
            r"(?P<word>\w+)",
        )
    )
)
_NAMES = {
    kind: {name: re.compile(words) for name, words in known.items()}
    for kind, known in (("finding", FINDINGS), ("place", PLACES))
}
_VALUE = re.compile(r"\d+(?:\.\d+)?")


@dataclass
class Facts:
    """What one text states, by kind; of counts and measurements each as often as it is stated."""

    negation: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """``(finding, present or absent)``, and ``(normal, place, present or absent)``; each once."""
    laterality: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """``(left or right, finding or place)``, each once; both sides are two."""
    number: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """``(count, finding or place)`` and ``(level, T12)``."""
    measurement: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """``(value, unit)``; lengths in mm."""

    def all(self) -> Counter[tuple[str, ...]]:
        """Of every kind, each marked with its kind."""
        return Counter({(kind, *fact): count for kind, facts in vars(self).items() for fact, count in facts.items()})


def read_facts(text: str) -> Facts:
    """What an English report states."""
    facts = Facts()
    for clause in _clauses(text):
        _add_negation(clause, facts)
        _add_sides(clause, facts)
        _add_counts(clause, facts)
    for kind in ("negation", "laterality"):
        setattr(facts, kind, Counter(set(getattr(facts, kind))))
    return facts


@dataclass
class _Part:
    kind: str
    words: str
    at: int
    """Number of the word it begins with."""

    @property
    def name(self) -> str:
        """Of a finding or a place."""
        return next(name for name, words in _NAMES[self.kind].items() if words.fullmatch(self.words))


def _clauses(text: str) -> Iterator[list[_Part]]:
    clause: list[_Part] = []
    at = 0
    for match in _STATED.finditer(" ".join(text.lower().split(" "))):
        kind, words = str(match.lastgroup), match.group()
        if kind == "stop":
            yield clause
            clause = []
        else:
            clause.append(_Part(kind, words, at))
            at += words.count(" ") + 1
    yield clause


def _add_negation(clause: list[_Part], facts: Facts) -> None:
    places = [part.name for part in clause if part.kind == "place"]
    is_absent = False
    stated: list[tuple[tuple[str, ...], bool]] = []
    for part in clause:
        if part.kind == "before":
            is_absent = True
        elif part.kind == "after":
            stated = [(fact, True) for fact, _ in stated]
        elif part.kind == "finding":
            stated.append(((part.name,), is_absent or " not " in part.words))
        elif part.kind == "normal":
            stated += [(("normal", place), is_absent) for place in dict.fromkeys(places or [""])]
    facts.negation.update((*fact, "absent" if absent else "present") for fact, absent in stated)


def _add_sides(clause: list[_Part], facts: Facts) -> None:
    """What is nearer to a side's word than to another side's is on that side; between two, on that of the later one."""
    sides = [part for part in clause if part.kind == "side"]
    if not sides:
        return
    starts = [part.at for part in sides]
    for part in clause:
        if part.kind not in ("finding", "place"):
            continue
        after = bisect_left(starts, part.at)
        near = sides[max(after - 1, 0) : after + 1]
        side = min(near, key=lambda found: (abs(found.at - part.at), -found.at)).words
        both = " and " in side or side.startswith(("bilateral", "both"))
        facts.laterality.update((one, part.name) for one in (("left", "right") if both else (side,)))


def _add_counts(clause: list[_Part], facts: Facts) -> None:
    for place, part in enumerate(clause):
        if part.kind == "level":
            facts.number["level", part.words] += 1
        elif part.kind == "measure":
            unit = part.words.rstrip("s").split()[-1].lstrip("0123456789.x") if part.words else ""
            unit = _UNIT_NAMES.get(unit, unit)
            for value in _VALUE.findall(part.words):
                in_mm = float(value) * _UNITS_MM.get(unit, 1.0)
                facts.measurement[f"{in_mm:g}", "mm" if unit in _UNITS_MM else unit] += 1
        elif part.kind == "count":
            counted = next(
                (
                    other.name
                    for other in clause[place + 1 : place + 2 + _REACH]
                    if other.kind in ("finding", "place") and other.at - part.at <= _REACH
                ),
                None,
            )
            if counted:
                facts.number[str(_NUMBERS.get(part.words, part.words)), counted] += 1
