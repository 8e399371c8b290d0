"""Which cells count: by a model that looks at one corner of the image only."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from PIL import Image

from pefomed_plugin.adapters.medical_model import Request
from pefomed_plugin.adapters.occlusion import in_words, occlusion_map
from pefomed_plugin.errors import ConfigError


@pytest.fixture
def model():
    """Sure of its answer where the lower right corner is white."""

    def log_probabilities(requests, answers):
        assert len(requests) <= 4 and set(answers) == {"white"}
        return [0.0 if request.image.getpixel((7, 7)) == (255, 255, 255) else -2.0 for request in requests]

    return SimpleNamespace(
        open=lambda image: image,
        answer=lambda requests: ["white"],
        log_probabilities=log_probabilities,
        batch_size=4,
    )


def test_the_cell_that_is_looked_at_is_found(model):
    found = occlusion_map(model, Request(Image.new("RGB", (8, 8), "white"), "vqa", "Colour?"), grid=4)
    assert found.answer == "white" and found.strongest == (3, 3)
    assert [drop for line in found.drops for drop in line] == [0.0] * 15 + [2.0]
    assert in_words(found) == "probability 1.000; 0.135 without the lower right of the image (row 4, column 4)"
    assert found.to_json()["drops"][3] == [0.0, 0.0, 0.0, 2.0]


def test_what_is_not_looked_at_has_no_place(model):
    found = occlusion_map(model, Request(Image.new("RGB", (8, 8)), "vqa", "Colour?"), grid=2)
    assert in_words(found) == "probability 0.135; covering no cell makes it less likely"


@pytest.mark.parametrize(
    ("image", "answer", "grid", "message"),
    [
        ({"frontal": "a.png", "lateral": "b.png"}, None, 7, "several are shown together"),
        ("a.png", " ", 7, "no answer"),
        ("a.png", None, 1, "from 2 to 64"),
    ],
)
def test_what_cannot_be_mapped(model, image, answer, grid, message):
    with pytest.raises(ConfigError, match=message):
        occlusion_map(model, Request(image, "vqa", "Colour?"), answer, grid)
