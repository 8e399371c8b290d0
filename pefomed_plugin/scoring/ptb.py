"""Texts into Penn Treebank tokens as the COCO tools do, or nearly so where there is no Java.

Runs Stanford's tokenizer from pycocoevalcap's jar.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

from .java import TOKENIZER_JAR, JavaError, find_jar, java_command

_DROPPED = frozenset(
    ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]
)
"""pycocoevalcap's list. Its brackets are upper-case, the tokens lower-case: ``-lrb-`` stays and is in the numbers."""
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_QUOTES = dict.fromkeys(map(ord, "\u2018\u2019"), "'")
_CLITIC = re.compile(r"(?<=\w)(n't|'(?:s|m|d|ll|re|ve))$")


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
