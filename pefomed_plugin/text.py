"""Texts of models: normalisation for comparing answers, under five named rules, and what is reasoning. Pure.

Each rule, the mistakes it keeps and the verdicts of forty cases are argued
in ``docs/evaluation-normalisations.md``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from re import Match
from typing import Callable

_NUMBER_WORDS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
)
_CLEAN_NUMBERS = {"none": "0", **{word: str(number) for number, word in enumerate(_NUMBER_WORDS)}}
_VQA_NUMBERS = {"none": "0", **{word: str(number) for number, word in enumerate(_NUMBER_WORDS[:11])}}
_VQA_ARTICLES = ("a", "an", "the")
_VQA_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_VQA_FULL_STOPS = int(re.UNICODE)
"""32: the published scripts pass this flag where ``re.sub`` takes the count, so only 32 full stops go."""
_VQA_CONTRACTIONS = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've
    he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've
    o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's
    someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've
    there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's
    what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've
    wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""


def normalise_strict(text: str) -> str:
    """The text without white space at its ends; nothing else."""
    return text.strip()


def normalise_pefomed(text: str) -> str:
    """As the authors' ``medvqa_tools/vqa_eval.py`` compares answers, with its mistakes.

    ``normalise_vqav2``, and ``x ray`` becomes ``xray`` wherever it occurs (also inside ``hex rays``).
    """
    return _vqa_words(text).replace("x ray", "xray")


def normalise_vqav2(text: str) -> str:
    """As VQA v2's evaluation script (GT-Vision-Lab/VQA, ``vqaEval.py``) normalises an answer, with its mistakes.

    The script skips normalisation when all ten references agree and scores a single reference 0; here both sides are
    always normalised and compared.
    """
    return _vqa_words(text.replace("\n", " ").replace("\t", " ").strip())


def normalise_llava_med(text: str) -> str:
    """As LLaVA-Med's evaluation (release of 2023) prepares both texts: VQA v2's steps on the lower-cased text."""
    return _vqa_words(text.lower())


def normalise_mumc(text: str) -> str:
    """As MUMC's ``vqaTools/vqaEval.py`` compares answers, with its mistakes.

    Thirteen marks are deleted, the decimal point among them (3.5 becomes 35); white space is kept as it is, so a
    double blank or one at the end makes an answer wrong; articles and number words stay.
    """
    text = re.sub(r"[,.'!?\"()*#:;~]", "", text.lower()).replace(" \t", " ")
    return text.replace("x ray", "xray").replace("x-ray", "xray").replace(" - ", "-")


def normalise_clean(text: str) -> str:
    """Our own rule: spelling is evened out, nothing that carries meaning is dropped.

    Unicode (NFKC), case, quotes and dashes, punctuation, articles that stand before a word, number words up to twenty,
    full stops of abbreviations (``C.T.``), hyphens, blanks between a number and its unit, thousands separators.
    Kept: decimal points, signs, ratios and ranges, ``< > = + %`` and the degree sign, and a letter that only looks like
    an article (``hepatitis a``).
    Never empty unless the text is blank. What is normal already stays as it is: an article that only the other rules
    set free (``a5 mm``, ``the½``) goes as it does where it stands alone.
    """
    normal = _clean_once(text)
    for _ in range(len(normal)):  # each further pass takes something away
        before, normal = normal, _clean_once(normal)
        if normal == before:
            break
    return normal


def _clean_once(text: str) -> str:
    plain = _SUPERSCRIPT.sub(" ", text.translate(_PLAIN))
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", plain).casefold()).translate(_PLAIN)
    plain = _THOUSANDS.sub(lambda number: number.group().replace(",", ""), plain).replace("'", "")
    plain = _ABBREVIATION.sub(lambda letters: letters.group().replace(".", ""), plain)
    plain = _ARTICLE.sub(lambda article: article.group(1) or "", " ".join(plain.split()))
    plain = _MARK.sub(_clean_mark, plain)
    words = [_CLEAN_NUMBERS.get(word, word) for word in _UNIT.sub(" ", plain).split()]
    return _X_RAY.sub("x", " ".join(words)) or text.strip()


NORMALISATIONS: dict[str, Callable[[str], str]] = {
    "pefomed": normalise_pefomed,
    "vqav2": normalise_vqav2,
    "mumc": normalise_mumc,
    "strict": normalise_strict,
    "clean": normalise_clean,
}
"""Every rule by its name; two answers are equal under a rule when their normalised texts are."""


def without_reasoning(text: str) -> str | None:
    """A model's reply without what it thought aloud between ``<think>`` tags; None where it ends inside them.

    Where only the closing tag is there (the opening one was in the prompt), what is before it goes. The marks of other
    models' thoughts (Kimi, Magistral, MedGemma, Seed, Command A, Sky-T1; gpt-oss's channels) are such tags, too.
    ``<answer>``, ``<CONCLUSION>`` and the like around all that is left go, and the tokens that end a model's turn.
    """
    open_or_not = _without_closed_reasoning(text)
    last = max((tag.end() for tag in _CLOSING.finditer(open_or_not)), default=0)
    said = _without_end(_BEGIN_OF_ANSWER.sub("", open_or_not[last:].strip()))
    if _OPENING.search(said):
        return None
    answer = _ANSWER.fullmatch(said)
    return _without_end(answer.group(2)) if answer else said


def _without_end(text: str) -> str:
    """The text without blanks at its ends and without the tokens of a chat template that end a turn."""
    text = text.strip()
    while end := next((end for end in _ENDS_OF_TURN if text.endswith(end)), None):
        text = text.removesuffix(end).rstrip()
    return text


def _without_closed_reasoning(text: str) -> str:
    """The text without what stands from an opening tag to the next closing one of its name; each is passed once."""
    ends: dict[str, list[int]] = {}
    for tag in reversed(list(_CLOSING.finditer(text))):
        ends.setdefault(_name_of(tag), []).append(tag.start())
    closing = {tag.start(): tag.end() for tag in _CLOSING.finditer(text)} if ends else {}
    kept, place = [], 0
    for tag in _OPENING.finditer(text):
        left = ends.get(_name_of(tag), [])
        while left and left[-1] < tag.end():
            left.pop()
        if tag.start() >= place and left:
            kept.append(text[place : tag.start()])
            place = closing[left[-1]]
    return "".join(kept) + text[place:]


def _name_of(tag: Match[str]) -> str:
    """What an opening tag and its closing one have in common."""
    return tag.group(tag.lastindex or 0).lower()


def join_sections(sections: Iterable[str]) -> str:
    """Sections of a report as one text, in this order: those that hold something, a blank between."""
    return " ".join(section.strip() for section in sections if section.strip())


def without_surrogates(text: str) -> str:
    """The text with two halves of a character joined, and a half alone as U+FFFD: no file can hold it."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if _HALF.search(text) else text


def _vqa_words(text: str) -> str:
    """What VQA v2's script and all its descendants share; three of its mistakes live here.

    1. One comma between digits anywhere makes *every* mark vanish instead of becoming a blank: ``1,000-ml`` is
       ``1000ml`` and no longer ``1000-ml``, which is ``1000 ml``.
    2. The look-behind that should protect decimals is mistyped and always true; only the look-ahead acts. ``3.5``
       survives, ``3.`` does not, and at most 32 full stops go.
    3. Articles go wherever they stand: ``hepatitis a`` is ``hepatitis``, and ``a`` equals ``the``, both empty.
    """
    has_number_comma = re.search(r"\d,\d", text) is not None
    spaced = text
    for mark in _VQA_PUNCTUATION:
        beside_blank = mark + " " in text or " " + mark in text
        spaced = spaced.replace(mark, "" if beside_blank or has_number_comma else " ")
    spaced = re.sub(r"\.(?!\d)", "", spaced, count=_VQA_FULL_STOPS)
    words = [_VQA_NUMBERS.get(word, word) for word in spaced.lower().split()]
    return " ".join(_VQA_REPAIRS.get(word, word) for word in words if word not in _VQA_ARTICLES)


def _one_apostrophe_short() -> dict[str, str]:
    """The script's table of contractions: each with one of its apostrophes forgotten, and one entry the other way."""
    repairs = {"somebody'd": "somebodyd"}
    for whole in _VQA_CONTRACTIONS.split():
        for place, letter in enumerate(whole):
            if letter == "'":
                repairs[whole[:place] + whole[place + 1 :]] = whole
    return repairs


_VQA_REPAIRS = _one_apostrophe_short()

_HALF = re.compile("[\ud800-\udfff]")
_TAG = "think|thinking|thought|reasoning|reflection|analysis|scratchpad|seed:think|longcat_think|antthinking"
_OPENING = re.compile(
    rf"<({_TAG})\s*>|\u25c1(think)\u25b7|(?-i:\[(THINK)\])|<(unused9)4>|<start_(working_out)>"
    r"|<\|begin_of_(thought)\|>|<\|START_(THINKING)\|>|<\|(channel)\|>(?:analysis|commentary)",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    rf"</({_TAG})\s*>|\u25c1/(think)\u25b7|(?-i:\[/(THINK)\])|<(unused9)5>|<end_(working_out)>"
    r"|<\|end_of_(thought)\|>|<\|END_(THINKING)\|>|<\|(channel)\|>final<\|message\|>",
    re.IGNORECASE,
)
_WRAPS = "answer|conclusion|solution|response|output"
_ANSWER = re.compile(rf"<({_WRAPS})>((?:(?!</?(?:{_WRAPS})>).)*)(?:</\1>)?", re.IGNORECASE | re.DOTALL)
_BEGIN_OF_ANSWER = re.compile(r"\A<\|(?:begin_of_solution|START_RESPONSE)\|>")
_ENDS_OF_TURN = (
    *("</s>", "<eos>", "<end_of_turn>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>"),
    *("<|end|>", "<|return|>", "<|end_of_solution|>", "<|END_RESPONSE|>", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
)
_PLAIN = {
    **dict.fromkeys(map(ord, "\u2018\u2019\u201b\u2032\u02bc\u00b4`"), "'"),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"), "-"),
    ord("\u2044"): "/",
    ord("&"): " and ",
}
_SUPERSCRIPT = re.compile(r"(?<=\d)(?=[\u00b2\u00b3\u00b9\u2070-\u2079\u00bc-\u00be\u2150-\u215e])")
"""Between a digit and a raised digit or fraction, which NFKC would run together: 10\u00b2 is not 102."""
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_ABBREVIATION = re.compile(r"(?<![\w.])[^\W\d_](?:\.[^\W\d_])+(?!\.?\w)")
"""Single letters with full stops between them: ``C.T.`` is ``CT``."""
_BEFORE_A = (
    "about|after|and|as|at|be|been|behind|by|containing|for|from|has|have|having|in|into|is|like|near|not|"
    "of|on|over|show|shows|than|through|to|under|was|with|within|without"
)
_ARTICLE = re.compile(rf"(^\W*|\b(?:{_BEFORE_A}) )a (?=\W*\w)|\b(?:an|the) (?=\W*\w)")
"""``a`` is an article at the start and behind these words only; elsewhere it can be a label: ``type a dissection``."""
_MARK = re.compile(r"(?P<number>(?<=\d)[.:/-](?=\d)|(?<!\w)-(?=\d))|(?P<point>(?<!\w)\.(?=\d))|[^\w\s]|_")
_UNIT = re.compile(r"(?<=\d)(?=[^\W\d_])|(?<=[^\W\d_])(?=\d)")
_X_RAY = re.compile(r"\bx (?=rays?\b)")


def _clean_mark(match: Match[str]) -> str:
    """What becomes of one character that is neither letter, digit nor blank."""
    mark = match.group()
    if match.group("number"):
        return mark
    if match.group("point"):
        return "0."
    category = unicodedata.category(mark)
    if category.startswith("M"):
        return mark
    if category == "Cf":
        return ""
    return f" {mark} " if category.startswith("S") or mark == "%" else " "
