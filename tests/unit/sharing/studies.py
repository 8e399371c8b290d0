"""Own data of many kinds of images, prepared: two views of a study, 16 bits, TIFF, transparent, turned; invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pefomed_plugin.origins import mark_generated
from pefomed_plugin.readers.custom import MEDICAL_CUSTOM
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from pefomed_plugin.services.data.prepare import prepare
from tests.unit.services.small import LEAKY, small_image, write_rad


def prepared_rad(folder: Path) -> Path:
    """A small VQA-RAD, marked as generated: 4 training and 3 test questions about 4 images."""
    source = write_rad(folder / "sample" / "vqa_rad", LEAKY)
    mark_generated(folder / "sample", {})
    prepare(VQA_RAD, source, folder / "prepared")
    return folder / "prepared"


def prepared_studies(folder: Path, *, generated: bool = True, **more: Any) -> Path:
    """Five reports, one of two images; ``more`` is written into each record."""
    root = folder / "studies"
    (root / "images" / "Doe_Jane").mkdir(parents=True)
    small_image(1).save(root / "images" / "Doe_Jane" / "front.png")
    small_image(2).save(root / "images" / "side.jpg")
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 900).save(root / "images" / "deep.png")
    small_image(3).save(root / "images" / "scan.tif")
    clear = small_image(4).convert("RGBA")
    clear.putalpha(128)
    clear.save(root / "images" / "clear.png")
    turned = small_image(5)
    exif = turned.getexif()
    exif[274] = 6
    turned.save(root / "images" / "turned.jpg", exif=exif)
    shown: list[Any] = [{"frontal": "Doe_Jane/front.png", "lateral": "side.jpg"}]
    shown += ["deep.png", "scan.tif", "clear.png", "turned.jpg"]
    records = [
        {
            "id": number,
            "images": images if isinstance(images, dict) else [images],
            "report": f"Report {number}.",
            **more,
        }
        for number, images in enumerate(shown)
    ]
    (root / "test.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    if generated:
        mark_generated(root, {})
    prepare(MEDICAL_CUSTOM, root, folder / "prepared_studies")
    return folder / "prepared_studies"
