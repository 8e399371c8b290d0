"""What "the nearest training question" gets on a test set, by several usual meanings of near.

    python -m projects.benchmarks.nearest_recipes vqa_rad --data data/vqa_rad [--difflib]

Exact match, letter case aside, in percent. Of equally near training questions the first in the file answers, or the
most frequent answer of all of them. Needs scipy.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from scipy import sparse

from pefomed_plugin.baselines.counting import most_frequent, plain, words_of
from pefomed_plugin.readers import read_data
from pefomed_plugin.records import Sample

Nearness = Callable[[Sequence[str], Sequence[str]], np.ndarray]
_ROWS = 256
_SAME = 1e-9


def _sklearn_tfidf(asked: Sequence[str], train: Sequence[str]) -> np.ndarray:
    """``TfidfVectorizer()`` as it is: words of two letters and more, counted, smooth idf, length 1."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # late: optional

    vectorizer = TfidfVectorizer().fit(train)
    return np.asarray((vectorizer.transform(asked) @ vectorizer.transform(train).T).toarray())


def _matrix(texts: Sequence[str], vocabulary: dict[str, int]) -> sparse.csr_matrix:
    held = [[vocabulary[word] for word in words_of(text) if word in vocabulary] for text in texts]
    places = np.repeat(np.arange(len(texts)), [len(words) for words in held])
    columns = np.fromiter((column for words in held for column in words), dtype=np.int64)
    return sparse.csr_matrix((np.ones(len(columns)), (places, columns)), shape=(len(texts), len(vocabulary)))


def _of_words(weighted: bool, kind: str) -> Nearness:
    def nearness(asked: Sequence[str], train: Sequence[str]) -> np.ndarray:
        vocabulary = {word: at for at, word in enumerate(sorted({word for text in train for word in words_of(text)}))}
        one, other = _matrix(asked, vocabulary), _matrix(train, vocabulary)
        holding = np.asarray(other.sum(axis=0)).ravel()
        weights = np.log((1 + len(train)) / (1 + holding)) + 1 if weighted else np.ones(len(vocabulary))
        if kind == "cosine":
            scaled = [matrix.multiply(weights).tocsr() for matrix in (one, other)]
            norms = [np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1))).ravel() for matrix in scaled]
            norms = [np.where(norm == 0, 1, norm) for norm in norms]
            return (scaled[0] @ scaled[1].T).toarray() / norms[0][:, None] / norms[1][None]
        shared = (one.multiply(weights).tocsr() @ other.T).toarray()
        if kind == "shared":
            return shared
        unseen = np.log(1 + len(train)) + 1 if weighted else 1.0
        strange = np.array([sum(word not in vocabulary for word in words_of(text)) for text in asked]) * unseen
        sums = [np.asarray(matrix.multiply(weights).sum(axis=1)).ravel() for matrix in (one, other)]
        return shared / np.maximum((sums[0] + strange)[:, None] + sums[1][None] - shared, 1e-12)

    return nearness


def _difflib(asked: Sequence[str], train: Sequence[str]) -> np.ndarray:
    found = np.empty((len(asked), len(train)))
    for row, question in enumerate(asked):
        matcher = SequenceMatcher(None, "", question, autojunk=False)
        for column, other in enumerate(train):
            matcher.set_seq1(other)
            found[row, column] = matcher.ratio()
    return found


RECIPES: dict[str, Nearness] = {
    "Jaccard of words": _of_words(False, "jaccard"),
    "Jaccard of words, weighed by idf (ours)": _of_words(True, "jaccard"),
    "shared words": _of_words(False, "shared"),
    "shared words, weighed by idf": _of_words(True, "shared"),
    "cosine of words": _of_words(False, "cosine"),
    "cosine of TF-IDF": _of_words(True, "cosine"),
}


def accuracies(recipe: Nearness, train: Sequence[Sample], asked: Sequence[Sample]) -> tuple[float, float]:
    """Percent right: the first of the nearest answers; their most frequent answer does."""
    questions = [plain(sample.question) for sample in train]
    distinct = list(dict.fromkeys(plain(sample.question) for sample in asked))
    said: dict[str, tuple[str, str]] = {}
    for start in range(0, len(distinct), _ROWS):
        part = distinct[start : start + _ROWS]
        for question, near in zip(part, recipe(part, questions)):
            places = np.flatnonzero(near >= near.max() - _SAME)
            answers = [train[place].answer for place in places]
            said[question] = (answers[0], most_frequent(answers) or "")
    right = [
        [said[plain(sample.question)][way].strip().lower() == sample.answer.strip().lower() for sample in asked]
        for way in (0, 1)
    ]
    first, frequent = (100 * sum(way) / len(asked) for way in right)
    return first, frequent


def main() -> None:
    """Print a row for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sklearn", action="store_true", help="also scikit-learn's TF-IDF, if it is installed")
    parser.add_argument("--difflib", action="store_true", help="also difflib's ratio of letters: minutes")
    given = parser.parse_args()
    splits = read_data(given.dataset, given.data).splits()
    by_sklearn = {"cosine of scikit-learn's TF-IDF": _sklearn_tfidf} if given.sklearn else {}
    recipes = {**RECIPES, **by_sklearn, **({"difflib's ratio of letters": _difflib} if given.difflib else {})}
    print(f"{given.dataset}: train {len(splits['train']):,}, test {len(splits['test']):,}")
    print(f"{'nearest by':42}{'first':>8}{'frequent':>10}{'CPU s':>8}")
    for name, recipe in recipes.items():
        began = time.process_time()
        first, frequent = accuracies(recipe, splits["train"], splits["test"])
        print(f"{name:42}{first:8.1f}{frequent:10.1f}{time.process_time() - began:8.1f}")


if __name__ == "__main__":
    main()
