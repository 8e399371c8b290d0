"""How much of planted health information ``pefomed privacy`` finds, and how often it raises a false alarm.

    python -m projects.benchmarks.privacy [--names own|presidio] [--ocr none|rapidocr|tesseract] [--texts 400]

All of it is generated: persons, numbers, reports, images. Names are drawn from lists of which the program knows a part;
every fifth thing is planted in a context that none of its patterns is made for. Found is what a finding overlaps,
whatever its kind. A false alarm is a finding that overlaps nothing planted.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from pefomed_plugin.services.privacy.burned_in import Reader, find_reader, may_hold_text
from pefomed_plugin.services.privacy.dicom_headers import action_of, look_at, profile
from pefomed_plugin.services.privacy.recognisers import Recogniser, find_recogniser
from pefomed_plugin.services.privacy.scanning import identifying
from pefomed_plugin.services.privacy.sources import spans_of_name

from .planting import FAMILY, GIVEN, make_text

Row = tuple[str, int, int, int]
"""Kind, found, planted, found to the last letter (-1: not asked)."""
_NOT_TEXTS = ("SQ", "OB", "OW", "UN", "IS", "DS", "US", "SS", "UL", "SL", "FL", "FD", "AT")


def count_texts(recogniser: Recogniser, count: int, language: str, unforeseen: bool) -> tuple[list[Row], int, int]:
    """By kind what is planted, found, and found to its last letter; false alarms; words."""
    rng = Random(f"privacy {language} {unforeseen}")
    planted: Counter = Counter()
    found: Counter = Counter()
    whole: Counter = Counter()
    alarms = words = 0
    for _ in range(count):
        made = make_text(language, rng, unforeseen)
        spans, _ = recogniser.find(made.text)
        words += len(made.text.split())
        for start, end, kind in made.places:
            planted[kind] += 1
            found[kind] += any(span.start < end and start < span.end for span in spans)
            covered = {place for span in spans for place in range(span.start, span.end)}
            whole[kind] += all(place in covered or made.text[place] in " ,-/()+" for place in range(start, end))
        alarms += sum(all(span.end <= start or end <= span.start for start, end, _ in made.places) for span in spans)
    return [(kind, found[kind], planted[kind], whole[kind]) for kind in sorted(planted)], alarms, words


def show(title: str, rows: Sequence[Row], alarms: str) -> None:
    """One block of the table."""
    print(f"{title}")
    for kind, found, planted, whole in rows:
        part = "" if whole < 0 else f"  whole {100 * whole / max(planted, 1):5.1f} %"
        print(f"  {kind:<14}{found:>6,} of {planted:>6,}  {100 * found / max(planted, 1):5.1f} %{part}")
    print(f"  false alarms: {alarms}\n")


def headers(recogniser: Recogniser) -> None:
    """Every attribute of the profile with a value, one file each; then headers that hold nothing of the kind."""
    from pydicom.datadict import dictionary_VR
    from pydicom.dataset import Dataset

    values: dict[str, Any] = {
        "CS": "VALUE",
        "UR": "http://example.org/a",
        "AS": "045Y",
        "DA": "20190304",
        "DT": "20190304101112",
        "TM": "101112",
        "PN": "MUELLER^HANS",
        "UI": "1.2.276.0.7230010.3.1.4.8323329.1",
    }
    planted: Counter = Counter()
    found: Counter = Counter()
    rng = Random("headers")
    for name in profile():
        if "x" in name:
            continue
        tag, vr = int(name, 16), dictionary_VR(int(name, 16)).split(" or ")[0]
        if vr in _NOT_TEXTS or tag >> 16 in (0x0000, 0x0002):
            continue
        dataset = Dataset()
        dataset.add_new(tag, vr, values.get(vr, f"Value {rng.randrange(10**4)}"))
        kind = {"PN": "persons", "DA": "dates, times", "DT": "dates, times", "TM": "dates, times", "UI": "UIDs"}.get(
            vr, "texts"
        )
        planted[kind] += 1
        found[kind] += bool(look_at(dataset, recogniser)[0])
    alarms = 0
    for number in range(100):
        dataset = Dataset()
        dataset.Modality, dataset.BodyPartExamined, dataset.PatientPosition = "CT", "CHEST", "HFS"
        dataset.Rows = dataset.Columns = 512
        dataset.SliceThickness, dataset.KVP, dataset.InstanceNumber = "1.5", "120", str(number)
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.ConvolutionKernel, dataset.ScanOptions = "B30f", "HELIX"
        alarms += len(look_at(dataset, recogniser)[0])
    assert action_of(0x00091001) == "X"
    show(
        "DICOM attributes of the profile",
        [(kind, found[kind], planted[kind], -1) for kind in planted],
        f"{alarms} in 100 clean headers",
    )


def images(reader: Reader, count: int) -> None:
    """Drawings of chests and heads, half of them with a line of text."""
    hits = alarms = 0
    for has_text, image in _images(Random("burned in"), count):
        seen = bool(identifying(reader.read(image))) if reader.read else may_hold_text(image)
        hits += seen and has_text
        alarms += seen and not has_text
    show("text within images", [("images", hits, count, -1)], f"{alarms} of {count} images without text")


def _images(rng: Random, count: int) -> Iterator[tuple[bool, Any]]:
    import numpy as np
    from PIL import Image, ImageDraw

    from pefomed_plugin.embedded.drawing import draw as paint
    from pefomed_plugin.embedded.scenes import CHEST, HEAD_CT, draw_scene

    for number in range(2 * count):
        scene = draw_scene(rng.choice([CHEST, HEAD_CT]), rng)
        base = paint(scene).convert("L").resize((512, 512))
        noise = np.random.default_rng(number).normal(0, rng.choice([2, 6, 12]), (512, 512))
        image = Image.fromarray(np.clip(np.asarray(base, float) + noise, 0, 255).astype("uint8"))
        draw = ImageDraw.Draw(image)
        draw.text((20, 240), rng.choice("LR"), fill=230, font_size=28)  # a side mark, which is no finding
        if number % 2:
            name = f"{rng.choice(FAMILY['en']).upper()}^{rng.choice(GIVEN['en']).upper()}"
            text = rng.choice(
                [
                    name,
                    f"{name} {rng.randrange(10, 28)}.0{rng.randrange(1, 9)}.19{rng.randrange(30, 99)}",
                    f"ID {rng.randrange(10**6, 10**7)}",
                ]
            )
            place = (rng.randrange(0, 200), rng.choice([4, 20, 460, 480]))
            draw.text(place, text, fill=rng.choice([255, 220, 180]), font_size=rng.choice([10, 14, 18, 24]))
        yield bool(number % 2), image


def file_names(count: int) -> None:
    """Names of files with persons, dates or numbers; and those of releases and scanners."""
    rng = Random("files")
    hits = 0
    for _ in range(count):
        language = rng.choice(["en", "de"])
        given, family = rng.choice(GIVEN[language]), rng.choice(FAMILY[language])
        stem = rng.choice(
            [
                f"{family}_{given}_CT",
                f"{given.lower()}-{family.lower()}",
                f"CT_{rng.randrange(1930, 2020)}0412",
                f"pat {rng.randrange(10**6, 10**8)}",
            ]
        )
        hits += bool(spans_of_name(stem + ".dcm"))
    clean = [f"synpic{rng.randrange(10**5)}.jpg" for _ in range(20)] + [f"xmlab{number}" for number in range(20)]
    clean += [f"s5{rng.randrange(10**7):07d}.txt" for _ in range(20)] + [
        f"chest_{number}_frontal.png" for number in range(20)
    ]
    clean += [f"CXR{number}_IM-{number:04d}-1001.dcm.png" for number in range(20)]
    alarms = sum(bool(spans_of_name(name)) for name in clean)
    show("names of files", [("files", hits, count, -1)], f"{alarms} of {len(clean)} names of releases")


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", default="own")
    parser.add_argument("--ocr", default="none")
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--images", type=int, default=100)
    given = parser.parse_args()
    recogniser, reader = find_recogniser(given.names), find_reader(given.ocr)
    print(f"names: {recogniser.words}\ntext in images: {reader.words}\n")
    for language in ("en", "de"):
        for unforeseen in (False, True):
            rows, alarms, words = count_texts(recogniser, given.texts, language, unforeseen)
            title = f"texts, {language}, {'unforeseen contexts' if unforeseen else 'usual contexts'}"
            show(title, rows, f"{alarms:,} in {words:,} words")
    headers(recogniser)
    images(reader, given.images)
    file_names(400)


if __name__ == "__main__":
    main()
