"""The forms to share in, each declared once. Loads none of the modules that write them."""

from __future__ import annotations

from ..errors import ConfigError, near_names
from ..readers.tables import PYARROW
from .format import ShareFormat

TASK_FILE = "pefomed_task.py"
"""Of inspect_ai's folder."""
CROISSANT_FILE = "croissant.json"
LMMS_TAG = "pefomed"
"""By which lmms-eval runs all tasks of a folder."""

HUGGINGFACE = ShareFormat(
    "huggingface",
    "a Hugging Face data set, parquet with images and card",
    "huggingface:write_huggingface",
    ("python", "-c", "import datasets; print(datasets.load_dataset({text}))"),
    needs=(PYARROW,),
)
CROISSANT = ShareFormat(
    "croissant",
    "the same, described in Croissant's JSON-LD",
    "croissant:write_croissant",
    ("mlcroissant", "validate", "--jsonld", f"{{out}}/{CROISSANT_FILE}"),
    needs=(PYARROW,),
)
INSPECT_AI = ShareFormat(
    "inspect_ai",
    "a task that asks any model and scores with our scorers",
    "inspect_folder:write_inspect",
    ("inspect", "eval", f"{{out}}/{TASK_FILE}", "--model", "PROVIDER/MODEL"),
    is_task=True,
    takes_patterns=True,
)
LMMS_EVAL = ShareFormat(
    "lmms_eval",
    "likewise for lmms-eval",
    "lmms_folder:write_lmms",
    ("python", "-m", "lmms_eval", "--include_path", "{out}", "--tasks", LMMS_TAG, "--model", "MODEL"),
    is_task=True,
    needs=(PYARROW,),
)
FORMATS: dict[str, ShareFormat] = {form.name: form for form in (HUGGINGFACE, CROISSANT, INSPECT_AI, LMMS_EVAL)}
"""Name -> what is declared of it."""


def find_format(name: str) -> ShareFormat:
    """The form that a user named.

    Raises:
        ConfigError: there is none; names the near ones.
    """
    if name not in FORMATS:
        raise ConfigError(f"unknown form {name!r} to share in; {near_names(name, FORMATS)}")
    return FORMATS[name]
