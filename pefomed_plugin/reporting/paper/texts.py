"""Tables 1 and 12, and the texts of figures 2, 7 and 8: examples of our answers, our scale, what our judge is asked."""

from __future__ import annotations

from operator import itemgetter

from ...readers import need_permission
from ...records import OPEN, Prediction
from ...rubrics import REPORT, VQA, Rubric
from ...scoring.pairing import answer_type
from ...services.judge.prompts import find_prompt
from ..comparison.paper_figures import EXACT_MATCH, GPT4_JUDGE, HUMAN
from ..table import COUNT, Column, Table
from .cells import VQA_SETS, PaperTable
from .material import Material, Place
from .notes import notice_of

_EXAMPLES = 4
"""As many as the paper prints."""


def table_1(material: Material) -> PaperTable:
    """Open answers that say the same in other words: right for people, else for a judge, and not by exact match."""
    rows: list[tuple[str, str, str, str]] = []
    used: list[Place] = []
    for name, title in VQA_SETS.items():
        place = material.row(name)
        found = [] if need_permission([name]) else _same_in_other_words(place)
        used += [place] if found else []
        rows += [(title, row.question or "", row.answer, row.prediction or "") for row in found]
    notes = ["Answers of our runs; the paper's examples are its own.", *notice_of(used)]
    if not rows:
        why = "none: nothing was judged or rated, or every such answer matched exactly"
        rows = [(why, "-", "-", "-")]
    names = ("data set", "question", "reference", "prediction")
    columns = [Column(name, itemgetter(at)) for at, name in enumerate(names)]
    return PaperTable(
        1, (Table("Table 1: open answers that say the same in other words", columns, rows[:_EXAMPLES], notes),)
    )


def table_12() -> PaperTable:
    """The scale that reports are rated by, in our words."""
    columns = [
        Column("level", lambda level: level.value, COUNT),
        Column("word", lambda level: level.word),
        Column("when it applies", lambda level: level.description),
    ]
    levels = list(reversed(REPORT.levels))
    note = "Our wording of the paper's criteria; the digest of this scale is " + REPORT.digest[:8] + "."
    return PaperTable(12, (Table("Table 12: the levels of reports", columns, levels, (note,)),))


def instruction(rubric: Rubric) -> list[str]:
    """What our judge is asked: system message and user message, line by line."""
    prompt = find_prompt(rubric)
    return [f"system: {prompt.system}", "", *f"user: {prompt.template}".replace("{rubric}", rubric.text()).splitlines()]


def text_figures() -> dict[int, tuple[str, list[str]]]:
    """Figures of text: number -> title and lines."""
    scale = [f"{level.value}  {level.word}" for level in reversed(REPORT.levels)]
    return {
        2: ("Figure 2: five levels for the similarity of reports", scale),
        7: ("Figure 7: what our judge is asked about reports", instruction(REPORT)),
        8: ("Figure 8: what our judge is asked about answers", instruction(VQA)),
    }


def _same_in_other_words(place: Place) -> list[Prediction]:
    answered, exact = place.answered, place.scorer(EXACT_MATCH)
    rating = place.scorer(HUMAN) or place.scorer(GPT4_JUDGE)
    if answered is None or exact is None or rating is None:
        return []
    pairs = zip(answered.predictions, answered.scores[exact.name], answered.scores[rating.name])
    return [
        prediction
        for prediction, matched, rated in pairs
        if answer_type(prediction) == OPEN and matched.value == 0.0 and rated.value is not None and rated.value > 0.5
    ]
