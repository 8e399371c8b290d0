"""Verdicts on two models side by side as a rating of each: the share of the verdicts on an item that it won.

A tie is half a verdict for each. From there on pairs and labels are made as of any other ratings.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import DataError
from ..records import Prediction
from ..rubrics import CANNOT_JUDGE
from ..scoring.spec import RATER, ScorerSpec
from ..services.rating.plan import PLAN, read_plan
from ..services.rating.preferences import TIE, Preference, pair_up, read_preferences
from .preferences import RatedAnswers

PREFERENCE = ScorerSpec(
    "preference", "share of the verdicts that it won side by side, a tie for half", repeated=RATER, tasks=()
)


def compared_answers(
    study: Path, answers: Mapping[str, Sequence[Prediction]], files: Sequence[Path]
) -> tuple[list[RatedAnswers], list[str]]:
    """Two models' answers with what raters preferred, and what there is to say of the verdicts.

    Args:
        study: folder of a study that was imported, or its ``preferences.jsonl``.
        answers: name of each model in the study -> its predictions.
        files: where these lie, in their order; for messages.

    Raises:
        DataError: other models, samples or answers than were compared, or a verdict that is none.
    """
    models, preferences = read_preferences(study)
    if set(answers) != set(models):
        given = ", ".join(f"{path}: {name!r}" for name, path in zip(answers, files))
        raise DataError(
            f"{study} compares {models[0]!r} and {models[1]!r}, and the answers are called {given}; say which is which "
            "with --label NAME for each, in their order"
        )
    place = dict(zip(answers, files))
    pairs = pair_up(answers[models[0]], answers[models[1]], place[models[1]])
    folder = study if study.is_dir() else study.parent
    told = []
    if (folder / PLAN).exists():
        read_plan(folder, pairs.predictions)
    else:
        told.append(f"not checked: whether these are the answers that were compared (no {PLAN} beside {study.name})")
    shares = _shares(models, preferences, {found.id for found in answers[models[0]]}, study)
    if not shares:
        raise DataError(f"{study}: nobody preferred anything; import the verdicts first (pefomed rate import)")
    rated = [
        RatedAnswers(model, answers[model], {key: share[model] for key, share in shares.items()}, PREFERENCE)
        for model in answers
    ]
    return rated, [*told, *_said(preferences)]


def _shares(
    models: tuple[str, str], preferences: Sequence[Preference], known: set[str], study: Path
) -> dict[str, dict[str, float]]:
    """Item -> model -> share. What nobody was shown has none: both gave the same answer."""
    worth = {models[0]: 1.0, TIE: 0.5, models[1]: 0.0}
    problems = [
        f"{found.sample_id}, {found.rater}: {found.preferred!r} is neither a model nor a tie"
        for found in preferences
        if found.preferred is not None and found.preferred not in worth
    ]
    problems += [f"{key}: not among the answers" for key in sorted({found.sample_id for found in preferences} - known)]
    if problems:
        raise DataError(f"{study} is not about these answers, or damaged; import the verdicts again", problems)
    verdicts: dict[str, list[float]] = defaultdict(list)
    for found in preferences:
        if found.rater is not None and found.preferred is not None:
            verdicts[found.sample_id].append(worth[found.preferred])
    means = {key: sum(values) / len(values) for key, values in verdicts.items()}
    return {key: {models[0]: mean, models[1]: 1.0 - mean} for key, mean in means.items()}


def _said(preferences: Sequence[Preference]) -> list[str]:
    """How many verdicts of how many raters; which of them say nothing."""
    asked = [found for found in preferences if found.rater is not None]
    raters = len({found.rater for found in asked})
    none = Counter(found.reason or CANNOT_JUDGE for found in asked if found.preferred is None)
    left = "; left out of them: " + ", ".join(f"{count:,} {reason}" for reason, count in none.items()) if none else ""
    return [f"{len(asked):,} verdicts of {raters:,} rater(s){left}"]
