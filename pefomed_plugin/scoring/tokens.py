"""Texts into tokens: Penn Treebank's as the COCO tools make them, or R2Gen's.

The first come from Stanford's tokenizer in pycocoevalcap's jar, or nearly so where there is no Java. R2Gen (Chen et al.
2020, ``modules/tokenizers.py``) cleans and cuts IU-Xray reports before it scores them; many published IU-Xray figures
were computed on these references, and are higher for it.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence

from .java import TOKENIZER_JAR, JavaError, find_jar, java_command

_DROPPED = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)
"""pycocoevalcap's list. Its brackets are upper-case, the tokens lower-case: ``-lrb-`` stays and is in the numbers."""
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_QUOTES = dict.fromkeys(map(ord, "\u2018\u2019"), "'")
_CLITIC = re.compile(r"(?<=\w)(n't|'(?:s|m|d|ll|re|ve))$")
UNKNOWN = "<unk>"
_TOKENS = 59
"""``max_seq_length`` 60 holds the start symbol too."""
_LISTS = (
    [("..", ".")] * 3
    + [("1. ", "")]
    + [(f". {number}. ", ". ") for number in range(2, 6)]
    + [(f" {number}. ", ". ") for number in range(2, 6)]
)
_DELETED = re.compile(r"[.,?;*!%^&_+():<=>@\[\]{}\"/\\']")
"""The hyphen stays: in the published pattern it stands for the range from colon to bracket."""


def tokenise_ptb(texts: Sequence[str], java: str, timeout_s: float = 600) -> list[str]:
    """Lower-case tokens of each text, separated by blanks, punctuation dropped: pycocoevalcap's ``PTBTokenizer``.

    White space of every kind becomes a blank first: the tokenizer ends a line at CR, VT, FF, NEL and U+2028 as well,
    and one such character would shift every later text.

    Args:
        texts: any texts, empty ones included; all go through one JVM.
        java: the executable.
        timeout_s: after which the JVM is ended.

    Raises:
        ConfigError: pycocoevalcap is not installed.
        JavaError: the JVM failed, took too long, or returned another number of lines.
    """
    command = java_command(
        java,
        "-cp",
        str(find_jar(TOKENIZER_JAR)),
        "edu.stanford.nlp.process.PTBTokenizer",
        "-preserveLines",
        "-lowerCase",
        "-encoding",
        "UTF-8",
    )
    given = "".join(" ".join(text.split()) + "\n" for text in texts)
    try:
        # subprocess.run ends the child itself, whatever happens.
        done = subprocess.run(
            command, input=given.encode("utf-8", "replace"), capture_output=True, check=False, timeout=timeout_s
        )
    except OSError as error:
        raise JavaError(f"cannot start {java}: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise JavaError(f"the PTB tokenizer did not finish within {timeout_s} s") from error
    lines = done.stdout.decode("utf-8", "replace").split("\n")[:-1]
    if done.returncode or len(lines) != len(texts):
        raise JavaError(
            f"the PTB tokenizer ended with status {done.returncode} after {len(lines)} of {len(texts)} texts: "
            f"{done.stderr.decode('utf-8', 'replace')[-300:].strip()}"
        )
    return [" ".join(word for word in line.rstrip().split(" ") if word not in _DROPPED) for line in lines]


def tokenise_approximately(texts: Sequence[str]) -> list[str]:
    """What ``tokenise_ptb`` would return, without Java; abbreviations and rare marks come out differently."""
    return [_approximate(text) for text in texts]


def _approximate(text: str) -> str:
    words: list[str] = []
    for piece in re.findall(r"[()\[\]{}]|[^\s()\[\]{}]+", text.lower().translate(_QUOTES)):
        if piece in _BRACKETS:
            words.append(_BRACKETS[piece])
            continue
        words += _CLITIC.sub(r" \1", piece.strip(".,;:?!\"'`\u201c\u201d")).split()
    return " ".join(word for word in words if word not in _DROPPED)


def clean_report(text: str) -> str:
    """Lower-case words with a full stop as a token of its own behind each sentence.

    Its mistakes are kept: ``1. `` is deleted wherever it stands (``T8-T11. There`` becomes ``t8-t1there``), decimal
    points and slashes vanish (``1.6`` is ``16``), and an empty text is a full stop.
    """
    for old, new in _LISTS:
        text = text.replace(old, new)
    sentences = [_DELETED.sub("", sentence).strip() for sentence in text.strip().lower().split(". ")]
    return " . ".join(sentences) + " ."


def cut_report(text: str, vocabulary: frozenset[str] | None = None) -> str:
    """The first 59 tokens of the cleaned text; with a vocabulary, words outside it become ``<unk>``."""
    words = clean_report(text).split()[:_TOKENS]
    return " ".join(word if vocabulary is None or word in vocabulary else UNKNOWN for word in words)


def training_vocabulary(reports: Iterable[str]) -> frozenset[str]:
    """Words that occur at least three times in the cleaned training reports, as in R2Gen's IU-Xray runs."""
    counts = Counter(word for report in reports for word in clean_report(report).split())
    return frozenset(word for word, count in counts.items() if count >= 3)
