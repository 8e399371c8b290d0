"""What the numbers of a column of class labels stand for, as ``datasets`` or the hub's card says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import DataError, one_line
from ...input_files import read_bytes
from ...json_text import parse_json
from ...readers.textfiles import read_json_object

_INFO, _CARD = "dataset_info.json", "README.md"


def class_names(path: Path, schema: Any) -> dict[str, tuple[str, ...]]:
    """Column -> names of its classes, by number: of the file itself, else of ``dataset_info.json``, else of the YAML
    in the card, beside the file or above it.

    Args:
        schema: pyarrow's, of the file.

    Raises:
        DataError: ``dataset_info.json`` or the card's YAML cannot be read.
    """
    folders = (path.parent, path.parent.parent)
    for features in (
        _in_file(schema),
        *(read_json_object(folder / _INFO, {}).get("features") for folder in folders if (folder / _INFO).is_file()),
        *(_in_card(folder / _CARD, path) for folder in folders if (folder / _CARD).is_file()),
    ):
        if features and isinstance(features, dict):
            found = ((column, feature) for column, feature in features.items() if isinstance(feature, dict))
            return {
                column: tuple(map(str, feature["names"]))
                for column, feature in found
                if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
            }
    return {}


def _in_file(schema: Any) -> Any:
    written = (schema.metadata or {}).get(b"huggingface")
    try:
        return parse_json(written)["info"]["features"] if written else None
    except (ValueError, KeyError, TypeError):
        return None


def _in_card(card: Path, path: Path) -> dict[str, Any]:
    """The features of the card's ``dataset_info``, as the file itself would have them; of several configurations those
    of the one whose name a folder of the file has.

    Raises:
        DataError: the YAML cannot be read, or does not number a column's classes from 0.
    """
    import yaml  # late: heavy

    front, fence, _ = read_bytes(card).partition(b"\n---")
    if not fence or not front.startswith(b"---"):
        return {}
    try:
        said = yaml.load(front, Loader=yaml.BaseLoader)  # texts alone: a class called "no" is not False
        infos = said.get("dataset_info") if isinstance(said, dict) else None
        infos = [info for info in (infos if isinstance(infos, list) else [infos]) if isinstance(info, dict)]
        if len(infos) > 1:
            infos = [info for info in infos if info.get("config_name") in path.parts]
        return dict(_classes(infos[0].get("features"))) if infos else {}
    except (yaml.YAMLError, ValueError, KeyError) as error:
        raise DataError(
            f"{card}: the classes in its YAML cannot be read ({one_line(error)}); correct it, or fetch it again"
        ) from error


def _classes(features: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Raises ValueError or KeyError where numbers are none, or leave one out."""
    for feature in features if isinstance(features, list) else ():
        kind = feature.get("dtype") if isinstance(feature, Mapping) else None
        names = (kind.get("class_label") or {}).get("names") if isinstance(kind, Mapping) else None
        if isinstance(names, Mapping):
            numbered = {int(number): name for number, name in names.items()}
            names = [numbered[number] for number in range(len(numbered))]
        if isinstance(names, list):
            yield str(feature.get("name")), {"_type": "ClassLabel", "names": names}
