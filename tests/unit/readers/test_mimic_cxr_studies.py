"""MIMIC-CXR by studies: all films of one, a frontal and a lateral one, and the study before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.readers.mimic_cxr import MIMIC_CXR
from pefomed_plugin.readers.mimic_studies import LATER_SPLIT, NO_DATE, NO_PRIOR
from pefomed_plugin.readers.views import NOT_SHOWN

from .files import write_json, write_lines
from .test_mimic_cxr import FINDINGS_ONLY, HEADER, HOME, REPORTS, dicom, problems

STUDIES = (
    # study of patient, split, date, time, view positions of its films
    ("50000001", "10000001", "train", "21800101", "101010.5", ("LATERAL", "PA")),
    ("50000002", "10000001", "train", "21800301", "90000", ("AP",)),
    ("50000003", "10000001", "train", "21800301", "80000", ("LL", "AP", "PA")),
    ("50000004", "10000002", "test", "21900101", "", ("PA", "")),
    ("50000005", "10000003", "test", "", "", ("", "")),
    ("50000006", "10000004", "train", "21700601", "1", ("PA",)),
    ("50000007", "10000004", "test", "21700501", "1", ("PA",)),
    ("50000008", "10000004", "test", "21700701", "1", ("PA",)),
)
"""Patient 4 is in two splits, as no patient of the release is; patient 1 has three studies, the last two on one day."""


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    split, metadata, number = [HEADER], ["dicom_id,subject_id,study_id,ViewPosition,StudyDate,StudyTime"], 0
    for study, patient, part, date, time, positions in STUDIES:
        for position in positions:
            number += 1
            split.append(f"{dicom(number)},{study},{patient},{part}")
            metadata.append(f"{dicom(number)},{patient},{study},{position},{date},{time}")
        report = tmp_path / HOME / f"files/p{patient[:2]}/p{patient}/s{study}.txt"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(REPORTS[FINDINGS_ONLY], encoding="utf-8")
    write_lines(tmp_path / HOME / "mimic-cxr-2.0.0-split.csv", *split)
    write_lines(tmp_path / HOME / "mimic-cxr-2.0.0-metadata.csv", *metadata)
    return tmp_path


def films(sample: Any) -> list[int]:
    """Numbers of the films that a sample shows."""
    return [int(image.rpartition("/")[2].partition("-")[0], 16) for image in sample.images]


def test_studies_with_all_their_films(studies: Path) -> None:
    release = MIMIC_CXR.read(studies, per="study", views="all")
    assert release.layout.startswith("MIMIC-CXR-JPG by study, reports in")
    found = {sample.metadata["study"][-1]: (films(sample), sample.image_names) for sample in release.samples}
    assert found["1"] == ([2, 1], ("frontal", "lateral"))
    assert found["3"] == ([5, 6, 4], ("frontal", "frontal 2", "lateral"))
    assert found["4"] == ([7, 8], ("frontal", "image 2"))
    assert found["5"] == ([9, 10], ("image 1", "image 2"))
    assert len(found) == 8 and release.samples[0].id == "mimic_cxr-50000001"
    assert [sample.views for sample in release.samples if len(sample.images) == 1] == [()] * 4


def test_frontal_and_lateral_of_a_study(studies: Path) -> None:
    shown = MIMIC_CXR.read(studies, per="study", views=["frontal", "lateral"])
    assert [films(sample) for sample in shown.samples] == [[2, 1], [3], [5, 4], [7], [11], [12], [13]]
    assert [(skip.where, skip.reason) for skip in shown.skips] == [
        ("mimic-cxr-2.0.0-split.csv, line 10", "no frontal and no lateral image")
    ]
    assert shown.notes == {NOT_SHOWN: 2}
    left = MIMIC_CXR.read(studies, per="study", views=["frontal", "lateral"], missing_views="skip")
    assert [films(sample) for sample in left.samples] == [[2, 1], [5, 4]]
    first = MIMIC_CXR.read(studies, per="study")
    assert [films(sample) for sample in first.samples] == [[1], [3], [4], [7], [9], [11], [12], [13]]
    assert first.notes == {NOT_SHOWN: 5}


def test_the_study_before_is_shown_and_never_one_of_a_later_split(studies: Path) -> None:
    release = MIMIC_CXR.read(studies, per="study", views=["current", "prior"])
    found = {sample.metadata["study"][-1]: sample for sample in release.samples}
    assert {name: films(sample) for name, sample in found.items()} == {
        "1": [2],
        "2": [3, 5],  # of two studies of that day the earlier, and not that of January
        "3": [5, 2],
        "4": [7],
        "5": [9],
        "6": [11],  # the patient's earlier study is tested
        "7": [12],
        "8": [13, 11],  # a study that is trained on may be shown where it is tested
    }
    assert found["2"].views == ("current", "prior") and found["2"].metadata["prior_study"] == "50000003"
    assert release.notes == {NO_PRIOR: 3, NO_DATE: 1, LATER_SPLIT: 1, NOT_SHOWN: 5}
    left = MIMIC_CXR.read(studies, per="study", views=["current", "prior"], missing_views="skip")
    assert len(left.samples) == 3 and {skip.reason for skip in left.skips} == {"no prior image"}
    three = MIMIC_CXR.read(studies, per="study", views=["frontal", "lateral", "prior"])
    assert films(three.samples[2]) == [5, 4, 2] and three.samples[2].views == ("frontal", "lateral", "prior")


def test_views_that_cannot_be_are_refused(studies: Path, tmp_path: Path) -> None:
    for views, told in (
        (["current", "frontal"], "leave one of current and frontal out"),
        (["prior"], "add current"),
    ):
        with pytest.raises(ConfigError) as caught:
            MIMIC_CXR.read(studies, per="study", views=views)
        assert told in caught.value.problems[0]
    (studies / HOME / "mimic-cxr-2.0.0-metadata.csv").unlink()
    assert "views need mimic-cxr-2.0.0-metadata.csv" in problems(studies, per="study", views="all")[1]
    write_json(tmp_path / "copy" / "train.json", {"p10/x.jpg": ["Invented."]})
    assert "per=study needs MIMIC-CXR-JPG itself" in problems(tmp_path / "copy", per="study")[1]
