"""Text within images: read by OCR where a package for it is installed (extra ``privacy``), else guessed.

The guess looks for what lines of text have and anatomy has not: in a band of rows many short runs of bright pixels,
of about one width, on a background that is even. It says that there may be text, never which.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Callable

from ...errors import ConfigError
from .patterns import find_spans

if TYPE_CHECKING:
    from PIL import Image

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""
NONE, AUTO = "none", "auto"
CHOICES = (AUTO, "rapidocr", "tesseract", NONE)
_HARMLESS = re.compile(
    r"^(?:L|R|AP|PA|LL|RL|LAT(?:ERAL)?|LEFT|RIGHT|ERECT|UPRIGHT|SUPINE|PRONE|SITTING|SEMI|PORTABLE|MOBILE|"
    r"DECUB\w*|INSP\w*|EXP\w*|AXIAL|SAG\w*|"
    r"COR\w*|ANTERIOR|POSTERIOR|HEAD|FOOT|LIEGEND|STEHEND|SITZEND|LINKS|RECHTS|"
    r"(?:WL|WW|W|C|L|SE|IM)\s?:?\s?-?\d+|\d+\s?/\s?\d+|"
    r"-?\d+(?:[.,]\d+)?\s?(?:mm|cm|kV|mA|mAs|ms|s|Hz|MHz|dB|fps|%|°)?|\W+)$",
    re.IGNORECASE,
)
_LEAST_SURE = 0.5


@dataclass(frozen=True)
class ReadText:
    """A text that OCR read."""

    text: str
    box: Box

    @property
    def kind(self) -> str:
        """The kind that its words have by the patterns, ``description`` for other words, empty for a side mark."""
        spans, _ = find_spans(self.text)
        if spans:
            return spans[0].kind
        letters = sum(letter.isalnum() for letter in self.text)
        return "" if letters < 4 or _HARMLESS.match(self.text.strip()) else "description"


@dataclass(frozen=True)
class Reader:
    """How texts in images are looked for."""

    words: str
    """For people."""
    read: Callable[[Image.Image], Sequence[ReadText]] | None
    """None: no OCR; the pixels are looked at by ``may_hold_text``."""


def find_reader(choice: str = AUTO) -> Reader:
    """The OCR of that choice; ``auto``: the first that is installed.

    Raises:
        ConfigError: one is asked for that is not installed.
    """
    if choice in (AUTO, "rapidocr") and find_spec("rapidocr_onnxruntime") is not None:
        return Reader("OCR by RapidOCR", _rapidocr())
    if choice in (AUTO, "tesseract") and find_spec("pytesseract") is not None and shutil.which("tesseract"):
        return Reader("OCR by Tesseract", _tesseract)
    if choice in ("rapidocr", "tesseract"):
        packages = {
            "rapidocr": "pip install rapidocr-onnxruntime",
            "tesseract": "pip install pytesseract, and tesseract",
        }
        raise ConfigError(f"--ocr {choice}: it is not installed: {packages[choice]}; or --ocr none")
    return Reader("no OCR: the header's BurnedInAnnotation and a guess from the pixels", None)


def _rapidocr() -> Callable[[Image.Image], Sequence[ReadText]]:
    import numpy as np  # late: heavy
    from rapidocr_onnxruntime import RapidOCR  # late: optional

    engine = RapidOCR()

    def read(image: Image.Image) -> Sequence[ReadText]:
        found, _ = engine(np.asarray(image.convert("RGB")))
        texts = []
        for corners, text, sure in found or ():
            if float(sure) >= _LEAST_SURE:
                across, down = [int(x) for x, _ in corners], [int(y) for _, y in corners]
                texts.append(ReadText(str(text), (min(across), min(down), max(across) + 1, max(down) + 1)))
        return texts

    return read


def _tesseract(image: Image.Image) -> Sequence[ReadText]:
    import pytesseract  # late: optional

    data = pytesseract.image_to_data(image.convert("L"), output_type=pytesseract.Output.DICT, config="--psm 11")
    lines: dict[Any, list[int]] = {}
    for number, text in enumerate(data["text"]):
        if text.strip() and float(data["conf"][number]) >= 100 * _LEAST_SURE:
            key = tuple(data[name][number] for name in ("block_num", "par_num", "line_num"))
            lines.setdefault(key, []).append(number)
    return [
        ReadText(
            " ".join(data["text"][one] for one in words),
            (
                min(data["left"][one] for one in words),
                min(data["top"][one] for one in words),
                max(data["left"][one] + data["width"][one] for one in words),
                max(data["top"][one] + data["height"][one] for one in words),
            ),
        )
        for words in lines.values()
    ]


_LEAST_LETTERS, _LEAST_ROWS, _MOST_ROWS = 6, 5, 64
"""Of a line of text: letters beside each other, and its height in pixels."""
_STROKE, _CONTRAST, _LONGEST_SIDE = 9, 70, 1536
"""Width in pixels that no stroke of a letter has, by how much it stands out, and to what larger images are shrunk."""
_MOST_RUNS = 200_000
Letter = tuple[int, int, int, int]
"""Top, bottom, left, right of what may be one."""


def may_hold_text(image: Image.Image) -> bool:
    """Whether an image may hold a line of text, bright or dark: a guess, for where no OCR is installed."""
    import numpy as np  # late: heavy
    from PIL import Image, ImageChops  # late: heavy

    grey = image.convert("L")
    if image.mode in ("RGB", "RGBA", "P"):  # blue and red letters are dark in grey
        red, green, blue = image.convert("RGB").split()
        grey = ImageChops.lighter(grey, ImageChops.lighter(red, ImageChops.lighter(green, blue)))
    grey.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    if min(grey.size) < _STROKE:
        return False
    turned = grey.transpose(Image.Transpose.TRANSPOSE)  # letters of a line from top to bottom stand beside each other
    for pixels in (np.asarray(grey), np.asarray(turned)):
        for shown in (pixels, 255 - pixels):
            areas = _spread(_spread(shown, np.minimum), np.maximum)  # an opening: thin strokes go, areas stay
            strokes = shown > areas.astype(np.int16) + _CONTRAST
            letters = [
                box for box in _pieces(strokes) if _LEAST_ROWS <= box[1] - box[0] <= _MOST_ROWS >= box[3] - box[2]
            ]
            if _in_a_line(letters):
                return True
    return False


def _spread(pixels: Any, extreme: Any) -> Any:
    """The smallest or largest of the ``_STROKE`` x ``_STROKE`` pixels around each."""
    import numpy as np  # late: heavy

    half = _STROKE // 2
    for axis in (0, 1):
        width, grown = 1, np.pad(pixels, [(half, half) if one == axis else (0, 0) for one in (0, 1)], mode="edge")
        while width < _STROKE:
            step = min(width, _STROKE - width)
            size = grown.shape[axis]
            grown = extreme(np.take(grown, range(size - step), axis), np.take(grown, range(step, size), axis))
            width += step
        pixels = grown
    return pixels


def _pieces(mask: Any) -> list[Letter]:
    """Boxes around what hangs together in a mask: runs of a row that touch one of the row above."""
    import numpy as np  # late: heavy

    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    if not _LEAST_LETTERS <= len(rows) <= _MOST_RUNS:
        return []
    boxes: list[list[int]] = []
    joined: list[int] = []
    above: list[tuple[int, int, int]] = []  # start, end, piece
    here: list[tuple[int, int, int]] = []
    last = -2
    for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist()):
        if row != last:
            above, here, last = (here if row == last + 1 else []), [], row
        piece = len(boxes)
        boxes.append([row, row + 1, start, end])
        joined.append(piece)
        for other_start, other_end, other in above:
            if other_start <= end and start <= other_end:
                piece = _join(boxes, joined, piece, other)
        here.append((start, end, piece))
    return [(top, bottom, left, right) for at, (top, bottom, left, right) in enumerate(boxes) if joined[at] == at]


def _join(boxes: list[list[int]], joined: list[int], one: int, other: int) -> int:
    """Two pieces as one; which it is now."""
    while joined[one] != one:
        one = joined[one]
    while joined[other] != other:
        other = joined[other]
    if one != other:
        joined[one] = other
        kept, gone = boxes[other], boxes[one]
        boxes[other] = [
            min(kept[0], gone[0]),
            max(kept[1], gone[1]),
            min(kept[2], gone[2]),
            max(kept[3], gone[3]),
        ]
    return other


def _in_a_line(boxes: Sequence[Letter]) -> bool:
    """Whether enough of them stand beside each other: of one height, on one base line, a letter's width apart."""
    by_base: dict[int, list[Letter]] = {}
    for box in boxes:
        for base in (box[1] - 1, box[1], box[1] + 1):
            by_base.setdefault(base, []).append(box)
    for row in by_base.values():
        row.sort(key=lambda box: box[2])
        run = 1
        for left, right in zip(row, row[1:]):
            height, other = left[1] - left[0], right[1] - right[0]
            near = right[2] - left[3] <= 1.2 * max(height, other)
            alike = 0.6 <= height / other <= 1.7
            run = run + 1 if near and alike and right[2] >= left[3] - 2 else 1
            if run >= _LEAST_LETTERS:
                return True
    return False
