from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.layouts import Release, Skip
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from pefomed_plugin.services.data.examination import Examination, examine, measure_lengths
from pefomed_plugin.services.images.decoding import ImagePolicy

from ..small import LEAKY, sample, write_rad


@pytest.fixture
def rad(tmp_path: Path) -> Release:
    return VQA_RAD.read(write_rad(tmp_path / "rad", LEAKY))


def test_an_account_of_a_leaky_release(rad: Release) -> None:
    usable, account = examine(rad, Examination(max_length=4), options={"a": 1})
    assert usable == rad
    assert (account.dataset, account.layout, account.options) == ("vqa_rad", "re-release", {"a": 1})
    assert account.kept == {"train": 4, "test": 3} and account.skipped == {}
    leaks = {leak.what: (leak.count, leak.of) for leak in account.leaks}
    assert leaks["test: images in train"] == (2, 3)
    assert leaks["test: image and question in train"] == (1, 3)
    assert leaks["test: image, question and answer in train"] == (0, 3)
    assert leaks["test: framed version of the question in train"] == (1, 3)
    assert {repetition.what: repetition.count for repetition in account.repetitions}[
        "train: image, question and answer again"
    ] == 1
    lengths = {length.split: length for length in account.lengths}
    assert (lengths["train"].longest, lengths["train"].median, lengths["train"].over_limit) == (5, 1, 1)
    assert any(
        mismatch.startswith("questions by split: expected 3,064 / 0 / 451, found 4 / 0 / 3")
        for mismatch in account.mismatches
    )
    assert account.to_json()["kept"] == {"train": 4, "test": 3}


def test_a_miniature_is_not_held_to_full_counts(rad: Release) -> None:
    _, account = examine(rad, origin="generated")
    assert account.mismatches == [] and account.origin == "generated"


def test_samples_with_unusable_images_are_skipped_and_counted_by_cause(rad: Release) -> None:
    (rad.image_root / "synpic0.png").unlink()
    (rad.image_root / "synpic2.png").write_bytes(b"<html>")
    usable, account = examine(rad)
    assert [each.only_image for each in usable.samples] == ["synpic1.png", "synpic1.png", "synpic3.png", "synpic1.png"]
    assert account.kept == {"train": 3, "test": 1}
    assert account.skipped == {
        "image: no such file": 2,
        "image: an HTML page, probably a download without credentials": 1,
    }
    assert Skip("vqa_rad-1, image synpic0.png", "image: no such file") in usable.skips
    images = next(verdict for verdict in account.verdicts if verdict.check == "images that can be used")
    assert (images.expected, images.found, images.holds) == ("4", "2", False)
    assert len(account.image_problems) == 2 and "synpic0.png" in account.image_problems[0]
    assert len(rad.samples) == 7, "the release itself is left alone"


def test_nothing_usable_is_an_error(rad: Release) -> None:
    with pytest.raises(DataError, match="none of 4 images") as caught:
        examine(replace(rad, image_root=rad.image_root / "elsewhere"))
    assert "no such file" in str(caught.value)
    with pytest.raises(DataError, match="no samples"):
        examine(replace(rad, samples=[]))


def test_the_text_alone(rad: Release) -> None:
    usable, account = examine(replace(rad, image_root=rad.image_root / "elsewhere"), Examination(open_images=False))
    assert len(usable.samples) == 7 and account.kept == {"train": 4, "test": 3}
    assert not any("image" in repetition.what and "alike" in repetition.what for repetition in account.repetitions)
    assert "images that can be used" not in [verdict.check for verdict in account.verdicts]
    assert {leak.what: leak.count for leak in account.leaks}["test: images in train"] == 2


def test_truncated_images_that_are_used_are_counted(rad: Release) -> None:
    path = rad.image_root / "synpic0.png"
    path.write_bytes(path.read_bytes()[:-200])
    _, strict = examine(rad)
    assert strict.skipped == {"image: truncated or damaged": 2} and strict.images_truncated == 0
    _, lenient = examine(rad, Examination(policy=ImagePolicy(allow_truncated=True)))
    assert lenient.skipped == {} and lenient.images_truncated == 1


def test_rows_left_out_share_images(rad: Release) -> None:
    whole = replace(rad, samples=[*rad.samples, sample(99, image="synpic2.png")])
    _, account = examine(rad, whole=whole)
    assert ("test: images in training rows left out", 1, 3) in [
        (leak.what, leak.count, leak.of) for leak in account.leaks
    ]


@pytest.mark.parametrize(
    ("lengths", "median", "percentile_95"),
    [([7], 7, 7), (list(range(1, 21)), 10.5, 19), (list(range(1, 101)), 50.5, 95), ([2, 1], 1.5, 2)],
)
def test_lengths(lengths: list[int], median: float, percentile_95: int) -> None:
    found = measure_lengths("test", ["w " * length for length in lengths], Examination(max_length=5))
    assert (found.median, found.percentile_95, found.longest) == (median, percentile_95, max(lengths))
    assert found.over_limit == sum(length > 5 for length in lengths)


def test_lengths_in_tokens_of_the_callers_choice() -> None:
    assert measure_lengths("test", ["abc", "abcdef"], Examination(max_length=3, measure=len)).over_limit == 1
