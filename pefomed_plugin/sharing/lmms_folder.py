"""The folder of an lmms-eval task: a YAML of each split, ``utils.py``, and the rows as parquet beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..readers.shared import HUB_SPLITS
from ..storage import write_text
from .figures import MAX_TOKENS, names_of_figures
from .format import Shared, ToShare, task_name
from .forms import LMMS_EVAL, LMMS_TAG
from .images import unless_plain
from .lmms_task import metric_name
from .parquet import write_parquet
from .tasks import readme

_UTILS = '''"""{title} as lmms-eval tasks, written by pefomed share. Needs pefomed_plugin, whose scorers these are."""

from pefomed_plugin.sharing.lmms_task import (  # noqa: F401 - named by the YAML
    Scoring,
    doc_to_messages,
    doc_to_target,
    doc_to_text,
    doc_to_visual,
)

scoring = Scoring({figures!r})
process_results = scoring.process_results
'''


class _Function(str):
    """A name behind YAML's tag ``!function``."""


def write_lmms(to_share: ToShare, folder: Path) -> Shared:
    """``<task>.yaml``, ``utils.py`` and ``data/``. Raises UnusableImage: an image cannot be used."""
    shared = write_parquet(to_share, folder, unless_plain)
    figures: dict[tuple[str, str], bool] = {}
    for split, samples in to_share.splits.items():
        own = {
            (spec.name, figure): spec.measured_by(figure).higher_is_better
            for spec in to_share.scorers
            for figure in names_of_figures(spec, samples)
        }
        figures.update(own)
        name = task_name(to_share.dataset, split)
        write_text(folder / f"{name}.yaml", _yaml(_task(to_share, shared, split, own)))
    lines = [f'{metric_name(*key)} = scoring.aggregation("{metric_name(*key)}")\n' for key in figures]
    title = to_share.spec.title.replace('"', "'")
    write_text(folder / "utils.py", _UTILS.format(title=title, figures=list(figures)) + "".join(lines))
    write_text(folder / "README.md", readme(to_share, LMMS_EVAL))
    return shared


def _task(to_share: ToShare, shared: Shared, split: str, figures: Mapping[tuple[str, str], bool]) -> dict[str, Any]:
    return {
        "task": task_name(to_share.dataset, split),
        "tag": LMMS_TAG,
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {HUB_SPLITS[split]: list(shared.of_split(split))}},
        "test_split": HUB_SPLITS[split],
        "output_type": "generate_until",
        "doc_to_visual": _Function("utils.doc_to_visual"),
        "doc_to_text": _Function("utils.doc_to_text"),
        "doc_to_messages": _Function("utils.doc_to_messages"),
        "doc_to_target": _Function("utils.doc_to_target"),
        "process_results": _Function("utils.process_results"),
        # else rows come without their images, and nobody knows how many there are
        **({"process_results_use_image": True} if to_share.shows_several else {}),
        "generation_kwargs": {"max_new_tokens": MAX_TOKENS, "temperature": 0, "do_sample": False, "num_beams": 1},
        "metric_list": [
            {
                "metric": metric_name(*key),
                "aggregation": _Function("utils." + metric_name(*key)),
                "higher_is_better": is_better,
            }
            for key, is_better in figures.items()
        ],
        "metadata": {"version": 1.0, "pefomed_plugin": __version__, "dataset": to_share.dataset},
    }


def _yaml(content: Mapping[str, Any]) -> str:
    import yaml  # late: heavy

    class Dumper(yaml.SafeDumper):
        """Writes functions with their tag."""

    Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", str(name)))
    # Without line breaks in strings: lmms-eval's tag is read from one line.
    return "# Written by pefomed share; paths are those beside this file.\n" + yaml.dump(
        dict(content), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000
    )
