"""The same images as a data set of a checkout and as ours; ``minigpt4`` is imported when its one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def checkout_dataset(spec: Mapping[str, Any]) -> Any:
    """The checkout's own way: its OCR-VQA data set (open, convert to RGB, processor) with its processors."""
    from minigpt4.datasets.datasets.ocrvqa_dataset import OCRVQADataset
    from minigpt4.processors.blip_processors import Blip2ImageTrainProcessor, BlipCaptionProcessor

    return OCRVQADataset(
        Blip2ImageTrainProcessor(spec["image_size"]), BlipCaptionProcessor(), spec["folder"], spec["annotations"]
    )


def own_dataset(spec: Mapping[str, Any]) -> Any:
    """Ours, opening each image each time."""
    from pefomed_plugin.adapters.data.datasets import MedicalDataset
    from pefomed_plugin.adapters.data.text_processor import MedicalTextProcessor
    from pefomed_plugin.records import Sample
    from pefomed_plugin.toolkit.bundled.processors import Blip2ImageTrainProcessor
    from projects.benchmarks.data_path.photographs import question

    samples = [
        Sample(f"s{number}", "photographs", "train", name, "vqa", question(name), "yes")
        for number, name in enumerate(spec["names"])
    ]
    return MedicalDataset(
        "photographs",
        samples,
        Path(spec["folder"]),
        Blip2ImageTrainProcessor(spec["image_size"]),
        MedicalTextProcessor(),
        draws_instructions=True,
    )
