"""A folder for a study on one's own data: YAMLs, a README, a ``.gitignore`` and drawn examples. Trains nothing.

The files lie in ``configs/project/``; the examples are drawn here, so that a run works before there is any data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from ..atomic import replacing
from ..errors import ConfigError

TEMPLATE = Path(__file__).resolve().parents[1] / "configs" / "project"
_NAMES = {"gitignore": ".gitignore"}
"""Template's name -> project's; a real ``.gitignore`` there would hide files of the package itself."""
VQA, REPORT = "vqa", "report"
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
_SIDE_PX = 96
_TRAIN = (("disc", "left", 0.2), ("disc", "right", 0.3), ("square", "left", 0.35), ("square", "right", 0.48))
_TEST = (("square", "left", 0.45), ("disc", "right", 0.5))
"""Shape, side, and its size as a share of the image's side: no image of the test split is one of training."""


def write_project(folder: Path, task: str = VQA) -> list[Path]:
    """Write the project; the files, in order.

    Args:
        task: a key of ``TASKS``.

    Raises:
        ConfigError: one of its files is there already; nothing was written.
        OSError: the folder cannot be written.
    """
    contents = {
        _NAMES.get(path.name, path.name): _filled(path.read_text(encoding="utf-8"), TASKS[task])
        for path in sorted(TEMPLATE.iterdir())
    }
    contents.update(example_data(task))
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
    files["data/captions/train.jsonl"] = _lines(captions)
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
