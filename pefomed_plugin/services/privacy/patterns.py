"""Our own patterns for what identifies a person in a text, English and German; what was taken out before is no finding.

Each pattern has a group ``value``, what is found; the words around it are its reason. Sources: the 18 identifiers of
the HIPAA safe harbour rule (45 CFR 164.514(b)(2)), check digits of NHS number (modulus 11), IBAN (ISO 13616) and the
German health insurance number (Krankenversichertennummer, modulus 10 after § 290 SGB V).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from unicodedata import normalize

from .expressions import FIELDS, GOES_ON, KNOWN_UIDS, LONG_CODE, MARKS, NO_VALUES, PATTERNS, PSEUDONYMS
from .findings import KINDS
from .markup import TAG, without_markup
from .words import GIVEN_NAMES, NO_FAMILY_NAMES, NO_NAMES


@dataclass(frozen=True)
class Span:
    """Something found in a text."""

    start: int
    end: int
    kind: str


_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in PATTERNS)
_DIGIT = re.compile(r"\d")
_MOST_LINES = 3
"""That go together."""
_OLDEST = 89
"""Older ages are told of few: 45 CFR 164.514(b)(2)(i)(C)."""
_AGE = re.compile(r"0?(\d{1,3})(?:\.0)?\s?(?:y\w*\.?|jahre?|j\.?)?", re.IGNORECASE)
_UID = re.compile(r"[0-2](?:\.\d+){2,}")
_ITEM = re.compile(r"'?[0-9a-f]{10}")
"""An item of a rating sheet, which without it could not be imported; some are digits alone."""
_WITHOUT_DIGITS = frozenset({"name", "given", "relative", "query", "institution", "email"})
_LAST_SHIFTED = 2100
"""From this year on dates are shifted: MIMIC's lie between 2100 and 2214."""


def blank_marks(text: str) -> tuple[str, int]:
    """The text with what was taken out before as blanks of the same length, and how many places that are."""
    count = 0

    def blank(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return "\x00" * len(found.group())

    text = PSEUDONYMS.sub(blank, MARKS.sub(blank, text))
    return LONG_CODE.sub(lambda found: "\x00" * len(found.group()), text), count


def find_spans(text: str) -> tuple[list[Span], int]:
    """What identifies somebody in a text, by our own patterns, and how many places were cleaned before.

    Text with tags, entities or escapes is also looked at as a reader sees it (``M&uuml;ller``, ``<td>Patient</td>``).
    """
    found, marks = _find(text)
    shown = without_markup(text)
    if shown is not None:
        found += [Span(*shown.within(text, span.start, span.end), span.kind) for span in _find(shown.text)[0]]
        found = without_overlaps(found)
    return found, marks


def in_place_of(found: str, kind: str) -> str:
    """The placeholder of a kind; tags that stood within what was found stay, so that a page stays one."""
    return KINDS[kind].placeholder + "".join(TAG.findall(found))


def with_instead(text: str, spans: Sequence[Span], instead: Sequence[str]) -> str:
    """A text with something else in the place of each span; they are in order, and none overlaps another."""
    parts, done = [], 0
    for span, new in zip(spans, instead):
        parts += [text[done : span.start], new]
        done = span.end
    return "".join([*parts, text[done:]])


def _find(text: str) -> tuple[list[Span], int]:
    text, marks = blank_marks(text)
    has_digit = _DIGIT.search(text) is not None
    found: list[Span] = []
    for kind, pattern in _COMPILED:
        if not has_digit and kind not in _WITHOUT_DIGITS:
            continue
        for match in _matches(kind, pattern, text):
            kind_found = _checked(kind, match)
            if kind_found == "shifted":
                marks += 1
            elif kind_found:
                start, end = match.span("value")
                found.append(Span(start, end, kind_found))
    return without_overlaps(found), marks


def _matches(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """All matches; of two words of which the first is no given name, the second may be one: ``Saw Hans Mueller``."""
    if kind != "given":
        yield from pattern.finditer(text)
        return
    place = 0
    while (match := pattern.search(text, place)) is not None:
        yield match
        place = match.end() if _checked(kind, match) else min(match.end("given"), match.end("family"))


def without_overlaps(spans: Iterable[Span]) -> list[Span]:
    """Those that overlap as one, of the kind of the longest; of equally long ones, of the surest."""
    order = {kind: number for number, kind in enumerate(_ORDER)}
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        if kept and span.start < kept[-1].end:
            last = kept[-1]
            grave = min((last, span), key=lambda one: (one.start - one.end, order[one.kind]))
            kept[-1] = Span(last.start, max(last.end, span.end), grave.kind)
        else:
            kept.append(span)
    return kept


_ACRONYM = re.compile(r"(?<!\bMc)(?<!\bMac)(?<=[^\W\d_A-Z])[A-Z]")
"""A capital within a word, as in ViT; McDonald is a name."""
_ROUND = "00000"
"""How a number ends that counts something: nobody's number is drawn so."""
_ORDER = ("email", "uid", "phone", "id", "address", "network", "date", "institution", "name", "age", "number")


def _checked(kind: str, match: re.Match[str]) -> str:
    """The kind of a match that holds up; empty for none; ``shifted`` for a date that was moved out of its century."""
    value = match["value"]
    if kind == "given":
        given, family = _plain(match["given"]), match["family"]
        is_name = given in GIVEN_NAMES and family not in NO_FAMILY_NAMES and _plain(family) not in NO_FAMILY_NAMES
        return "name" if is_name and not _ACRONYM.search(family) else ""
    if kind == "relative":
        return "name" if _plain(match["given"]) in GIVEN_NAMES else ""
    if kind == "query":
        return "id"
    if kind == "network":
        return kind if all(int(part) <= 255 for part in value.split(".")) else ""
    if kind == "number":
        return "" if value.endswith(_ROUND) else kind
    if kind == "name":
        first = re.split(r"[\s,^]", value)[0]
        return "" if first in NO_NAMES or _plain(first) in NO_NAMES else "name"
    if kind == "institution":
        return "" if value.split()[0] in NO_NAMES else kind
    if kind in ("ymd", "dmy"):
        return _date(match)
    if kind == "date":
        year = match.groupdict().get("y")
        return "shifted" if year and int(year) >= _LAST_SHIFTED else "date"
    if kind in _CHECKS:
        return "id" if _CHECKS[kind](re.sub(r"\s", "", value)) else ""
    if kind == "uid":
        return "uid" if len(value) >= 20 and not value.startswith(KNOWN_UIDS) else ""
    if kind == "phone":
        return "phone" if 4 <= sum(letter.isdigit() for letter in value) <= 15 else ""
    return kind


def _date(match: re.Match[str]) -> str:
    day, month, year = int(match["d"]), int(match["m"]), int(match["y"])
    if not (1 <= month <= 12 and 1 <= day <= 31) and not (1 <= day <= 12 and 1 <= month <= 31):
        return ""
    return "shifted" if year >= _LAST_SHIFTED else "date"


def _plain(word: str) -> str:
    """A word in capitals as a name is written."""
    word = normalize("NFC", word)
    return word.capitalize() if word.isupper() else word


def _is_nhs(digits: str) -> bool:
    rest = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(digits[:9])) % 11
    return rest != 10 and rest % 11 == int(digits[9])


def _is_iban(text: str) -> bool:
    turned = text[4:] + text[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def _is_kvnr(text: str) -> bool:
    digits = f"{ord(text[0]) - 64:02d}{text[1:9]}"
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(digits))
    return sum(number // 10 + number % 10 for number in doubled) % 10 == int(text[9])


_CHECKS = {"nhs": _is_nhs, "iban": _is_iban, "kvnr": _is_kvnr}


def kind_of_field(name: str) -> str:
    """The kind of what a column or key of that name holds; empty where its name says nothing."""
    bare = re.sub(r"([a-z])([A-Z])", r"\1_\2", name.strip()).replace("-", "_")
    return next((kind for kind, pattern in FIELDS if pattern.fullmatch(bare)), "")


def find_in_field(text: str, name: str) -> tuple[list[Span], int]:
    """As ``find_spans`` of what stands under a name, which may say by itself that all of it identifies."""
    if name == "item" and _ITEM.fullmatch(text):
        return [], 0
    spans, marks = find_spans(text)
    kind = kind_of_field(name)
    blanked, _ = blank_marks(text)
    value = blanked.strip(" \x00\t\r\n")
    if not kind or not value or NO_VALUES.match(value) or "\x00" in value or len(value) > 120:
        return spans, marks
    if kind == "date" and not spans and marks:
        return [], marks
    if kind == "age":
        found = _AGE.fullmatch(value)
        return (spans or [Span(*_at(blanked, value), "age")]) if found and int(found[1]) > _OLDEST else spans, marks
    if kind == "uid" and (value.startswith(KNOWN_UIDS) or not _UID.fullmatch(value)):
        return spans, marks
    if kind == "name" and not any(map(str.isalpha, value)):
        kind = "id"  # a column "patient" may hold numbers
    return [Span(*_at(blanked, value), kind)], marks


def _at(text: str, value: str) -> tuple[int, int]:
    start = text.index(value)
    return start, start + len(value)


def passages_of(text: str) -> Iterator[tuple[str, str]]:
    """(place, passage) of every line, its end included; a line that ends in a label or a title goes with the next."""
    held, first = "", 0
    for number, _, line in lines_of(text):
        held, first = held + line, first or number
        if GOES_ON.search(line) is None or number - first >= _MOST_LINES:
            yield f"line {number}" if first == number else f"lines {first} to {number}", held
            held, first = "", 0
    if held:
        yield f"line {first}", held


def lines_of(text: str) -> Iterator[tuple[int, int, str]]:
    """(number, offset, line) of every line, its end included."""
    offset = 0
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        yield number, offset, line
        offset += len(line)
