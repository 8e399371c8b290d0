"""The PeFoMed paper's own figures as data, each with its table and row. Computes nothing.

Stages are the row's marks: which of the two fine-tuning stages the model went through. Figures are as printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

Stages = tuple[bool, bool]

NONE: Stages = (False, False)
STAGE_1: Stages = (True, False)
STAGE_2: Stages = (False, True)
BOTH: Stages = (True, True)

EXACT_MATCH, GPT4_JUDGE, HUMAN, LEXICAL = "exact_match", "gpt4_judge", "human", "lexical"
"""The paper's evaluations; a scorer says by ``ScorerSpec.paper`` which of them it is."""


@dataclass(frozen=True)
class PaperFigure:
    """One cell of the paper."""

    dataset: str
    """Registry name of the data set."""
    measure: str
    """``EXACT_MATCH``, ``GPT4_JUDGE``, ``HUMAN`` or ``LEXICAL``."""
    group: str
    """Column, or group of a breakdown: ``open``, ``overall``, ``meteor``, ``level 0``, ``wasm``, ``CHEST``, ..."""
    stages: Stages
    """The row."""
    value: float
    """As printed: percent for VQA, 0 to 1 for METEOR and ROUGE-L, a count for levels."""
    table: str
    """Where it stands, for example ``Table 9 (a)``."""
    sd: float | None = None
    """Standard deviation over ten runs or raters, where it is printed."""
    among: str = ""
    """``rated``: only of the reports that people rated too; empty: of the whole test set."""


_Row = tuple[Stages, tuple[float, ...], tuple[Optional[float], ...]]
_NO_SD: tuple[float | None, ...] = (None, None, None)

_VQA: dict[tuple[str, str, str], list[_Row]] = {
    ("slake", EXACT_MATCH, "Table 8 (a)"): [
        (NONE, (23.9, 58.9, 37.6), _NO_SD),
        (STAGE_1, (11.6, 50.5, 26.9), _NO_SD),
        (STAGE_2, (77.5, 85.3, 80.6), _NO_SD),
        (BOTH, (77.8, 88.7, 82.1), _NO_SD),
    ],
    ("slake", GPT4_JUDGE, "Table 8 (b)"): [
        (NONE, (47.0, 59.9, 52.1), (0.5, 0.0, 0.3)),
        (STAGE_1, (50.0, 62.5, 54.9), (0.9, 0.4, 0.7)),
        (STAGE_2, (82.8, 85.3, 83.8), (0.3, 0.0, 0.2)),
        (BOTH, (83.1, 88.7, 85.3), (0.3, 0.0, 0.2)),
    ],
    ("path_vqa", EXACT_MATCH, "Table 8 (a)"): [
        (NONE, (2.4, 59.0, 30.8), _NO_SD),
        (STAGE_1, (1.2, 53.3, 27.3), _NO_SD),
        (STAGE_2, (31.2, 90.0, 60.7), _NO_SD),
        (BOTH, (35.7, 91.3, 63.6), _NO_SD),
    ],
    ("path_vqa", GPT4_JUDGE, "Table 8 (b)"): [
        (NONE, (12.3, 59.3, 35.9), _NO_SD),
        (STAGE_1, (12.1, 53.9, 33.1), _NO_SD),
        (STAGE_2, (38.5, 90.0, 64.3), _NO_SD),
        (BOTH, (45.7, 91.3, 68.6), _NO_SD),
    ],
    ("vqa_rad", EXACT_MATCH, "Table 9 (a)"): [
        (NONE, (13.4, 48.2, 34.4), _NO_SD),
        (STAGE_1, (16.2, 59.9, 42.6), _NO_SD),
        (STAGE_2, (58.1, 82.0, 72.5), _NO_SD),
        (BOTH, (62.6, 87.1, 77.4), _NO_SD),
    ],
    ("vqa_rad", GPT4_JUDGE, "Table 9 (b)"): [
        (NONE, (26.2, 49.1, 40.0), (1.1, 0.3, 0.4)),
        (STAGE_1, (37.3, 60.2, 51.1), (1.1, 0.1, 0.5)),
        (STAGE_2, (75.0, 82.7, 79.6), (0.4, 0.0, 0.1)),
        (BOTH, (79.9, 87.5, 84.4), (1.2, 0.0, 0.5)),
    ],
    ("vqa_rad", HUMAN, "Table 9 (c)"): [(BOTH, (77.7, 87.6, 83.7), (3.2, 0.2, 1.3))],
}
"""Open, closed, overall, in percent, and their standard deviations."""

_REPORTS: dict[Stages, tuple[float, float, float]] = {
    NONE: (0.059, 0.089, 0.007),
    STAGE_1: (0.153, 0.247, 0.124),
    STAGE_2: (0.146, 0.295, 0.393),
    BOTH: (0.157, 0.286, 0.462),
}
"""Table 10: METEOR, ROUGE-L, CIDEr on IU-Xray. The text gives 0.152 and 0.089 for stage 1's METEOR and ROUGE-L."""

_WASM: dict[Stages, tuple[float, ...]] = {
    NONE: (1048, 79, 33, 20, 0, 0.17),
    STAGE_1: (51, 170, 192, 318, 449, 2.80),
    STAGE_2: (39, 125, 193, 447, 376, 2.84),
    BOTH: (22, 118, 267, 449, 324, 2.79),
}
"""Table 11: reports at levels 0 to 4, and WASM."""

_WASM_RATED: dict[str, tuple[tuple[float, float], ...]] = {
    HUMAN: ((7.75, 5.55), (23.38, 12.81), (21.88, 5.64), (29.13, 14.73), (17.25, 11.07), (2.24, 0.42)),
    GPT4_JUDGE: ((2.80, 0.63), (7.80, 1.62), (17.10, 1.91), (22.60, 5.36), (48.70, 2.54), (3.08, 0.03)),
}
"""Table 6, people and GPT-4: of 100 reports drawn at random those at levels 0 to 4, and WASM, with their SD. People's
counts sum to 99.4 and GPT-4's to 99.0: what was left unrated is in neither."""

_ORGANS: dict[str, tuple[tuple[float, float | None], ...]] = {
    EXACT_MATCH: ((81.0, None), (79.0, None), (72.2, None)),
    HUMAN: ((86.4, 1.0), (85.4, 2.8), (79.4, 1.9)),
    GPT4_JUDGE: ((87.4, 0.0), (86.8, 1.3), (79.3, 0.7)),
}
"""Table 4: chest, head, abdomen of VQA-RAD."""

_FREE_FORM: dict[str, tuple[float, float | None]] = {
    EXACT_MATCH: (72.7, None),
    HUMAN: (81.5, 1.8),
    GPT4_JUDGE: (80.8, 0.6),
}
"""Table 3, free-form questions; the column of the parameterised ones is not in the text we have."""


def _all_figures() -> list[PaperFigure]:
    found = [
        PaperFigure(dataset, measure, group, stages, value, table, sd)
        for (dataset, measure, table), rows in _VQA.items()
        for stages, values, sds in rows
        for group, value, sd in zip(("open", "closed", "overall"), values, sds)
    ]
    found += [
        PaperFigure("iu_xray", LEXICAL, metric, stages, value, "Table 10")
        for stages, values in _REPORTS.items()
        for metric, value in zip(("meteor", "rouge_l", "cider"), values)
    ]
    names = (*(f"level {level}" for level in range(5)), "wasm")
    found += [
        PaperFigure("iu_xray", GPT4_JUDGE, name, stages, value, "Table 11")
        for stages, values in _WASM.items()
        for name, value in zip(names, values)
    ]
    found += [
        PaperFigure("iu_xray", who, name, BOTH, value, "Table 6", sd, "" if who == HUMAN else "rated")
        for who, cells in _WASM_RATED.items()
        for name, (value, sd) in zip(names, cells)
    ]
    found += [
        PaperFigure("vqa_rad", measure, organ, BOTH, value, "Table 4", sd)
        for measure, cells in _ORGANS.items()
        for organ, (value, sd) in zip(("CHEST", "HEAD", "ABD"), cells)
    ]
    found += [
        PaperFigure("vqa_rad", measure, "freeform", BOTH, value, "Table 3", sd)
        for measure, (value, sd) in _FREE_FORM.items()
    ]
    return found


FIGURES: tuple[PaperFigure, ...] = tuple(_all_figures())
"""Every figure of the paper that a run of ours can stand beside. Figures 3 to 6 print no numbers."""

_BY_CELL = {(figure.dataset, figure.measure, figure.group, figure.stages, figure.among): figure for figure in FIGURES}


def paper_figure(dataset: str, measure: str, group: str, stages: Stages | None, among: str = "") -> PaperFigure | None:
    """The paper's cell, or None where it prints none or the run's stages are not known."""
    return None if stages is None else _BY_CELL.get((dataset, measure, group, stages, among))
