"""The words that the protocol ``lexical/r2gen60`` knows, from training reports or a list. Counts nothing itself."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigError, DataError, why
from ..readers import read_data
from ..scoring.tokens import training_vocabulary
from ..storage import read_samples


def read_vocabulary(path: Path, dataset: str) -> frozenset[str]:
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
        raise ConfigError(f"--vocabulary {path}: no such file or folder")
    if path.is_file() and path.suffix != ".jsonl":
        return _read_words(path)
    samples = read_data(dataset, path).splits().get("train", []) if path.is_dir() else read_samples(path)
    wrong = sorted(
        {
            f"{sample.dataset}, split {sample.split}"
            for sample in samples
            if (sample.dataset, sample.split) != (dataset, "train")
        }
    )
    if wrong or not samples:
        raise DataError(
            f"{path} is not a training split of {dataset}: it holds {'; '.join(wrong) or 'no training reports'}"
        )
    # A report that occurs once for each of its views counts once, as in R2Gen's own list of studies.
    words = training_vocabulary(
        {str(sample.metadata.get("study", sample.id)): sample.answer for sample in samples}.values()
    )
    if not words:
        raise DataError(f"{path}: no word occurs three times in its {len(samples):,} training reports")
    return words


def _read_words(path: Path) -> frozenset[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {why(error)}") from error
    problems = [
        f"{path}, line {number}: {line[:60]!r} is more than one word"
        for number, line in enumerate(lines, 1)
        if len(line.split()) > 1
    ]
    if problems or not any(lines):
        raise DataError(f"{path} is not a list of words, one per line", problems)
    return frozenset(line for line in lines if line)
