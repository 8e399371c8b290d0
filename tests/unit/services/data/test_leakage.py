from __future__ import annotations

import pytest

from pefomed_plugin.services.data.leakage import (
    Leak,
    alike,
    find_images_left_out,
    find_leaks,
    find_repetitions,
    find_shared_images,
)
from pefomed_plugin.services.images.fingerprints import Fingerprint

from ..small import sample


def counts(findings: list[Leak]) -> dict[str, tuple]:
    return {finding.what: (finding.count, finding.of) for finding in findings}


def prints(**content: str) -> dict[str, Fingerprint]:
    """Name -> ``<digest> <hash>`` of an image ``<name>.png``."""
    return {name + ".png": Fingerprint(each.split()[0], each.split()[1]) for name, each in content.items()}


def test_repeated_samples_are_counted_beyond_the_first_and_by_split() -> None:
    samples = [
        sample(1, image="a.png", question="Q?"),
        sample(2, image="a.png", question="Q?"),
        sample(3, image="a.png", question="Q?"),
        sample(4, image="a.png", question="Q?", answer="no"),
        sample(5, "test", image="a.png", question="Q?"),
    ]
    findings = find_repetitions(samples, {})
    assert counts(findings) == {
        "train: image, question and answer again": (2, 4),
        "test: image, question and answer again": (0, 1),
    }
    assert findings[0].examples == ("vqa_rad-2", "vqa_rad-3")


def test_a_repeated_sample_is_known_by_the_content_of_its_image() -> None:
    samples = [
        sample(1, image="a.png", question="Q?"),
        sample(2, image="b.png", question="Q?"),
        sample(3, image="c.png", question="Q?"),
    ]
    what = "train: image, question and answer again"
    assert counts(find_repetitions(samples, {}))[what] == (0, 3)
    assert counts(find_repetitions(samples, prints(a="s1 0f", b="s1 0f", c="s2 0f")))[what] == (1, 3)


def test_equal_files_and_alike_images_are_told_apart() -> None:
    found = counts(find_repetitions([sample(1)], prints(a="s1 0f", b="s1 0f", c="s2 0f", d="s3 f0")))
    assert found["image files of equal content"] == (1, 4)
    assert found["different files that look alike"] == (1, 3)


def test_a_leak_of_images_shows_by_name_and_by_content() -> None:
    samples = [
        sample(1, image="a.png"),
        sample(2, "test", image="a.png"),
        sample(3, "test", image="b.png"),
        sample(4, "test", image="c.png"),
    ]
    assert counts(find_leaks(samples, {}))["test: images in train"] == (1, 3)
    fingerprints = prints(a="s1 0f", b="s1 0f", c="s2 0f")
    found = counts(find_leaks(samples, fingerprints))
    assert found["test: images in train"] == (2, 3)
    assert found["test: images that look like one in train"] == (3, 3)


def test_a_leak_of_questions_ignores_case_and_blanks_and_needs_the_image() -> None:
    samples = [
        sample(1, image="a.png", question="Is it  big?", answer="yes"),
        sample(2, "test", image="a.png", question="is it big?", answer="no"),
        sample(3, "test", image="b.png", question="Is it big?"),
        sample(4, "test", image="a.png", question="Is it  big?", answer="yes"),
    ]
    found = counts(find_leaks(samples, {}))
    assert found["test: image and question in train"] == (2, 3)
    assert found["test: image, question and answer in train"] == (1, 3)


def test_framed_versions_and_studies() -> None:
    samples = [
        sample(1, "test", metadata={"study": "s1"}),
        sample(2, metadata={"frame_of": "vqa_rad-1", "study": "s2"}),
        sample(3, "test", metadata={"study": "s2"}),
        sample(4, "val", metadata={"study": "s9"}),
    ]
    found = counts(find_leaks(samples, {}))
    assert found["test: framed version of the question in train"] == (1, 2)
    assert found["test: studies in train"] == (1, 2)
    assert found["val: studies in train"] == (0, 1)


def test_what_a_data_set_cannot_show_is_left_out() -> None:
    assert find_leaks([sample(1, "test")], {}) == []
    whats = counts(find_leaks([sample(1), sample(2, "test")], {}))
    assert not any("studies" in what or "framed" in what or "look like" in what for what in whats)


def test_images_of_rows_left_out() -> None:
    kept = [sample(1, image="a.png"), sample(2, "test", image="b.png"), sample(3, "test", image="c.png")]
    left_out = [sample(11, image="b.png"), sample(12, "test", image="c.png")]
    assert find_images_left_out(kept, left_out) == [Leak("test: images in training rows left out", 1, 2, ("b.png",))]
    assert find_images_left_out(kept, []) == []


def test_images_shared_between_data_sets() -> None:
    train, test = prints(a="s1 ff", b="s2 0f"), prints(c="s3 fe", d="s4 0f", e="s5 70")
    assert find_shared_images(train, test, "shared") == Leak("shared", 1, 3, ("d.png",))
    assert find_shared_images(train, test, "shared", distance=1).examples == ("c.png", "d.png")


@pytest.mark.parametrize("distance", [0, 1, 2, 5, 11])
def test_alike_finds_what_comparing_all_pairs_finds(distance: int) -> None:
    import random

    rng = random.Random(0)
    others = [rng.getrandbits(64) for _ in range(40)]
    hashes = {}
    for number, other in enumerate(others * 3):
        hashes[str(number)] = other ^ sum(1 << bit for bit in rng.sample(range(64), rng.randrange(13)))
    expected = {
        name for name, digest in hashes.items() if any(bin(digest ^ other).count("1") <= distance for other in others)
    }
    found = alike(
        {name: f"{digest:016x}" for name, digest in hashes.items()}, [f"{other:016x}" for other in others], distance
    )
    assert found == expected and 0 < len(expected) < len(hashes)


@pytest.mark.parametrize("distance", [-1, 64])
def test_impossible_distances(distance: int) -> None:
    with pytest.raises(ValueError, match="0 to 63"):
        alike({}, [], distance)
