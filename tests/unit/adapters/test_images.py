"""What ``run.images`` changes: which image a question is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pefomed_plugin.config.run import read_run_config
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.records import Sample

LEAST = {"task": "medical_vqa", "output_dir": "out"}


def dataset(root: Path) -> Any:
    from pefomed_plugin.adapters.data.datasets import MedicalDataset

    samples: list[Sample] = []
    for number in range(3):
        name = f"image{number}.png"
        Image.new("RGB", (8, 8), (50 * number, 0, 0)).save(root / name)
        samples.append(Sample(f"s{number}", "vqa_rad", "test", name, "vqa", "Is it red?", "yes"))
    return MedicalDataset("vqa_rad", samples, root, lambda image: image.getpixel((0, 0)), str, draws_instructions=False)


def test_blind_shows_every_question_the_same_grey(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    made = dataset(tmp_path)
    assert [made[number]["image"] for number in range(3)] == [(0, 0, 0), (50, 0, 0), (100, 0, 0)]
    made.blind_images()
    assert {made[number]["image"] for number in range(3)} == {(128, 128, 128)}
    assert made[1]["image_id"] == "s1"


def test_shuffled_shows_no_question_its_own(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    made = dataset(tmp_path)
    made.shuffle_images(seed=0)
    assert all(made[number]["image"] != (50 * number, 0, 0) for number in range(3))


def views(root: Path, counts: tuple[int, ...] = (2, 2, 2, 1)) -> Any:
    from pefomed_plugin.adapters.data.datasets import MedicalDataset

    samples = []
    for number, count in enumerate(counts):
        names = tuple(f"{number}-{view}.png" for view in range(count))
        for view, name in enumerate(names):
            Image.new("RGB", (8, 8), (50 * number, view, 0)).save(root / name)
        shown = ("frontal", "lateral")[:count]
        samples.append(Sample(f"s{number}", "medical_custom", "test", names, "vqa", "Is it red?", "yes", views=shown))
    return MedicalDataset(
        "medical_custom", samples, root, lambda image: image.getpixel((0, 0)), str, draws_instructions=False
    )


def test_several_images_come_in_their_order_and_are_named(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    made = views(tmp_path)
    assert made[1]["image"] == ((50, 0, 0), (50, 1, 0)) and made[3]["image"] == (150, 0, 0)
    assert made[1]["instruction_input"].startswith(
        "frontal: <Img><ImageHere></Img> lateral: <Img><ImageHere></Img> [vqa] Based on"
    )
    assert made[3]["instruction_input"].startswith("<Img><ImageHere></Img> [vqa] Based on")
    assert made[1]["image_key"] == ("medical_custom", "1-0.png", "1-1.png") and made.most_images == 2
    assert list(made.images().values())[-2:] == [(0, 0), (0, 1)]
    assert made.content_key(made.images()["2-1.png"]) != made.content_key(made.images()["2-0.png"])


def test_further_images_are_exchanged_and_the_first_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    made = views(tmp_path)
    made.shuffle_further_images(seed=0)
    shown = [made[number]["image"] for number in range(3)]
    assert [first for first, _ in shown] == [(0, 0, 0), (50, 0, 0), (100, 0, 0)]
    assert all(second[1] == 1 and second[0] != first[0] for first, second in shown)
    assert made[0]["instruction_input"].startswith("frontal: ")
    assert len({made.content_key(place) for place in made.images().values()}) == 7
    assert "1 of 4 samples keep their own images: they show one" in capsys.readouterr().out


def test_shuffled_studies_get_those_of_the_same_views(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    made = views(tmp_path)
    made.shuffle_images(seed=0)
    assert all(len({red for red, _, _ in made[n]["image"]}) == 1 and made[n]["image"][0][0] != 50 * n for n in range(3))
    assert "1 of 4 samples keep their own images" in capsys.readouterr().out
    made.blind_images()
    assert made[0]["image"] == ((128, 128, 128),) * 2 and made[3]["image"] == (128, 128, 128)


def test_further_images_of_single_ones_cannot_be_exchanged(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match="further_shuffled needs samples of several images"):
        dataset(tmp_path).shuffle_further_images(seed=0)


def test_a_run_without_room_for_all_images_is_refused_at_its_start(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from pefomed_plugin.adapters.data.several_images import check_images

    class Model:
        max_context_len = 600

        def prompt_length(self, text: str) -> int:
            return 256 * text.count("<ImageHere>") + len(text.split())

    several, single = {"iu_xray": {"test": views(tmp_path)}}, {"vqa_rad": {"test": dataset(tmp_path)}}
    evaluated = {**LEAST, "evaluate": True, "test_splits": ["test"]}
    check_images(Model(), several, read_run_config(evaluated))
    Model.max_context_len = 520
    with pytest.raises(ConfigError, match="cannot be shown") as caught:
        check_images(Model(), several, read_run_config(evaluated))
    assert "iu_xray, test: 2 images make prompts of 53" in caught.value.problems[0]
    check_images(Model(), single, read_run_config(evaluated))
    with pytest.raises(ConfigError) as caught:
        check_images(Model(), single, read_run_config({**evaluated, "images": "further_shuffled"}))
    assert "vqa_rad, test: every sample shows one image" in caught.value.problems[0]


def test_weights_that_learnt_another_number_of_images_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    from pefomed_plugin.adapters.data.several_images import images_a_prompt, say_other_images

    several, single = views(tmp_path), dataset(tmp_path)
    assert images_a_prompt([single]) == {} and images_a_prompt([single, several]) == {"vqa": 2}
    say_other_images(None, [single], "a.pth")
    say_other_images({"vqa": 2}, [several], "a.pth")
    assert capsys.readouterr().out == ""
    say_other_images(None, [several], "a.pth")
    assert (
        capsys.readouterr().out == "warning: a.pth learnt vqa prompts of one image, and is asked with up to 2 images\n"
    )
    say_other_images({"vqa": 2}, [single], "a.pth")
    assert "learnt vqa prompts of up to 2 images, and is asked with one image" in capsys.readouterr().out


def test_the_option_knows_five_values() -> None:
    assert read_run_config({**LEAST, "images": "blind"}).images == "blind"
    with pytest.raises(ConfigError, match="'none' is none of own, shuffled, blind, mirrored, further_shuffled"):
        read_run_config({**LEAST, "images": "none"})
