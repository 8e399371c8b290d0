from __future__ import annotations

import math
import random

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction, Sample
from pefomed_plugin.scoring.breakdown import cluster_of
from pefomed_plugin.scoring.intervals import cluster_interval


def width(values: list, clusters: list, **options: float) -> float:
    interval = cluster_interval(values, clusters, **options)  # type: ignore[arg-type]
    assert interval.low is not None and interval.high is not None
    return interval.high - interval.low


def test_independent_rows_give_the_textbook_width() -> None:
    values = [0.0, 1.0] * 200
    assert width(values, list(range(400)), resamples=4000) == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(400), rel=0.08)
    assert width(values, list(range(400)), resamples=4000, level=0.5) == pytest.approx(
        2 * 0.6745 * 0.5 / math.sqrt(400), rel=0.1
    )


def test_rows_that_go_together_give_a_wider_interval() -> None:
    values = [float(image % 2) for image in range(40) for _ in range(10)]
    by_image = width(values, [image for image in range(40) for _ in range(10)])
    assert by_image == pytest.approx(math.sqrt(10) * width(values, list(range(400))), rel=0.15)


def test_unequal_clusters_are_weighed_by_their_rows() -> None:
    interval = cluster_interval([1.0] * 9 + [0.0], ["a"] * 9 + ["b"])
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_a_seed_gives_the_same_interval_again() -> None:
    draw = random.Random(0)
    values, clusters = [draw.random() for _ in range(300)], [draw.randrange(50) for _ in range(300)]
    assert cluster_interval(values, clusters, seed=1) == cluster_interval(values, clusters, seed=1)
    assert cluster_interval(values, clusters, seed=1) != cluster_interval(values, clusters, seed=2)


def test_undefined_intervals_say_why() -> None:
    assert cluster_interval([0.0, 1.0], ["a", "a"]).reason == "one cluster only"
    assert cluster_interval([0.1, 0.1, 0.1], ["a", "b", "c"]).reason == "all 3 clusters have the same mean"
    assert cluster_interval([1.0, 0.0, 0.0, 1.0], ["a", "a", "b", "b"]).low is None
    assert cluster_interval([1.0, 1.0], ["a", "b"]).low is None


@pytest.mark.parametrize(("values", "clusters"), [([], []), ([1.0], []), ([1.0, float("nan")], ["a", "b"])])
def test_unusable_input(values: list, clusters: list) -> None:
    with pytest.raises(DataError):
        cluster_interval(values, clusters)


def test_many_clusters_are_drawn_in_blocks() -> None:
    n = 50_000
    values = [float(number % 2) for number in range(n)]
    assert width(values, list(range(n)), resamples=100) == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(n), rel=0.3)


def test_questions_about_a_study_of_several_images_are_drawn_together():
    """By study where the metadata name it, else by what is shown: the same images in the same order."""

    def cluster(*images: str, **metadata: str):
        sample = Sample("s", "iu_xray", "test", images, "report", None, "x", metadata=metadata)
        return cluster_of(Prediction.of(sample, "x", {}))

    assert cluster("0.png", "1.png", study="a") == cluster("2.png", study="a") != cluster("0.png", "1.png", study="b")
    assert cluster("0.png", "1.png") == cluster("0.png", "1.png") != cluster("0.png")
