"""VQA-RAD (osf.io/89kps; Lau et al. 2018) as its re-release ``data_RAD``. Text only; knows nothing of torch or pixels.

The re-release numbers the 2,248 official records 1 to 3,515: each record, and behind it its framed version, which
always belongs to train. The paper's split is this one: 3,064 train, 451 test.
"""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from ..records import CLOSED, OPEN, Sample
from .layouts import Layout, Release, inside, read_release, require
from .textfiles import read_json_list

DATASET = "vqa_rad"
_REQUIRED = ("qid", "image_name", "question", "answer", "answer_type")
_SPELLING = {"OTHER": "OTHER", "ATRIB": "ATTRIB", "PRSE": "PRES"}


def read_vqa_rad(root: Path, **options: Any) -> Release:
    """Samples of VQA-RAD.

    Raises:
        DataError: no layout recognised, or records that cannot be used, all in one message.
    """
    return read_release(DATASET, LAYOUTS, root, options)


def _read_re_release(root: Path) -> Release:
    release = Release(DATASET, "re-release", root / "images")
    for split, name in (("train", "trainset.json"), ("test", "testset.json")):
        path = root / name
        release.files.append(path)
        for number, row in enumerate(read_json_list(path)):
            where = "{}, record {}".format(name, number)
            if require(row, _REQUIRED, where, release.problems):
                sample = _sample(row, split, where, release)
                if sample is not None:
                    release.samples.append(sample)
    return release


def _sample(row: Mapping[str, Any], split: str, where: str, release: Release) -> Optional[Sample]:
    image = str(row["image_name"])
    answer_type = str(row["answer_type"]).strip().upper()
    if inside(release.image_root, image) is None:
        release.problems.append("{}: image {!r} lies outside {}".format(where, image, release.image_root))
        return None
    if answer_type not in (OPEN, CLOSED):
        release.problems.append("{}: answer_type {!r} is neither OPEN nor CLOSED".format(where, row["answer_type"]))
        return None
    metadata: Dict[str, Any] = {"source_id": row["qid"], "answer_type_from": "official flag"}
    return Sample(
        id="{}-{}".format(DATASET, row["qid"]), dataset=DATASET, split=split, image=image, task="vqa",
        question=str(row["question"]), answer=str(row["answer"]), answer_type=answer_type,
        question_type=normalise_types(row.get("question_type")), organ=row.get("image_organ"),
        phrase_type=row.get("phrase_type"), metadata=metadata)


def normalise_types(types: Optional[str]) -> Optional[str]:
    """Question types in alphabetical order, misspellings of the release mended: ``PRES, ATRIB`` -> ``ATTRIB, PRES``."""
    if not types:
        return None
    mended = {_SPELLING.get(each.strip().upper(), each.strip().upper()) for each in str(types).split(",")}
    return ", ".join(sorted(each for each in mended if each)) or None


LAYOUTS = (Layout("re-release", ("trainset.json", "testset.json"), _read_re_release),)
