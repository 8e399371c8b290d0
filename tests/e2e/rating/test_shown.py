"""What the rating page shows, in a real browser: texts, images, levels, two models, counts; on phones, in the dark."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pefomed_plugin.storage import write_records
from tests.unit.services.judged import answers, written_reports

from ..browsing import PEN_OF_FULL, expect
from .page import Page, Served, check_item, enter, text, wait_for

pytestmark = pytest.mark.slow
HOSTILE = '</div><img src=x onerror="window.ran = 1"><script>window.ran = 1</script> ' + "very long " * 3000 + "y" * 600


def test_every_image_of_a_study_is_shown_with_its_name(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    studies = [
        replace(each, images=(f"{number}f.png", f"{number}l.png"), views=("frontal", "lateral"))
        for number, each in enumerate(written_reports(2))
    ]
    page = open_page(serve(studies).url)
    enter(page, "Anna")
    check_item(page, "Item 1 of 2")
    expect(page.locator("#film figcaption")).to_have_text(["frontal", "lateral"])
    for at in range(2):
        expect(page.locator("#film img").nth(at)).to_have_js_property("naturalWidth", 40)
        assert page.locator("#film img").nth(at).get_attribute("alt") == ("frontal", "lateral")[at]


def test_texts_are_texts_and_long_ones_scroll(serve: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    served = serve(answers(1, question=HOSTILE, answer=HOSTILE, prediction=HOSTILE), "--all")
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 1")
    for element in ("question", "reference", "answer"):
        assert text(page, element) == HOSTILE
        assert page.evaluate(f"document.getElementById('{element}').children.length") == 0
    assert page.evaluate("document.getElementById('answer').clientHeight") < 400
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(f"document.getElementById('comment').value = '<b>' + {json.dumps(HOSTILE[:80])}")
    page.keyboard.press("1")
    expect(page.locator("#done")).to_be_visible()
    assert served.saved()[0][3] == "<b>" + HOSTILE[:80]
    assert page.evaluate("typeof window.ran") == "undefined"


def test_levels_words_and_keys_are_those_of_the_rubric(
    serve: Callable[..., Served], open_page: Callable[..., Page], tmp_path: Path
) -> None:
    levels = [{"value": value, "word": f"word {value}", "description": f"when {value}"} for value in (0, 50, 100)]
    rubric = {"name": "own", "task": "report", "levels": levels}
    (tmp_path / "own.json").write_text(json.dumps(rubric))
    served = serve(written_reports(2), "--rubric", str(tmp_path / "own.json"))
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 2")
    assert page.evaluate("[...document.querySelectorAll('#scale button')].map((button) => button.value).join()") == (
        "100,50,0"
    )
    assert text(page, "scale") == "100when 10050when 500when 0" and "word 50" in text(page, "rubric")
    page.keyboard.press("4")  # no such key
    page.keyboard.press("3")  # keys count the levels where values have several digits
    check_item(page, "Item 2 of 2")
    page.keyboard.press("1")
    expect(page.locator("#done")).to_be_visible()
    assert sorted(rating for _, _, rating, _ in served.saved()) == [0, 100]


def test_a_damaged_image_is_told(serve: Callable[..., Served], open_page: Callable[..., Page], tmp_path: Path) -> None:
    served = serve(answers(1), "--all")
    (tmp_path / "images" / "image0.png").write_bytes(b"<html>")
    page = open_page(served.url + "&rater=anna", complains=True)
    expect(page.locator("#film")).to_contain_text("This image cannot be shown.")


def test_light_and_dark(serve: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    served = serve(written_reports(2, answer="The invented lungs are clear. " * 30))
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 2")
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("html")).to_have_attribute("data-theme", scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]


def test_with_forced_colours_the_choice_the_film_and_the_progress_are_still_seen(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    page = open_page(serve(written_reports(3)).url + "&rater=anna", forced_colors="active")
    check_item(page, "Item 1 of 3")
    page.keyboard.press("3")
    check_item(page, "Item 2 of 3")
    page.keyboard.press("ArrowLeft")
    check_item(page, "Item 1 of 3, rated 3")
    style = "(name) => getComputedStyle(document.querySelector(name))"
    edges = [f"({style})('#scale [aria-pressed={pressed}]').borderTopWidth" for pressed in ("true", "false")]
    assert page.evaluate(edges[0]) != page.evaluate(edges[1])
    assert page.evaluate(f"({style})('#film').backgroundColor") == "rgb(13, 15, 16)"
    assert page.evaluate(f"({style})('#bar').forcedColorAdjust") == "none"


def test_on_a_phone_image_and_scale_are_in_sight(serve: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    served = serve(written_reports(2, answer="The invented lungs are clear. " * 30))
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "device_scale_factor": 2}
    page = open_page(served.url + "&rater=anna", **phone)
    check_item(page, "Item 1 of 2")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    film, image = (
        page.evaluate(f"JSON.stringify(document.querySelector('{each}').getBoundingClientRect())")
        for each in ("#film", "#film img")
    )
    assert json.loads(image) == json.loads(film)
    in_sight = "({ top, bottom }) => bottom <= innerHeight + 1 && top >= 0"
    assert page.locator("#scale").evaluate(f"(scale) => ({in_sight})(scale.getBoundingClientRect())")
    page.evaluate("document.querySelector('#scale button').click()")
    check_item(page, "Item 2 of 2")


def test_window_level_and_zoom_of_a_dicom_film_by_keys_and_by_touch(
    serve: Callable[..., Served], open_page: Callable[..., Page], tmp_path: Path
) -> None:
    np = pytest.importorskip("numpy")
    pytest.importorskip("pydicom")
    from tests.unit.services.images.test_dicom import write

    pixels = (np.arange(64 * 48).reshape(48, 64) % 4096).astype(np.uint16)
    served = serve(answers(1), "--all")
    write(tmp_path / "images" / "image0.png", pixels, bits_stored=12, WindowCenter=2000, WindowWidth=3000)
    mobile = {"viewport": {"width": 400, "height": 740}, "is_mobile": True, "has_touch": True}
    for options in ({}, mobile):
        page = open_page(served.url + "&rater=anna", **options)
        check_item(page, "Item 1 of 1")
        if options:
            page.locator("#film .view").tap()
        else:
            page.keyboard.press("z")
        expect(page.locator("#full .facts")).to_contain_text("64 \u00d7 48")
        grey = f"{PEN_OF_FULL}.getImageData(40, 20, 1, 1).data[0]"
        before = wait_for(page, grey, 1)
        assert 0 < before < 255
        outputs = page.locator("#full .range output")
        shown = outputs.nth(1).text_content()
        if options:
            page.locator("#full input[type=range]").nth(1).fill("100")
        else:
            for _ in range(20):
                page.keyboard.press("Shift+L")
        expect(outputs.nth(1)).not_to_have_text(shown)
        wait_for(page, grey, before + 1)  # a lower level makes it brighter: computed in the browser
        zoom = page.locator("#full .tools > output").first
        shown = zoom.text_content()
        if options:
            page.get_by_role("button", name="Zoom in").tap()
        else:
            page.keyboard.press("+")
        expect(zoom).not_to_have_text(shown)
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
        page.get_by_role("button", name="Close").click()
        check_item(page, "Item 1 of 1, not rated yet")


def test_two_models_side_by_side(serve: Callable[..., Served], open_page: Callable[..., Page], tmp_path: Path) -> None:
    one = [replace(each, prediction=f"ours {each.id}") for each in answers(4)]
    other = [replace(each, prediction=f"theirs {each.id}") for each in answers(4)]
    other[3] = replace(other[3], prediction=one[3].prediction)
    write_records(tmp_path / "other.jsonl", other)
    served = serve(one, "--against", str(tmp_path / "other.jsonl"), "--out", str(tmp_path / "ratings"))
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 3")
    for number, key in enumerate("atb", 1):
        check_item(page, f"Item {number} of 3")
        shown = {text(page, "answer").split()[0], text(page, "second").split()[0]}
        assert shown == {"ours", "theirs"}
        page.keyboard.press(key)
    expect(page.locator("#done")).to_be_visible()
    assert sorted(rating for _, _, rating, _ in served.saved()) == [0, 1, 2]


def test_who_runs_the_study_sees_counts(serve: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    served = serve(answers(3), "--all")
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 3")
    page.keyboard.press("1")
    check_item(page, "Item 2 of 3")
    operator = open_page(served.operator)
    expect(operator.locator("#rows tr")).to_have_count(1)
    expect(operator.locator("#rows tr")).to_contain_text("anna")
    expect(operator.locator("#rows tr")).to_contain_text("1 of 3")
    assert operator.locator(".scrolls").is_hidden()
    operator.set_viewport_size({"width": 390, "height": 800})
    expect(operator.locator(".scrolls")).to_contain_text("it scrolls sideways")
    assert operator.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(
    serve: Callable[..., Served], open_page: Callable[..., Page], tmp_path: Path, scheme: str
) -> None:
    pytest.importorskip("axe_playwright_python")
    from ..test_accessibility import faults

    write_records(tmp_path / "other.jsonl", [replace(each, prediction="another") for each in answers(3)])
    sides = ("--against", str(tmp_path / "other.jsonl"), "--out", str(tmp_path / "sides"))
    for given in (("--all",), sides):
        served = serve(answers(3), *given)
        page = open_page(served.url, color_scheme=scheme)
        expect(page.locator("#enter")).to_be_visible()
        assert faults(page) == []
        enter(page, "anna")
        check_item(page, "Item 1 of 3")
        page.locator("#scale button").first.click()
        check_item(page, "Item 2 of 3")
        expect(page.locator("#saved")).to_be_visible()
        assert faults(page) == []
        page.keyboard.press("z")
        expect(page.locator("#full .facts")).to_contain_text("bits")
        assert faults(page) == []
        operator = open_page(served.operator, color_scheme=scheme)
        expect(operator.locator("#rows tr")).to_have_count(1)
        assert faults(operator) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_fault_with_reports_nor_at_the_end(
    serve: Callable[..., Served], open_page: Callable[..., Page], width: int
) -> None:
    pytest.importorskip("axe_playwright_python")
    from ..test_accessibility import faults

    served = serve(written_reports(1))
    page = open_page(served.url + "&rater=anna", viewport={"width": width, "height": 800})
    check_item(page, "Item 1 of 1")
    assert text(page, "question") == "How good is this report?"
    assert faults(page) == []
    page.keyboard.press("3")
    expect(page.locator("#done")).to_be_visible()
    assert faults(page) == []
