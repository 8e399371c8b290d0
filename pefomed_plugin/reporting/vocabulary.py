"""The words that the protocol ``lexical/r2gen60`` knows, from training reports or a list. Counts nothing itself."""

from pathlib import Path
from typing import FrozenSet

from ..errors import ConfigError, DataError, near_names, one_line
from ..readers import READERS, read_data
from ..scoring.r2gen import training_vocabulary
from ..storage import read_samples

R2GEN60 = "lexical/r2gen60"


def read_vocabulary(path: Path, dataset: str) -> FrozenSet[str]:
    """Words of the training split.

    Args:
        path: a folder that ``pefomed prepare`` wrote, a release, its ``train.jsonl``, or a text file with one word (of
            R2Gen's tokens: lower case, without punctuation) a line.
        dataset: of the predictions; a folder must be of the same.

    Raises:
        ConfigError: there is no such file or folder.
        DataError: no training reports in it, reports of another data set, or no list of words.
    """
    path = Path(path)
    if not path.exists():
        raise ConfigError("--vocabulary {}: no such file or folder".format(path))
    if path.is_file() and path.suffix != ".jsonl":
        return _read_words(path)
    if path.is_dir() and dataset not in READERS:
        raise ConfigError("no reader for data set {!r}; {}".format(dataset, near_names(dataset, READERS)))
    samples = read_data(dataset, path).splits().get("train", []) if path.is_dir() else read_samples(path)
    wrong = sorted({"{}, split {}".format(each.dataset, each.split) for each in samples
                    if (each.dataset, each.split) != (dataset, "train")})
    if wrong or not samples:
        raise DataError("{} is no training split of {}: it holds {}".format(
            path, dataset, "; ".join(wrong) or "no training reports"))
    # A report that stands there for each of its views counts once, as in R2Gen's own list of studies.
    words = training_vocabulary({str(each.metadata.get("study", each.id)): each.answer for each in samples}.values())
    if not words:
        raise DataError("{}: no word occurs three times in its {:,} training reports".format(path, len(samples)))
    return words


def _read_words(path: Path) -> FrozenSet[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("cannot read {}: {}".format(path, one_line(error))) from error
    problems = ["{}, line {}: {!r} is more than one word".format(path, number, line[:60])
                for number, line in enumerate(lines, 1) if len(line.split()) > 1]
    if problems or not any(lines):
        raise DataError("{} is no list of words, one a line".format(path), problems)
    return frozenset(line for line in lines if line)
