"""Every quirk that the miniature releases share with the real ones is there, and the readers cope with it."""

from __future__ import annotations

import gzip
import json
from random import Random

import pytest
from PIL import Image

from pefomed_plugin.embedded import DRAWN, find_writer
from pefomed_plugin.embedded.scenes import FINDINGS
from pefomed_plugin.readers import DATASETS
from pefomed_plugin.readers.textfiles import read_plain_pickle

SMALL = {
    "roco": {"counts": (6, 4, 2)},
    "clef2022": {"counts": (3, 2)},
    "medicat": {"count": 8},
    "mimic_cxr": {"counts": (4, 2, 1)},
    "vqa_rad": {"train": 10, "test": 4},
    "slake": {"counts": (2, 1, 1)},
    "path_vqa": {"counts": (3, 1, 1)},
    "iu_xray": {"counts": (15, 1, 1)},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("releases")
    for name in DRAWN:
        (root / name).mkdir()
        find_writer(name)(root / name, Random(name), **SMALL[name])
    return root


@pytest.fixture(scope="module")
def read(written):
    return {name: DATASETS[name].read(written / name) for name in DRAWN}


def reasons(release):
    return [skip.reason for skip in release.skips]


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_roco(written, read):
    folder = written / "roco/data/train/radiology"
    captions = [line.split("\t") for line in lines(folder / "captions.txt")]
    assert all(len(row) == 2 and row[1].startswith(" ") for row in captions)
    assert any('"' in row[1] for row in captions)
    assert lines(folder / "licences.txt")[0] == "ROCO_ID,PMC_ID,CC"
    for name in ("cuis.txt", "keywords.txt", "semtypes.txt"):
        assert all(line.split("\t")[1] == "" for line in lines(folder / name))
    names = {path.name[:4] for path in (folder / "images").iterdir()}
    assert names == {"ROCO", "PMC0"}
    assert len(read["roco"].samples) == 6 + 4 + 2
    missing = [sample for sample in read["roco"].samples if not (read["roco"].image_root / sample.only_image).is_file()]
    assert len(missing) == 1 and missing[0].split == "train"


def test_clef2022(written, read):
    path = next((written / "clef2022").glob("*_caption_prediction_valid.csv"))
    assert path.name[8] == "-" and lines(path)[0] == "ID\tcaption"
    assert lines(path)[1].startswith("ImageCLEFmedCaption_2022_valid_9084258\t")
    first = next(sample for sample in read["clef2022"].samples if sample.split == "train")
    assert first.answer.startswith('Seen, "as drawn": ')


def test_medicat(written, read):
    release = written / "medicat/release"
    records = [json.loads(line) for line in lines(next(release.glob("*.jsonl")))]
    assert {record["radiology"] for record in records} == {True, False}
    damaged = [record for record in records if record["s2_caption"] is None]
    assert len(damaged) == 1 and len(read["medicat"].samples) == len(records) - 1
    for record in records:
        with Image.open(release / "figures" / "{pdf_hash}_{fig_uri}".format(**record)) as image:
            if record in damaged:
                with pytest.raises(OSError, match="truncated|cannot identify|broken"):
                    image.load()
            else:
                image.load()


def test_mimic_cxr(written, read):
    folder = written / "mimic_cxr"
    with gzip.open(folder / "mimic-cxr-jpg/2.0.0/mimic-cxr-2.0.0-split.csv.gz", "rt") as table:
        rows = [line.strip().split(",") for line in table]
    assert [row[3] for row in rows] == ["split", "train", "train", "train", "train", "validate", "validate", "test"]
    reports = [path.read_text() for path in sorted(folder.glob("mimic-cxr/2.0.0/files/p*/p*/s*.txt"))]
    assert "___ year old" in reports[0] and reports[0].startswith(" ADDENDUM")
    assert "FINDINGS" in reports[1] and "IMPRESSION" not in reports[1]
    assert "FINDINGS" not in reports[2]
    images = sorted(folder.glob("mimic-cxr-jpg/2.0.0/files/p*/p*/s*/*.jpg"))
    assert [path.read_bytes()[:2] == b"\xff\xd8" for path in images] == [True, True, False, True, True, True, True]
    assert reasons(read["mimic_cxr"]) == ["no findings section"]


def test_vqa_rad(written, read):
    rows = json.loads((written / "vqa_rad/trainset.json").read_text())
    assert any("\t" in str(row["answer"]) for row in rows)
    assert any(row["question"].endswith("? -yes/no") for row in rows)
    assert any("," in row["question_type"] for row in rows)
    repeated = [(row["image_name"], row["answer"], row["question"]) for row in rows if row["phrase_type"] == "para"]
    assert any(
        row["image_name"] == image and row["answer"] == answer and row["question"] != question
        for image, answer, question in repeated
        for row in rows
    )
    assert {sample.answer_type for sample in read["vqa_rad"].samples} == {"OPEN", "CLOSED"}
    unused = {path.name for path in (written / "vqa_rad/images").iterdir()} - {
        sample.only_image for sample in read["vqa_rad"].samples
    }
    assert unused == {"synpic999999.jpg"}


def test_slake(written, read):
    rows = json.loads((written / "slake/train.json").read_text(encoding="utf-8"))
    assert {row["q_lang"] for row in rows} == {"en", "zh"}
    assert {row["base_type"] for row in rows} == {"vqa", "kvqa"}
    assert "Pelvic Cavity" in {row["location"] for row in rows}
    assert "Liver, Spleen" in {row["answer"] for row in rows}
    assert all(len(row) == 12 for row in rows)
    every = [
        row["qid"]
        for name in ("train", "validate", "test")
        for row in json.loads((written / "slake" / (name + ".json")).read_text(encoding="utf-8"))
    ]
    assert len(every) == len(set(every))
    assert reasons(read["slake"]).count("empty answer") == 1
    assert (written / "slake/__MACOSX/._train.json").is_file()


def test_path_vqa(written, read):
    full = read_plain_pickle(written / "path_vqa/qas/train_vqa.pkl")
    assert all(str(row["question_id"]).startswith("1") and len(row["label"]) == 1 for row in full)
    assert any("  " in row["sent"] for row in full)
    short = read_plain_pickle(written / "path_vqa/qas/train/train_qa.pkl")
    assert len(short) == len(full)
    assert {sample.answer_type for sample in read["path_vqa"].samples} == {"OPEN", "CLOSED"}
    assert all(sample.answer_type == "OPEN" for sample in read["path_vqa"].samples if sample.answer == "no fat")
    assert {sample.answer for sample in read["path_vqa"].samples} & {*FINDINGS["tissue"], "none", "no fat"}


def test_iu_xray(written, read):
    annotation = json.loads((written / "iu_xray/annotation.json").read_text())
    assert list(annotation) == ["train", "val", "    "]
    studies = [row for rows in annotation.values() for row in rows]
    assert all(len(row["image_path"]) == 2 for row in studies)
    assert {"CXR90001_1_IM-0001", "CXR90002_IM-0002", "CXR900015_IM-0015-1001"} <= {row["id"] for row in studies}
    assert any("XXXX" in row["report"] for row in studies)
    assert sum(len(row["report"].split()) > 50 for row in studies) == 1
    used = {path for row in studies for path in row["image_path"]}
    images = written / "iu_xray/images"
    assert {str(path.relative_to(images)) for path in images.rglob("*.png")} - used == {"CXR90001_1_IM-0001/2.png"}
    assert {sample.split for sample in read["iu_xray"].samples} == {"train", "val", "test"}
