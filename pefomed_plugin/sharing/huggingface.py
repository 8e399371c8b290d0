"""A Hugging Face data set: parquet shards with images, a card with ``dataset_info``, and our manifest to read it back.

``datasets.load_dataset(DIR)`` reads it, and so does any of our data sets under its own name. Nothing is uploaded.
"""

from __future__ import annotations

from pathlib import Path

from .. import __version__
from ..origins import manifest_origin
from ..readers.prepared import MANIFEST
from ..readers.shared import HUB_SPLITS, KIND
from ..reporting.cards import CARD
from ..reporting.cards.data_card import data_card
from ..storage import write_json, write_text
from .format import Shared, ToShare
from .images import as_it_is
from .parquet import features_of, images_column, write_parquet


def write_huggingface(to_share: ToShare, folder: Path) -> Shared:
    """The whole data set into ``folder``; the manifest last.

    Raises:
        UnusableImage: an image cannot be used.
    """
    shared = write_parquet(to_share, folder, as_it_is)
    write_text(folder / CARD, _card(to_share, shared))
    write_json(
        folder / MANIFEST,
        {
            "kind": KIND,
            "plugin_version": __version__,
            "dataset": to_share.dataset,
            "layout": to_share.manifest["layout"],
            "options": to_share.manifest.get("options") or {},
            "origin": manifest_origin(to_share.manifest),
            "images": images_column(to_share),
            "converted": dict(shared.converted),
            "files": {
                name: {key: value for key, value in vars(file).items() if key != "arrow_bytes"}
                for name, file in shared.files.items()
            },
        },
    )
    return shared


def _card(to_share: ToShare, shared: Shared) -> str:
    sizes = {split: shared.total(split, "arrow_bytes") for split in to_share.splits}
    info = {
        "features": features_of(to_share),
        "splits": [
            {"name": HUB_SPLITS[split], "num_bytes": size, "num_examples": shared.total(split, "samples")}
            for split, size in sizes.items()
        ],
        "download_size": sum(file.bytes for file in shared.files.values()),
        "dataset_size": sum(sizes.values()),
    }
    files = [{"split": HUB_SPLITS[split], "path": f"data/{HUB_SPLITS[split]}-*"} for split in to_share.splits]
    notes = [f"{count:,} images are PNG in place of what they were: {why}." for why, count in shared.converted.items()]
    notes += [f"{count:,} images {remark}." for remark, count in shared.remarks.items()]
    return data_card(
        to_share.manifest,
        front={"dataset_info": info, "configs": [{"config_name": "default", "data_files": files}]},
        form=(
            "Written by `pefomed share`, {origin}. The images are in the parquet files, "
            + ("byte for byte as they were" if not shared.converted else "byte for byte as they were but for")
            + ("." if not shared.converted else " those counted below.")
            + " `metadata` is JSON. `datasets.load_dataset(FOLDER)` reads the folder."
        ),
        notes=notes,
    )
