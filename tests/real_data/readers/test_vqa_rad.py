"""VQA-RAD as released: its published figures, its quirks, and that both official forms hold the same."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from pefomed_plugin.readers.rows import closed_by_answer
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from tests.real_data.data import real_data
from tests.unit.readers.files import Row
from tests.unit.readers.test_vqa_rad import write_official


def test_real_re_release_has_its_published_figures() -> None:
    release = VQA_RAD.read(real_data("vqa_rad"))
    train, test = release.splits()["train"], release.splits()["test"]
    assert (len(train), len(test), release.skips) == (3064, 451, [])
    assert Counter(sample.answer_type for sample in train) == {"CLOSED": 1823, "OPEN": 1241}
    assert Counter(sample.answer_type for sample in test) == {"CLOSED": 272, "OPEN": 179}
    assert Counter(each.phrase_type for each in train) == {"frame": 1267, "freeform": 1206, "para": 591}
    assert Counter(each.phrase_type for each in test) == {"freeform": 308, "para": 143}
    assert Counter(sample.organ for sample in train) == {"CHEST": 1088, "ABD": 999, "HEAD": 977}
    assert Counter(sample.organ for sample in test) == {"CHEST": 174, "ABD": 158, "HEAD": 119}
    images = {sample.only_image for sample in train}
    assert len(images) == 314 and len({sample.only_image for sample in test}) == 203
    assert {sample.only_image for sample in test} <= images
    assert {sample.id for sample in release.samples} == {f"vqa_rad-{number}" for number in range(1, 3516)}


def test_real_re_release_shows_the_known_quirks() -> None:
    release = VQA_RAD.read(real_data("vqa_rad"))
    train, test = release.splits()["train"], release.splits()["test"]
    types = Counter(sample.question_type for sample in train)
    assert (types["PRES"], types["POS"], types["OTHER"], types["ATTRIB"]) == (1214 + 2, 496, 169 + 2, 140 + 2)
    assert not {"ATRIB", "PRSE", "Other"} & set(types)
    closed = [[sample for sample in part if sample.answer_type == "CLOSED"] for part in (train, test)]
    assert [sum(closed_by_answer(sample.answer) == "OPEN" for sample in part) for part in closed] == [110, 21]
    assert sum(closed_by_answer(sample.answer) == "CLOSED" for sample in test) == 251
    triples = Counter((sample.only_image, sample.question, sample.answer) for sample in train)
    assert sum(times - 1 for times in triples.values()) == 465
    assert sum("\t" in sample.answer for sample in release.samples) == 5
    assert sum(str(sample.question).endswith("-yes/no") for sample in train) == 46
    by_id = {sample.id: sample for sample in release.samples}
    restated = [by_id[sample.metadata["frame_of"]] for sample in train if "frame_of" in sample.metadata]
    assert len(restated) == 1267
    restated = [sample for sample in restated if sample.split == "test"]
    assert len(restated) == 284
    assert Counter(each.phrase_type for each in restated) == {"freeform": 165, "para": 119}
    assert sum(sample.answer_type == "CLOSED" for sample in restated) == 182


def test_real_re_release_follows_from_the_official_records(tmp_path: Path) -> None:
    """The official file is not here; its records are the re-release's with each frame put back into its question."""
    folder = real_data("vqa_rad")
    rows = {
        row["qid"]: (row, prefix)
        for prefix, name in (("", "trainset.json"), ("test_", "testset.json"))
        for row in json.loads((folder / name).read_text(encoding="utf-8"))
    }
    official: list[Row] = []
    for qid in sorted(rows):
        row, prefix = rows[qid]
        if row["phrase_type"] == "frame":
            official[-1]["question_frame"] = row["question"]
        else:
            official.append({**row, "phrase_type": prefix + row["phrase_type"], "question_frame": "NULL"})
    assert len(official) == 2248
    derived = {sample.id: sample for sample in VQA_RAD.read(write_official(tmp_path, official)).samples}
    released = {sample.id: sample for sample in VQA_RAD.read(folder).samples}
    assert derived.keys() == released.keys()
    for key, sample in released.items():
        ours = derived[key].to_json()
        del ours["metadata"]["official_qid"], ours["metadata"]["linked_id"]
        assert ours == sample.to_json()
