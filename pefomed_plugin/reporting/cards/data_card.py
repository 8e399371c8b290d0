"""The text of a prepared data set's card, from its manifest. Pure: reads nothing, writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...readers import DatasetSpec, describe
from ...readers.prepared import split_file
from .markdown import EMBEDDED, MARK, bullets, front_matter, join, licence, table

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_HUB_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def data_card(manifest: Mapping[str, Any]) -> str:
    """Text of a prepared data set's card."""
    source = describe(manifest["dataset"])
    broken = [
        (each["check"], each["expected"], each["found"]) for each in manifest.get("verdicts", ()) if not each["holds"]
    ]
    found = [
        (each["what"], f"{each['count']:,}", f"{each['of']:,}")
        for key in ("repetitions", "leaks")
        for each in manifest.get(key, ())
        if each["count"]
    ]
    lengths = [
        (each["split"], f"{each['count']:,}", f"{each['median']:g}", str(each["longest"]))
        for each in manifest.get("lengths", ())
    ]
    made = {
        "pefomed_plugin": manifest["plugin_version"],
        "layout": manifest["layout"],
        "options": json.dumps(manifest.get("options") or {}),
        "images": "opened and checked" if manifest.get("images_opened") else "not looked at",
    }
    parts = [
        front_matter(_data_front(manifest, source)),
        MARK,
        f"# {source.title} ({manifest['layout']})",
        EMBEDDED if manifest.get("embedded") else "",
        "Prepared by `pefomed prepare` from {}. One JSON object a line; the images stay in the release and are not "
        "here.".format(
            "generated data in that release's layout"
            if manifest.get("embedded")
            else source.url or "a folder of own data"
        ),
        "## Splits",
        table(("split", "samples", "median words", "longest"), lengths),
        "## Left out",
        table(("reason", "rows"), [(reason, f"{rows:,}") for reason, rows in manifest.get("skipped", {}).items()])
        or "Nothing.",
        "## Licence",
        *(
            ["Generated; BSD 3-Clause."]
            if manifest.get("embedded")
            else [source.licence[0].upper() + source.licence[1:] + ".", source.passing_on]
        ),
        "## What to know",
        bullets(source.quirks),
        "Figures of the published release that do not hold here:" if broken else "",
        table(("check", "expected", "found"), broken),
        "What occurs twice, and what of the held-out splits is in train:" if found else "",
        table(("", "samples", "of"), found),
        "Not for clinical use.",
        "## How it was made",
        table(("", ""), list(made.items())),
        table(
            ("file of the release", "SHA-256"),
            [(f"`{Path(each['path']).name}`", each["sha256"]) for each in manifest.get("sources", ())],
        ),
        "## How to cite",
        "- " + source.citation,
    ]
    return join(parts)


def _data_front(manifest: Mapping[str, Any], source: DatasetSpec) -> dict[str, Any]:
    total = sum(manifest["kept"].values())
    languages = list(source.languages({**source.defaults, **(manifest.get("options") or {})}))
    terms = licence("bsd-3-clause" if manifest.get("embedded") else source.licence_id)
    return {
        **terms,
        "pretty_name": source.title,
        **({"language": languages} if languages else {}),
        "task_categories": [source.hub_task],
        "size_categories": [next((name for limit, name in _SIZES if total < limit), "n>1M")],
        "tags": ["medical", *([source.specialty] if source.specialty else []), "pefomed"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": _HUB_SPLITS[split], "path": split_file(split)} for split in manifest["kept"]],
            }
        ],
    }
