"""Other people's models as the paper's tables 2 and 5 print them, with the protocol each was measured by. Data only.

The text of the paper that we have gives these two tables with cells moved to the left where some are empty. Where a
cell's column does not follow from its row, the note of the model says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

EXACT = "exact match"
TOKEN_RECALL = "open: token recall, closed: exact match"
CLASSIFIER, GENERATIVE = "no LLM", "LLM"
"""What answers: a classifier or BERT, or a language model."""


@dataclass(frozen=True)
class PublishedModel:
    """One row."""

    name: str
    kind: str
    """``CLASSIFIER`` or ``GENERATIVE``."""
    protocol: str = EXACT
    """How its answers were measured."""
    trained: str = ""
    """Trained parameters as printed; empty where the table prints none."""
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Data set -> column -> figure as printed."""
    note: str = ""
    """What is not certain of the row."""


def _accuracy(*values: float) -> dict[str, float]:
    return dict(zip(("open", "closed", "overall"), values))


TABLE_2: tuple[PublishedModel, ...] = (
    PublishedModel(
        "MMQ",
        CLASSIFIER,
        trained="28.3M",
        figures={"vqa_rad": _accuracy(52.0, 72.4, 64.3), "path_vqa": _accuracy(11.8, 82.1, 47.1)},
        note="its second three figures are taken to be of PathVQA: 11.8 % is far below every other model on SLAKE",
    ),
    PublishedModel(
        "MTL",
        CLASSIFIER,
        figures={"vqa_rad": _accuracy(69.8, 79.8, 75.8), "slake": _accuracy(80.2, 86.1, 82.5)},
    ),
    PublishedModel(
        "VQA-Adapter",
        CLASSIFIER,
        trained="2.09M",
        figures={"vqa_rad": _accuracy(66.1, 82.3, 75.8), "slake": _accuracy(79.2, 83.7, 81.0)},
    ),
    PublishedModel(
        "M3AE",
        CLASSIFIER,
        figures={"vqa_rad": _accuracy(67.2, 83.5, 77.0), "slake": _accuracy(80.3, 87.8, 83.2)},
    ),
    PublishedModel(
        "M2I2",
        CLASSIFIER,
        trained="262.15M",
        figures={
            "vqa_rad": _accuracy(66.5, 83.5, 76.8),
            "slake": _accuracy(74.7, 91.1, 81.2),
            "path_vqa": _accuracy(36.3, 88.0, 62.2),
        },
    ),
    PublishedModel(
        "MUMC",
        CLASSIFIER,
        trained="211.06M",
        figures={
            "vqa_rad": _accuracy(71.5, 84.2, 79.2),
            "slake": _accuracy(81.5, 91.1, 84.9),
            "path_vqa": _accuracy(39.0, 90.4, 65.1),
        },
    ),
    PublishedModel(
        "ARL",
        CLASSIFIER,
        trained="362M",
        figures={"vqa_rad": _accuracy(67.6, 86.8, 79.2), "slake": _accuracy(81.9, 91.4, 85.6)},
    ),
    PublishedModel(
        "LLaVA-Med (LLaVA)",
        GENERATIVE,
        TOKEN_RECALL,
        figures={
            "vqa_rad": _accuracy(61.5, 84.2, 75.2),
            "slake": _accuracy(83.1, 85.3, 84.0),
            "path_vqa": _accuracy(38.0, 91.2, 64.7),
        },
    ),
    PublishedModel(
        "LLaVA-Med (Vicuna)",
        GENERATIVE,
        TOKEN_RECALL,
        figures={
            "vqa_rad": _accuracy(64.4, 82.0, 75.0),
            "slake": _accuracy(84.7, 83.2, 84.1),
            "path_vqa": _accuracy(38.9, 91.7, 65.3),
        },
    ),
    PublishedModel(
        "LLaVA-Med (Bio-CLIP)",
        GENERATIVE,
        TOKEN_RECALL,
        figures={
            "vqa_rad": _accuracy(64.8, 83.1, 75.8),
            "slake": _accuracy(87.1, 86.8, 87.0),
            "path_vqa": _accuracy(39.6, 91.1, 65.4),
        },
    ),
    PublishedModel("GPT-4v, not fine-tuned", GENERATIVE, figures={"vqa_rad": {"closed": 61.4}}),
)
"""Table 2 without the paper's own rows, which are those of tables 8 and 9 with both stages. Percent. Section 4.3 gives
LLaVA-Med 7B trained parameters; the table's cell is not in the text."""

TABLE_5: tuple[PublishedModel, ...] = (
    PublishedModel(
        "PPKED",
        CLASSIFIER,
        figures={"iu_xray": {"rouge_l": 0.376, "cider": 0.351}},
        note="one of its three cells is empty, taken to be METEOR",
    ),
    PublishedModel(
        "ITHN",
        CLASSIFIER,
        figures={"iu_xray": {"meteor": 0.210}},
        note="a second figure, 0.495, is printed without telling whether it is ROUGE-L or CIDEr",
    ),
    PublishedModel("VLCL", CLASSIFIER, figures={"iu_xray": {"meteor": 0.204, "rouge_l": 0.397, "cider": 0.456}}),
    PublishedModel("R2Gen", CLASSIFIER, figures={"iu_xray": {"meteor": 0.211, "rouge_l": 0.377, "cider": 0.438}}),
    PublishedModel("BiomedGPT", GENERATIVE, figures={"iu_xray": {"meteor": 0.146, "rouge_l": 0.302, "cider": 0.360}}),
)
"""Table 5 without the paper's own row, which is that of table 10 with both stages. 0 to 1, CIDEr 0 to 10."""
TRAINED = "56.63M"
"""Trained parameters of the paper's own rows of table 2."""
