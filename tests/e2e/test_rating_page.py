"""The rating page in a real browser, served by the command: keys, images, what is saved, and that no text runs."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest
from PIL import Image

from pefomed_plugin.storage import write_records
from tests.unit.services.judged import answers, written_reports

from .browsing import expect

Page = Any
pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = '</div><img src=x onerror="window.ran = 1"><script>window.ran = 1</script> ' + "very long " * 3000
N = 8


class Served:
    """``pefomed rate serve`` in a process of its own."""

    def __init__(self, folder: Path, predictions: list[Any], *arguments: str) -> None:
        write_records(folder / "predictions.jsonl", predictions)
        (folder / "images").mkdir(exist_ok=True)
        for image in {image for prediction in predictions for image in prediction.images}:
            Image.new("L", (40, 30), 128).save(folder / "images" / image)
        self.store = folder / "ratings" / "ratings.sqlite"
        self.command = [
            sys.executable,
            "-m",
            "pefomed_plugin.cli",
            "rate",
            "serve",
            str(folder / "predictions.jsonl"),
            "--image-root",
            str(folder / "images"),
            "--port",
            "0",
            *arguments,
        ]
        self.start()

    def start(self) -> None:
        """Start, and wait for the address."""
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert self.process.stdout is not None
        line = ""
        while "http://" not in line:
            line = self.process.stdout.readline()
            assert line, "the command ended"
        self.url = re.findall(r"http://\S+", line)[0].replace("//localhost", "//127.0.0.1")
        while "/operator" not in line:
            line = self.process.stdout.readline()
            assert line, "the command ended"
        self.operator = re.findall(r"http://\S+", line)[0].replace("//localhost", "//127.0.0.1")

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def saved(self) -> list[Any]:
        """What the file holds."""
        base = sqlite3.connect(str(self.store))
        try:
            return base.execute("SELECT rater, sample_id, rating, comment FROM ratings").fetchall()
        finally:
            base.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """``serve(predictions, *arguments)``; what was started ends with the test."""
    running: list[Served] = []

    def start(*given: Any) -> Served:
        running.append(Served(tmp_path, *given))
        return running[-1]

    yield start
    for each in running:
        each.kill()


def text(page: Page, element: str) -> str:
    return str(page.evaluate(f"document.getElementById('{element}').textContent"))


def enter(page: Page, name: str) -> None:
    expect(page.locator("#enter")).to_be_visible()
    page.evaluate(f"document.getElementById('name').value = {json.dumps(name)}")
    page.evaluate("document.getElementById('enter').requestSubmit()")


def check_item(page: Page, start: str) -> None:
    """Fail unless the page comes to show this item."""
    expect(page.locator("#rating #number")).to_have_text(re.compile("^" + re.escape(start)))
    expect(page.locator("#rating")).to_be_visible()


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


def test_rate_with_keys_go_back_reload_and_end(serve: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    served = serve(written_reports(N))
    page = open_page(served.url)
    enter(page, " Anna ")
    check_item(page, "Item 1 of 8, not rated yet")
    expect(page.locator("#film img")).to_have_js_property("naturalWidth", 40)
    assert page.evaluate("document.getElementById('scale').children.length") == 5
    page.keyboard.press("5")  # not on the scale
    page.keyboard.press("4")
    check_item(page, "Item 2 of 8, not rated yet")
    page.keyboard.press("0")
    check_item(page, "Item 3")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    check_item(page, "Item 1 of 8, rated 4")
    assert page.evaluate("document.querySelector('[aria-pressed=true]').value") == "4"
    page.keyboard.press("3")  # says it again
    check_item(page, "Item 2 of 8, rated 0")
    assert text(page, "rated") == "2 of 8 rated"
    assert sorted(rating for _, _, rating, _ in served.saved()) == [0, 3]
    page.reload()
    check_item(page, "Item 3 of 8, not rated yet")
    page.keyboard.press("ArrowRight")
    for number in range(4, N + 1):
        check_item(page, f"Item {number}")
        page.keyboard.press("2")
    check_item(page, "Item 3")  # was left out
    page.keyboard.press("1")
    expect(page.locator("#done")).to_be_visible()
    assert text(page, "rated") == "8 of 8 rated"
    assert sorted(rating for _, _, rating, _ in served.saved()) == [0, 1] + [2] * 5 + [3]
    assert {rater for rater, *_ in served.saved()} == {"anna"}


def test_texts_are_texts_and_long_ones_scroll(serve: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    served = serve(answers(1, question=HOSTILE, answer=HOSTILE, prediction=HOSTILE), "--all")
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 1")
    for element in ("question", "reference", "answer"):
        assert text(page, element) == HOSTILE
        assert page.evaluate(f"document.getElementById('{element}').children.length") == 0
    assert page.evaluate("document.getElementById('answer').clientHeight") < 400
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


def test_a_comment_is_typed_without_rating_and_is_kept(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(answers(2), "--all")
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 2")
    page.keyboard.press("c")
    for key in "01":
        page.keyboard.press(key)
    assert page.evaluate("document.getElementById('comment').value") == "01"
    check_item(page, "Item 1 of 2, not rated yet")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#comment")).to_have_value("01")
    page.reload()
    check_item(page, "Item 1 of 2, not rated yet")
    assert page.evaluate("document.getElementById('comment').value") == "01"


def test_a_window_left_open_wipes_no_comment(serve: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    served = serve(answers(2), "--all")
    old, new = open_page(served.url + "&rater=anna"), open_page(served.url + "&rater=anna")
    check_item(new, "Item 1 of 2")
    new.locator("#comment").fill("later words")
    new.locator("#comment").press("Enter")
    new.keyboard.press("1")
    check_item(new, "Item 2 of 2")
    check_item(old, "Item 1 of 2, not rated yet")
    old.keyboard.press("0")  # says nothing of the comment, which it has not seen
    check_item(old, "Item 2 of 2")
    old.keyboard.press("ArrowLeft")
    check_item(old, "Item 1 of 2, rated 0")
    old.locator("#comment").fill("older words")
    old.locator("#comment").press("Enter")
    expect(old.locator("#problem")).to_contain_text("another window has written \u201clater words\u201d")
    assert [(rating, comment) for _, _, rating, comment in served.saved()] == [(0, "later words")]
    old.locator("#comment").press("Enter")
    expect(old.locator("#problem")).to_be_hidden()
    assert [comment for *_, comment in served.saved()] == ["older words"]


def test_a_server_that_is_gone_is_told_and_a_new_start_goes_on(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(answers(3), "--all")
    page = open_page(served.url + "&rater=anna", complains=True)
    check_item(page, "Item 1 of 3")
    page.keyboard.press("1")
    check_item(page, "Item 2 of 3")
    served.kill()
    page.keyboard.press("0")
    expect(page.locator("#problem")).to_be_visible()
    assert "Not saved. The server does not answer" in text(page, "problem")
    check_item(page, "Item 2 of 3, not rated yet")
    served.start()
    page.goto(served.url + "&rater=anna")
    check_item(page, "Item 2 of 3, not rated yet")
    assert text(page, "rated") == "1 of 3 rated"


def test_names_are_checked_and_raters_change(serve: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    served = serve(answers(2), "--all")
    page = open_page(served.url, complains=True)
    enter(page, "../anna")
    expect(page.locator("#enter-problem")).to_be_visible()
    assert "rater's name" in text(page, "enter-problem")
    enter(page, "anna")
    check_item(page, "Item 1")
    page.keyboard.press("1")
    check_item(page, "Item 2")
    page.evaluate("document.getElementById('who').click()")
    enter(page, "boris")
    check_item(page, "Item 1 of 2, not rated yet")
    assert page.evaluate("location.search") == "?rater=boris"


def test_a_damaged_image_is_told(serve: Callable[..., Served], open_page: Callable[..., Page], tmp_path: Path) -> None:
    served = serve(answers(1), "--all")
    (tmp_path / "images" / "image0.png").write_bytes(b"<html>")
    page = open_page(served.url + "&rater=anna", complains=True)
    expect(page.locator("#film")).to_have_text("This image cannot be shown.")


def test_with_a_token_the_link_opens_the_page_and_nothing_else_does(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(answers(2), "--all", "--host", "0.0.0.0")
    address = re.sub(r"//[^:/]+", "//127.0.0.1", served.url)
    page = open_page(address.split("?")[0], complains=True)
    assert "whole link" in page.evaluate("document.body.textContent")
    page.goto(address + "&rater=anna")
    check_item(page, "Item 1 of 2")
    assert page.evaluate("location.search") == "?rater=anna"
    page.keyboard.press("1")
    check_item(page, "Item 2 of 2")
    assert [rating for _, _, rating, _ in served.saved()] == [1]


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
    in_sight = (
        "(() => {{ const box = document.getElementById('{}').getBoundingClientRect(); "
        "return box.bottom <= innerHeight + 1 && box.top >= 0; }})()"
    )
    assert page.evaluate(in_sight.format("scale"))
    page.evaluate("document.querySelector('#scale button').click()")
    check_item(page, "Item 2 of 2")


def test_undo_cannot_judge_and_reload(serve: Callable[..., Served], open_page: Callable[..., Page]) -> None:
    served = serve(written_reports(3))
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 3")
    page.keyboard.press("4")
    expect(page.locator("#saved-text")).to_have_text("Saved: item 1, 4.")
    check_item(page, "Item 2 of 3")
    page.locator("#undo").click()
    check_item(page, "Item 1 of 3, not rated yet")
    expect(page.locator("#saved-text")).to_have_text("Undone: item 1 is not rated.")
    page.keyboard.press("2")
    check_item(page, "Item 2 of 3")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("x")
    check_item(page, "Item 2 of 3")
    expect(page.locator("#saved-text")).to_have_text("Saved: item 1, cannot judge.")
    page.keyboard.press("u")
    check_item(page, "Item 1 of 3, rated 2")
    expect(page.locator("#saved-text")).to_have_text("Undone: item 1 is 2 again.")
    page.locator("#cannot").click()
    check_item(page, "Item 2 of 3")
    page.reload()
    check_item(page, "Item 2 of 3")
    assert text(page, "rated") == "1 of 3 rated"
    page.keyboard.press("ArrowLeft")
    check_item(page, "Item 1 of 3, cannot judge")
    expect(page.locator("#cannot")).to_have_attribute("aria-pressed", "true")
    assert [(rating, comment) for _, _, rating, comment in served.saved()] == [(None, "")]


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
        grey = "document.querySelector('#full canvas').getContext('2d').getImageData(40, 20, 1, 1).data[0]"
        page.wait_for_function(f"{grey} > 0")
        before = page.evaluate(grey)
        assert 0 < before < 255
        outputs = page.locator("#full .range output")
        shown = outputs.nth(1).text_content()
        if options:
            page.locator("#full input[type=range]").nth(1).fill("100")
        else:
            for _ in range(20):
                page.keyboard.press("Shift+L")
        expect(outputs.nth(1)).not_to_have_text(shown)
        page.wait_for_function(f"{grey} > {before}")  # a lower level makes it brighter: computed in the browser
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(
    serve: Callable[..., Served], open_page: Callable[..., Page], tmp_path: Path, scheme: str
) -> None:
    pytest.importorskip("axe_playwright_python")
    from .test_accessibility import faults

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
