"""A folder for a study on one's own data: YAMLs, a README, a ``.gitignore`` and drawn examples. Trains nothing.

The files lie in ``configs/project/``; the examples are drawn here, so that a run works before there is any data. Where
data have been prepared already, the YAMLs name those.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from ..atomic import replacing
from ..errors import ConfigError
from ..readers.custom import MEDICAL_CUSTOM
from ..readers.prepared import read_prepared
from .console import quote_words

TEMPLATE = Path(__file__).resolve().parents[1] / "configs" / "project"
_NAMES = {"gitignore": ".gitignore"}
"""Template's name -> project's; a real ``.gitignore`` there would hide files of the package itself."""
VQA, REPORT, CAPTION = "vqa", "report", "caption"
TASKS: Mapping[str, Mapping[str, str]] = {
    VQA: {
        "task": "medical_vqa",
        "texts": "questions",
        "said": "questions and answers",
        "needed": "question` and `answer",
        "record": '{"id": "t1", "image": "scene_5.png", "question": "Is there a disc?", "answer": "yes", '
        '"study": "patient-5"}',
    },
    REPORT: {
        "task": "report_generation",
        "texts": "reports",
        "said": "reports",
        "needed": "report",
        "record": '{"id": "t1", "image": "scene_5.png", "report": "A bright square is seen.", "study": "patient-5"}',
    },
}
"""Task of ``--task`` -> what stands in the templates at ``@task@``, ``@texts@`` and so on; the first is the default."""
_CAPTIONS = "data/captions/"
_DATA_HEADING, _TRAIN_HEADING = "## The data\n\n", "## Train and evaluate\n\n"
"""Of the README."""
_NO_VAL = "[val] if you have one: the best epoch is kept"
_SIDE_PX = 96
_TRAIN = (("disc", "left", 0.2), ("disc", "right", 0.3), ("square", "left", 0.35), ("square", "right", 0.48))
_TEST = (("square", "left", 0.45), ("disc", "right", 0.5))
"""Shape, side, and its size as a share of the image's side: no image of the test split is one of training."""


@dataclass(frozen=True)
class OwnData:
    """What ``pefomed prepare`` wrote of own data, as a project needs to know it."""

    folder: Path
    task: str
    """A key of ``TASKS``, or ``CAPTION``: of stage 1."""
    counts: Mapping[str, int]
    """Split -> samples."""

    def words(self, project: Path) -> dict[str, str]:
        """What stands in the templates in the place of the drawn examples."""
        validated = "val" in self.counts
        storage = json.dumps(os.path.relpath(self.folder, project), ensure_ascii=False)
        if self.task == CAPTION:
            return {"captions": storage}
        return {
            "storage": storage,
            "valid": "[val]" if validated else "[]",
            "test": "[test]" if "test" in self.counts else "[]             # these data have no test split",
            "place": f"`{_CAPTIONS}` | your captions, for stage 1; what lies there now are drawn examples to replace",
            "whose": "data meet",
            "valid_said": "the best epoch is kept" if validated else "these data have no val split",
        }

    @property
    def section(self) -> str:
        """Of the README, in the place of how data are brought."""
        counts = ", ".join(f"{split} {count:,}" for split, count in self.counts.items())
        return (
            f"{_DATA_HEADING}`storage` in `stage2.yaml` and `evaluate.yaml` names `{self.folder}`, which `pefomed "
            f"prepare` wrote: {counts} sample(s).\n\n"
        )


def look_at_own_data(folder: Path) -> OwnData:
    """What own data, prepared, are.

    Raises:
        DataError: the folder is not one that ``pefomed prepare`` wrote, or not as it was written.
        ConfigError: it holds a data set that has YAMLs of its own, or texts of several tasks.
    """
    release = read_prepared(folder)
    if release.dataset != MEDICAL_CUSTOM.name:
        option = quote_words([f"datasets.{release.dataset}.build_info.storage={folder}"])
        raise ConfigError(
            f"{folder} holds {release.dataset}, which has YAMLs of its own; a project is for {MEDICAL_CUSTOM.name}",
            [f"train on it with pefomed train --options {option}"],
        )
    tasks = sorted({sample.task for sample in release.samples})
    if len(tasks) != 1:
        raise ConfigError(
            f"{folder} holds {' and '.join(tasks)}; a project is for one of them: prepare each by itself, from tables "
            "of its own"
        )
    return OwnData(folder, tasks[0], {split: len(rows) for split, rows in release.splits().items()})


def write_project(folder: Path, task: str = VQA, data: OwnData | None = None) -> list[Path]:
    """Write the project; the files, in order.

    Args:
        task: a key of ``TASKS``.
        data: named by the YAMLs in place of drawn examples; their task is the project's, but for captions.

    Raises:
        ConfigError: one of its files is there already; nothing was written.
        OSError: the folder cannot be written.
    """
    task = data.task if data and data.task != CAPTION else task
    own = f"data/{TASKS[task]['texts']}"
    words = {
        **TASKS[task],
        "storage": own,
        "captions": _CAPTIONS.rstrip("/"),
        "valid": "[]",
        "test": "[test]",
        "valid_said": _NO_VAL,
        "place": f"`{_CAPTIONS}`, `{own}/` | your data; what lies there now are drawn examples to replace",
        "whose": "examples meet",
    }
    texts = {_NAMES.get(path.name, path.name): path.read_text(encoding="utf-8") for path in sorted(TEMPLATE.iterdir())}
    examples = example_data(task)
    if data and data.task == CAPTION:
        words.update(
            data.words(folder), place=f"`{own}/` | your data; what lies there now are drawn examples to replace"
        )
        examples = {name: content for name, content in examples.items() if not name.startswith(_CAPTIONS)}
    elif data:
        words.update(data.words(folder))
        before, rest = texts["README.md"].split(_DATA_HEADING)
        texts["README.md"] = before + data.section + _TRAIN_HEADING + rest.split(_TRAIN_HEADING)[1]
        examples = {name: content for name, content in examples.items() if name.startswith(_CAPTIONS)}
    contents = {name: _filled(text, words) for name, text in texts.items()} | examples
    there = [name for name in contents if (folder / name).exists()]
    if there:
        raise ConfigError(
            f"{folder} holds a project already; choose another folder, nothing is overwritten",
            [f"{folder / name} is there" for name in there],
        )
    for name, content in contents.items():
        with replacing(folder / name) as file:
            file.write(content)
    return [folder / name for name in contents]


def _filled(template: str, words: Mapping[str, str]) -> bytes:
    for name, word in words.items():
        template = template.replace(f"@{name}@", word)
    return template.encode("utf-8")


def example_data(task: str = VQA) -> dict[str, bytes]:
    """Captions, and questions or reports, about drawn discs and squares, as files below the project's folder."""
    files: dict[str, bytes] = {}
    captions: list[dict[str, str]] = []
    texts: dict[str, list[dict[str, str]]] = {"train": [], "test": []}
    folder = TASKS[task]["texts"]
    for split, scenes in (("train", _TRAIN), ("test", _TEST)):
        for shape, side, size in scenes:
            number = len(files) + 1
            image = f"scene_{number}.png"
            files[f"data/{folder}/images/{image}"] = _draw(shape, side, size)
            about = {"image": image, "study": f"example-{number}"}
            said = f"A bright {shape} on the {side}."
            if task == REPORT:
                other = "disc" if shape == "square" else "square"
                texts[split].append({**about, "report": f"{said} No {other}."})
            else:
                texts[split] += [
                    {**about, "question": "Is there a disc?", "answer": "yes" if shape == "disc" else "no"},
                    {**about, "question": f"Which side is the {shape} on?", "answer": side},
                ]
            if split == "train":
                captions.append({**about, "caption": said})
    files.update(
        {
            name.replace(folder, "captions"): content
            for name, content in list(files.items())
            if Path(name).name in {row["image"] for row in captions}
        }
    )
    files[f"{_CAPTIONS}train.jsonl"] = _lines(captions)
    files.update({f"data/{folder}/{split}.jsonl": _lines(rows) for split, rows in texts.items()})
    return files


def _draw(shape: str, side: str, size: float) -> bytes:
    from PIL import Image, ImageDraw  # late: heavy

    image = Image.new("L", (_SIDE_PX, _SIDE_PX), 40)
    middle, half = _SIDE_PX * (0.25 if side == "left" else 0.75), _SIDE_PX * size / 2
    box = (middle - half, half, middle + half, 3 * half)
    draw = ImageDraw.Draw(image)
    (draw.ellipse if shape == "disc" else draw.rectangle)(box, fill=220)
    file = BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()


def _lines(rows: Sequence[Mapping[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode("utf-8")
