"""Croissant 1.0 (mlcommons.org/croissant/1.0): JSON-LD beside a Hugging Face data set that says what its files hold.

One ``RecordSet`` a split, one ``FileObject`` with its SHA-256 a parquet file. Written without ``mlcroissant``, which
validates and reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .. import __version__
from ..origins import GENERATED, manifest_origin
from ..readers.shared import HUB_SPLITS, ONE, SEVERAL, TEXTS, columns_of
from ..storage import write_text
from .format import Shared, SharedFile, ToShare
from .forms import CROISSANT_FILE
from .huggingface import write_huggingface
from .parquet import images_column

_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""As the specification gives it."""
_MEDIA = "application/x-parquet"
_SAYS = {
    ONE: "the image",
    SEVERAL: "the images, in the order in which they are shown",
    "id": "unique over all splits",
    "views": "what each image is called, parallel to images",
    "task": "vqa, report or caption",
    "question": "as released; none for reports and captions",
    "answer": "the reference: answer, report or caption",
    "answer_type": "OPEN or CLOSED",
    "question_type": "as released",
    "organ": "imaged organ or region",
    "phrase_type": "how the question is worded",
    "dataset": "name of the data set",
    "metadata": "what else is known, as JSON",
}


def write_croissant(to_share: ToShare, folder: Path) -> Shared:
    """A Hugging Face data set and ``croissant.json`` in ``folder``. Raises as ``write_huggingface``."""
    shared = write_huggingface(to_share, folder)
    text = json.dumps(_document(to_share, shared), indent=2, ensure_ascii=False)
    write_text(folder / CROISSANT_FILE, text + "\n")
    return shared


def _document(to_share: ToShare, shared: Shared) -> dict[str, Any]:
    spec, is_generated = to_share.spec, manifest_origin(to_share.manifest) == GENERATED
    by_split = {split: list(shared.of_split(split)) for split in to_share.splits}
    options = {**spec.defaults, **(to_share.manifest.get("options") or {})}
    languages = list(spec.languages(options))
    terms = "BSD-3-Clause" if is_generated else spec.licence if spec.licence_id == "other" else spec.licence_id
    said = "Generated data in the layout of that release: not a result of anything. " if is_generated else ""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": to_share.dataset,
        "description": f"{said}{spec.title}, prepared and shared by pefomed {__version__}. {spec.passing_on}".strip(),
        "license": terms,
        **({"url": spec.url} if spec.url else {}),
        "citeAs": spec.citation,
        "version": "1.0.0",
        "datePublished": datetime.now(timezone.utc).date().isoformat(),
        **({"inLanguage": languages} if languages else {}),
        "keywords": ["medical", *([spec.specialty] if spec.specialty else [])],
        "distribution": [_file_object(name, file) for name, file in shared.files.items()]
        + [_file_set(split) for split, names in by_split.items() if len(names) > 1],
        "recordSet": [_record_set(split, names, images_column(to_share)) for split, names in by_split.items()],
    }


def _file_object(name: str, file: SharedFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _MEDIA,
        "sha256": file.sha256,
    }


def _file_set(split: str) -> dict[str, Any]:
    """All files of a split that has several."""
    return {
        "@type": "cr:FileSet",
        "@id": f"files-{split}",
        "name": f"files-{split}",
        "encodingFormat": _MEDIA,
        "includes": f"data/{HUB_SPLITS[split]}-*.parquet",
    }


def _record_set(split: str, names: Sequence[str], images: str) -> dict[str, Any]:
    source = {"fileObject": {"@id": names[0]}} if len(names) == 1 else {"fileSet": {"@id": f"files-{split}"}}
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"the {split} split, one record a sample",
        "key": {"@id": f"{split}/id"},
        "field": [_field(split, column, kind, source) for column, kind in columns_of(images).items()],
    }


def _field(split: str, column: str, kind: str, source: Mapping[str, Any]) -> dict[str, Any]:
    is_image = kind in (ONE, SEVERAL)
    return {
        "@type": "cr:Field",
        "@id": f"{split}/{column}",
        "name": column,
        "description": _SAYS[column],
        "dataType": "sc:ImageObject" if is_image else "sc:Text",
        **({"repeated": True} if kind in (SEVERAL, TEXTS) else {}),
        "source": {
            **source,
            "extract": {"column": column},
            **({"transform": {"jsonPath": "bytes"}} if is_image else {}),
        },
    }
