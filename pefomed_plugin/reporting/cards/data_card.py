"""The text of a prepared data set's card, from its manifest. Pure: reads nothing, writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from ...origins import GENERATED, Origins, manifest_origin
from ...readers import DatasetSpec, describe
from ...readers.prepared import split_file
from ...readers.shared import HUB_SPLITS
from ...readers.spec import hub_task
from ..rendering import to_markdown
from ..table import COUNT, FIGURE, Cell, Code, Column, Table
from . import MARK, bullets, front_matter, join, licence, warning

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LENGTHS = (
    Column("split", itemgetter("split")),
    Column("samples", itemgetter("count"), COUNT),
    Column("median words", lambda length: Cell(length["median"], digits=int(length["median"] % 1 > 0)), FIGURE),
    Column("longest", itemgetter("longest"), COUNT),
)
_SKIPPED = (Column("reason", itemgetter(0)), Column("rows", itemgetter(1), COUNT))
_VIEWS = (
    Column("split", itemgetter(0)),
    Column("shown together", itemgetter(1)),
    Column("samples", itemgetter(2), COUNT),
)
_FINDINGS = (
    Column("", itemgetter("what")),
    Column("samples", itemgetter("count"), COUNT),
    Column("of", itemgetter("of"), COUNT),
)
_SOURCES = (
    Column("file of the release", lambda source: Code(Path(source["path"]).name)),
    Column("SHA-256", lambda source: Code(source["sha256"])),
)
_PREPARED = (
    "Prepared by `pefomed prepare` {origin}. One JSON object per line; the images stay in the release and are not here."
)


def data_card(
    manifest: Mapping[str, Any],
    *,
    form: str = _PREPARED,
    front: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Text of a prepared data set's card.

    Args:
        form: how it lies here, with ``{origin}`` where it says what it was made from.
        front: of the YAML block, in place of the files of a prepared folder.
        notes: what to know besides.
    """
    source, is_generated = describe(manifest["dataset"]), manifest_origin(manifest) == GENERATED
    broken = [check for check in manifest.get("verdicts", ()) if not check["holds"]]
    found = [finding for key in ("repetitions", "leaks") for finding in manifest.get(key, ()) if finding["count"]]
    left_out: Mapping[str, int] = manifest.get("notes") or {}
    made = {
        "pefomed_plugin": manifest["plugin_version"],
        "layout": manifest["layout"],
        "options": json.dumps(manifest.get("options") or {}),
        "images": "opened and checked" if manifest.get("images_opened") else "not looked at",
    }
    origin = "generated data in that release's layout" if is_generated else source.url or "a folder of own data"
    parts = [
        front_matter({**_data_front(manifest, source), **(front or _prepared_files(manifest))}),
        MARK,
        f"# {source.title} ({manifest['layout']})",
        warning(Origins({manifest["dataset"]: manifest_origin(manifest)})),
        form.replace("{origin}", f"from {origin}"),
        "## Splits",
        to_markdown(Table("", _LENGTHS, manifest.get("lengths", ()))),
        to_markdown(Table("", _VIEWS, _views(manifest))),
        "## Left out",
        to_markdown(Table("", _SKIPPED, list(manifest.get("skipped", {}).items()))) or ("" if left_out else "Nothing."),
        bullets([f"{count:,} {what}" for what, count in left_out.items()]),
        "## Licence",
        *(
            ["Generated; BSD 3-Clause."]
            if is_generated
            else [source.licence[0].upper() + source.licence[1:] + ".", source.passing_on]
        ),
        "## What to know",
        bullets([*source.quirks, *notes]),
        "Figures of the published release that do not hold here:" if broken else "",
        to_markdown(Table("", [Column(key, itemgetter(key)) for key in ("check", "expected", "found")], broken)),
        "What occurs twice, and what of the held-out splits is in train:" if found else "",
        to_markdown(Table("", _FINDINGS, found)),
        "Not for clinical use.",
        "## How it was made",
        to_markdown(Table("", [Column("", itemgetter(0)), Column("", itemgetter(1))], list(made.items()))),
        to_markdown(Table("", _SOURCES, manifest.get("sources", ()))),
        "## How to cite",
        "- " + source.citation,
    ]
    return join(parts)


def _views(manifest: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Split, what samples of several images show, and how many do."""
    found: Mapping[str, Mapping[str, int]] = manifest.get("views") or {}
    return [(split, shown, count) for split, views in found.items() for shown, count in views.items()]


def _data_front(manifest: Mapping[str, Any], source: DatasetSpec) -> dict[str, Any]:
    total = sum(manifest["kept"].values())
    languages = list(source.languages({**source.defaults, **(manifest.get("options") or {})}))
    terms = licence("bsd-3-clause" if manifest_origin(manifest) == GENERATED else source.licence_id)
    return {
        **terms,
        "pretty_name": source.title,
        **({"language": languages} if languages else {}),
        "task_categories": sorted({hub_task(name) for name in manifest.get("tasks") or ()}) or [source.hub_task],
        "size_categories": [next((name for limit, name in _SIZES if total < limit), "n>1M")],
        "tags": ["medical", *([source.specialty] if source.specialty else []), "pefomed"],
    }


def _prepared_files(manifest: Mapping[str, Any]) -> dict[str, Any]:
    files = [{"split": HUB_SPLITS[split], "path": split_file(split)} for split in manifest["kept"]]
    return {"configs": [{"config_name": "default", "data_files": files}]}
