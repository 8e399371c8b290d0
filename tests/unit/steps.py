"""A matcher that counts its steps: how long a regular expression looks at a text, without a clock.

It walks Python's own parse of the pattern and goes back as ``re`` does, for what our patterns use.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

try:
    from re import _constants as op
    from re import _parser as parser
except ImportError:  # before Python 3.11
    import sre_constants as op  # type: ignore[no-redef]
    import sre_parse as parser  # type: ignore[no-redef]

_ENDLESS = int(op.MAXREPEAT)


def count_steps(pattern: re.Pattern, text: str) -> int:
    """Characters and places looked at by ``finditer`` over the whole text."""
    return _Walk(pattern, text).all()


class _Walk:
    def __init__(self, pattern: re.Pattern, text: str) -> None:
        self.flags, self.steps = pattern.flags, 0
        self.text = text.lower() if self.flags & re.IGNORECASE else text
        self.tree = list(parser.parse(pattern.pattern, pattern.flags))
        self.groups: dict[int, tuple[int, int]] = {}

    def all(self) -> int:
        place = 0
        while place <= len(self.text):
            self.groups = {}
            end = next(self.run(self.tree, 0, place), None)
            place = place + 1 if end is None or end == place else end
        return self.steps

    def run(self, items: list, number: int, place: int) -> Iterator[int]:
        """Ends of the matches of ``items[number:]`` that begin at a place, in the order that ``re`` finds them."""
        self.steps += 1
        if number == len(items):
            yield place
            return
        code, given = items[number]
        for end in self.one(code, given, place):
            yield from self.run(items, number + 1, end)

    def one(self, code: Any, given: Any, place: int) -> Iterator[int]:
        if code in (op.MAX_REPEAT, op.MIN_REPEAT):
            least, most, body = given
            body = list(body)
            if len(body) == 1 and body[0][0] in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
                yield from self.many(body[0], least, most, place, code is op.MAX_REPEAT)
            else:
                yield from self.repeat(body, least, most, place, code is op.MAX_REPEAT)
        elif code is op.BRANCH:
            for branch in given[1]:
                yield from self.run(list(branch), 0, place)
        elif code is op.SUBPATTERN:
            for end in self.run(list(given[3]), 0, place):
                self.groups[given[0]] = (place, end)
                yield end
        elif code is op.AT:
            if self.stands_at(given, place):
                yield place
        elif code in (op.ASSERT, op.ASSERT_NOT):
            way, body = given
            start = place if way > 0 else place - body.getwidth()[0]
            found = start >= 0 and next(self.run(list(body), 0, start), None) is not None
            if found == (code is op.ASSERT):
                yield place
        elif code is op.GROUPREF:
            start, end = self.groups[given]
            word = self.text[start:end]
            self.steps += len(word)
            if self.text.startswith(word, place):
                yield place + len(word)
        elif place < len(self.text) and self.fits(code, given, self.text[place]):
            yield place + 1

    def many(self, item: tuple, least: int, most: int, place: int, is_greedy: bool) -> Iterator[int]:
        ends = place
        if not is_greedy:
            while True:
                self.steps += 1
                if ends - place >= least:
                    yield ends
                if ends == len(self.text) or ends - place == most or not self.fits(*item, self.text[ends]):
                    return
                ends += 1
        while ends < len(self.text) and ends - place < most and self.fits(*item, self.text[ends]):
            self.steps += 1
            ends += 1
        for end in range(ends, place + least - 1, -1):
            self.steps += 1
            yield end

    def repeat(self, body: list, least: int, most: int, place: int, is_greedy: bool) -> Iterator[int]:
        if least <= 0 and not is_greedy:
            yield place
        if most > 0:
            for end in self.run(body, 0, place):
                if end > place:
                    yield from self.repeat(body, least - 1, most - 1 if most < _ENDLESS else most, end, is_greedy)
        if least <= 0 and is_greedy:
            yield place

    def stands_at(self, where: Any, place: int) -> bool:
        text = self.text
        before, after = text[place - 1 : place] if place else "", text[place : place + 1]
        if where is op.AT_BEGINNING:
            return not place or (bool(self.flags & re.MULTILINE) and before == "\n")
        if where is op.AT_BEGINNING_STRING:
            return not place
        if where in (op.AT_END, op.AT_END_STRING):
            return not after or (bool(self.flags & re.MULTILINE) and after == "\n") or text[place:] == "\n"
        return (_is_word(before) != _is_word(after)) == (where is op.AT_BOUNDARY)

    def fits(self, code: Any, given: Any, letter: str) -> bool:
        if code is op.ANY:
            return bool(self.flags & re.DOTALL) or letter != "\n"
        if code in (op.LITERAL, op.NOT_LITERAL):
            wanted = chr(given).lower() if self.flags & re.IGNORECASE else chr(given)
            return (letter == wanted) == (code is op.LITERAL)
        is_listed = [kind for kind, _ in given if kind is not op.NEGATE]
        found = any(self.in_set(kind, value, letter) for kind, value in given if kind is not op.NEGATE)
        return found != (len(is_listed) < len(given))

    def in_set(self, kind: Any, value: Any, letter: str) -> bool:
        if kind is op.LITERAL:
            return self.fits(kind, value, letter)
        if kind is op.RANGE:
            return any(value[0] <= ord(one) <= value[1] for one in {letter, letter.upper()[:1] or letter})
        tests = {
            op.CATEGORY_DIGIT: unicodedata.category(letter) == "Nd",
            op.CATEGORY_SPACE: letter.isspace(),
            op.CATEGORY_WORD: _is_word(letter),
        }
        opposite = {
            op.CATEGORY_NOT_DIGIT: op.CATEGORY_DIGIT,
            op.CATEGORY_NOT_SPACE: op.CATEGORY_SPACE,
            op.CATEGORY_NOT_WORD: op.CATEGORY_WORD,
        }
        return tests[value] if value in tests else not tests[opposite[value]]


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_" if letter else False
