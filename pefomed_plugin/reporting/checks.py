"""Are these predictions what they should be, and of the data set they claim? Reads no files."""

from collections import Counter
from typing import List, Sequence

from ..errors import DataError
from ..records import Prediction, Sample
from ..scoring.pairing import require_predictions

_TEXTS = ("id", "dataset", "split", "image", "task", "answer")
_OPTIONAL_TEXTS = ("question", "prediction", "answer_type", "question_type", "organ", "phrase_type")


def check_predictions(predictions: Sequence[Prediction]) -> None:
    """Texts that are texts, references that are there, ids that occur once, one data set.

    Raises:
        DataError: with one line for each record that is wrong.
    """
    require_predictions(predictions)
    problems: List[str] = []
    for each in predictions:
        problems += ["{}: {} is {!r}, not a text; write it in quotation marks".format(
            each.id, name, getattr(each, name)) for name in _TEXTS if not isinstance(getattr(each, name), str)]
        problems += ["{}: {} is {!r}, neither a text nor null".format(each.id, name, getattr(each, name))
                     for name in _OPTIONAL_TEXTS if not isinstance(getattr(each, name), (str, type(None)))]
    problems += ["{}: no reference answer to score against; pefomed predict --questions takes a column answer".format(
        each.id) for each in predictions if isinstance(each.answer, str) and not each.answer.strip()]
    problems += ["id {!r} occurs {} times; keep one of them".format(key, count)
                 for key, count in Counter(each.id for each in predictions).items() if count > 1]
    if problems:
        raise DataError("the predictions cannot be scored", problems)
    sets = Counter("{}, split {}".format(each.dataset, each.split) for each in predictions)
    if len(sets) > 1:
        raise DataError("the predictions are of {} test sets; score each in a file of its own".format(len(sets)),
                        ["{}: {:,} predictions".format(key, count) for key, count in sorted(sets.items())])


def check_references(predictions: Sequence[Prediction], samples: Sequence[Sample], of: str) -> None:
    """The predictions answer exactly ``samples``, with the same questions and references.

    Raises:
        DataError: unknown or missing ids, or references of another version; all of them in one message. ``of`` names
            the samples in it.
    """
    answered = {each.id: each for each in predictions}
    known = {each.id: each for each in samples}
    problems = ["{}: {} differs: {!r} here, {!r} in {}".format(
        key, name, getattr(answered[key], name), getattr(sample, name), of)
        for key, sample in known.items() if key in answered for name in ("image", "question", "answer")
        if getattr(answered[key], name) != getattr(sample, name)]
    problems += ["{}: not in {}".format(key, of) for key in answered if key not in known]
    problems += ["{}: in {}, but not answered".format(key, of) for key in known if key not in answered]
    if problems:
        raise DataError("the predictions are not of {}; use the files of one version".format(of), problems)
