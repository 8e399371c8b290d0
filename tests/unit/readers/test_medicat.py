"""MedICaT: captions of either kind, the radiology option, other files of the release, and damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.medicat import MEDICAT

from .files import write_lines

NAME = "s2_full_figures_oa_nonroco_combined_medical_top4_public.jsonl"
HASH = "0123456789abcdef0123456789abcdef01234567"


def row(number: int, **changes: Any) -> dict[str, Any]:
    released = {
        "pdf_hash": HASH,
        "fig_key": f"Figure{number}",
        "fig_uri": f"2-Figure{number}-1.png",
        "s2_caption": f"Figure {number}. Invented chest film.",
        "s2orc_caption": None,
        "s2orc_references": ["An invented film is shown in Figure 1."],
        "radiology": True,
        "scope": False,
        "predicted_type": "Medical images",
        "oa_info": {"doi": "10.0000/x", "oa": {"is_oa": True, "license": "cc-by", "provenance": "invented"}},
    }
    return {**released, **changes}


def write_release(release: Path, *rows: Any) -> None:
    write_lines(release / NAME, *(json.dumps(each) for each in rows))


def problems(root: Path) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        MEDICAT.read(root)
    return caught.value.problems or (str(caught.value),)


@pytest.mark.parametrize("folder", ["release", ""])
def test_the_release_from_its_folder_or_from_above(tmp_path: Path, folder: str) -> None:
    write_release(tmp_path / folder, row(1), row(2, oa_info=None, s2orc_references=None))
    write_lines(tmp_path / "subcaptions_public.jsonl", json.dumps({"answer": "accept"}))
    release = MEDICAT.read(tmp_path)
    first, second = release.samples
    key = HASH + "_2-Figure1-1.png"
    assert (first.id, first.split, first.only_image, first.task) == ("medicat-" + key, "train", key, "caption")
    assert release.image_root == tmp_path / folder / "figures"
    assert first.answer == "Figure 1. Invented chest film."
    assert first.metadata == {
        "source_id": key,
        "study": HASH,
        "radiology": True,
        "scope": False,
        "licence": "cc-by",
        "references": ["An invented film is shown in Figure 1."],
    }
    assert (second.metadata["licence"], second.metadata["references"]) == (None, [])


def test_the_other_caption_stands_in_and_none_at_all_is_counted(tmp_path: Path) -> None:
    write_release(
        tmp_path,
        row(1, s2_caption=None, s2orc_caption="Fig 1. From the other parser."),
        row(2, s2_caption=None),
        row(3, s2_caption="  "),
    )
    release = MEDICAT.read(tmp_path)
    assert [sample.answer for sample in release.samples] == ["Fig 1. From the other parser."]
    assert [(skip.where, skip.reason) for skip in release.skips] == [
        (NAME + ", line 2", "no caption"),
        (NAME + ", line 3", "empty caption"),
    ]


def test_radiology_only_counts_what_it_leaves_out(tmp_path: Path) -> None:
    write_release(tmp_path, row(1), row(2, radiology=False), row(3, radiology=None))
    assert len(MEDICAT.read(tmp_path).samples) == 3
    release = MEDICAT.read(tmp_path, radiology_only=True)
    assert [sample.metadata["radiology"] for sample in release.samples] == [True]
    assert [skip.reason for skip in release.skips] == ["not radiology", "not radiology"]


def test_damaged_records_are_reported_together(tmp_path: Path) -> None:
    incomplete = row(2)
    del incomplete["fig_uri"], incomplete["s2_caption"]
    write_release(
        tmp_path,
        row(1),
        incomplete,
        [1],
        row(3, fig_uri="/../../../x.png"),
        row(4, s2_caption=5),
        row(6, pdf_hash=None),
        row(1),
    )
    found = problems(tmp_path)
    assert found[0].startswith(NAME + ", line 2: missing fig_uri, s2_caption")
    assert found[1].endswith("line 3: expected an object, found list")
    assert "line 4" in found[2] and "leads out of" in found[2]
    assert found[3].endswith("line 5: caption is of type int, expected text")
    assert found[4].endswith("line 6: pdf_hash and fig_uri are not both texts; compare with the original release")
    assert found[5].startswith(f"id 'medicat-{HASH}_2-Figure1-1.png' occurs twice")


def test_a_cut_file_names_the_line(tmp_path: Path) -> None:
    write_lines(tmp_path / NAME, json.dumps(row(1)), json.dumps(row(2))[:80])
    assert "line 2, column 81: not JSON" in problems(tmp_path)[0]


def test_not_utf8(tmp_path: Path) -> None:
    write_lines(tmp_path / NAME, json.dumps(row(1, s2_caption="30° view"), ensure_ascii=False), encoding="latin1")
    assert "is not UTF-8" in problems(tmp_path)[0]


def test_a_figure_that_links_out_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "release"
    write_release(root, row(1))
    (root / "figures").mkdir()
    (root / "figures" / (HASH + "_2-Figure1-1.png")).symlink_to(tmp_path / "private.png")
    assert "leads out of" in problems(root)[0]


def test_one_file_of_figures_is_wanted(tmp_path: Path) -> None:
    assert any("release/*.jsonl" in problem for problem in problems(tmp_path))
    write_lines(tmp_path / "roco_train_references.jsonl", "{}")
    assert "expected the one file of figures, found none" in problems(tmp_path)[0]
    write_release(tmp_path, row(1))
    write_lines(tmp_path / "copy.jsonl", json.dumps(row(2)))
    assert "found copy.jsonl, " + NAME in problems(tmp_path)[0]
