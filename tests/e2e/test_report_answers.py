"""Answers on the page in a real browser: address, table, CSV, paper, images in full; and tens of thousands."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from pefomed_plugin.readers import DATASETS, DatasetSpec, Field
from pefomed_plugin.reporting.page.explorer import write_report
from pefomed_plugin.reporting.results import read_run

from ..unit.reporting.made import answers, make_images, make_run
from .browsing import PEN_OF_FULL, expect
from .test_report_page import check_shows, choose

Page = Any
pytestmark = pytest.mark.slow

N = 300
HOSTILE = {
    0: "=HYPERLINK(1)",
    1: "@SUM(A1)",
    2: "-2+3",
    3: 'say "no", or\nyes',
    4: "1/2",
    5: "\tx",
    6: "plain text",
    7: "\u0001<b>",
}
LONG = "runs/of_the_whole_study-with_a_long_name/judged-by-people.v2"
DEEP = 5
"""Of the images the one with 16 bits."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report")
    rows = answers([number % 3 != 0 for number in range(N)])
    rows = [replace(row, prediction=HOSTILE.get(number, row.prediction)) for number, row in enumerate(rows)]
    root = make_images(place / "images", rows)
    Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64)).save(root / f"image{DEEP}.png")
    run, other = (
        read_run(make_run(place / "own", rows), LONG),
        read_run(make_run(place / "no", answers([False] * N)), "b"),
    )
    write_report([run], place / "one.html", {"vqa_rad": root}, full_images="embedded")
    write_report([run, other], place / "two.html", {"vqa_rad": root}, full_images="linked")
    write_report([run], place / "small.html", {"vqa_rad": root})
    return place


def address(folder: Path, name: str, rest: str = "") -> str:
    return (folder / name).resolve().as_uri() + rest


@pytest.fixture
def page(folder: Path, open_page: Callable[..., Page]) -> Page:
    opened = open_page(address(folder, "one.html"))
    check_shows(opened, "300 of 300")
    return opened


def test_what_is_chosen_and_open_stands_in_the_address_and_back_undoes_it(page: Page) -> None:
    choose(page, "f-organ", "CHEST")
    check_shows(page, "225 of 300")
    choose(page, "f-verdict", "wrong")
    check_shows(page, "79 of 300")
    assert page.url.endswith("#?organ=CHEST&verdict=wrong")
    page.locator(".card").nth(2).click()
    expect(page.locator("#detail")).to_be_visible()
    assert "answer=vqa_rad-" in page.url
    page.locator("#detail").get_by_role("button", name="Next").click()
    page.go_back()
    expect(page.locator("#detail")).not_to_be_visible()
    check_shows(page, "79 of 300")
    page.go_back()
    check_shows(page, "225 of 300")
    expect(page.locator("#f-verdict")).to_have_value("")
    page.go_back()
    check_shows(page, "300 of 300")
    page.go_forward()
    check_shows(page, "225 of 300")
    page.locator(".card").first.click()
    page.locator("#detail").get_by_role("button", name="Close").click()
    expect(page.locator(".card").first).to_be_focused()
    assert page.url.endswith("#?organ=CHEST")
    steps = page.evaluate("history.length")
    for _ in range(3):
        page.locator(".card").nth(1).click()
        page.locator("#detail").get_by_role("button", name="Close").click()
    choose(page, "f-verdict", "wrong")
    check_shows(page, "79 of 300")
    assert page.evaluate("history.length") == steps, "what closed answers left behind is used again"
    page.go_back()
    check_shows(page, "225 of 300")


def test_letters_of_a_search_are_one_step(page: Page) -> None:
    page.locator("#search").press_sequentially("heart", delay=120)
    check_shows(page, "75 of 300")
    page.wait_for_url(re.compile("q=heart$"))
    page.go_back()
    check_shows(page, "300 of 300")
    expect(page.locator("#search")).to_have_value("")


def test_an_address_leads_to_filters_view_and_answer(folder: Path, open_page: Callable[..., Page]) -> None:
    page = open_page(address(folder, "one.html", "#?organ=HEAD&view=table&answer=vqa_rad-6"))
    check_shows(page, "75 of 300")
    expect(page.locator("#detail-question")).to_have_text("Which plane is drawn?")
    expect(page.locator("#detail")).to_contain_text("plain text")
    expect(page.locator("tr.answer").first).to_be_attached()
    expect(page.locator("#told")).to_have_text("")


def test_an_address_names_run_and_score(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    rows, scorers = answers([True, False] * 4), ["exact_match", "token_recall"]
    runs = [read_run(make_run(tmp_path / name, rows, scorers), name) for name in ("one", "two", "three")]
    write_report(runs, tmp_path / "page.html")
    page = open_page((tmp_path / "page.html").as_uri())
    choose(page, "f-run", "2")
    last = page.locator("#f-scorer option").last
    choose(page, "f-scorer", last.get_attribute("value"))
    name = last.text_content()
    expect(page).to_have_url(re.compile(re.escape(f"#?run=three&scorer={quote(name, safe='')}") + "$"))
    rest = page.url.partition("#")[2]
    write_report([runs[2], runs[0]], tmp_path / "anew.html")
    page.goto((tmp_path / "anew.html").as_uri() + "#" + rest)
    expect(page.locator("#count")).to_contain_text(f"by {name}, three")
    expect(page.locator("#told")).to_have_text("")
    page.goto((tmp_path / "anew.html").as_uri() + "#?run=two")
    expect(page.locator("#told")).to_contain_text('run "two"')


def test_what_an_address_names_and_the_page_has_not_is_said(folder: Path, open_page: Callable[..., Page]) -> None:
    page = open_page(address(folder, "one.html", "#?organ=KNEE&word=x&answer=vqa_rad-9999"))
    check_shows(page, "300 of 300")
    told = 'The address names what this page does not have: organ "KNEE", word "x", answer "vqa_rad-9999".'
    expect(page.locator("#told")).to_have_text(told)
    choose(page, "f-organ", "HEAD")
    expect(page.locator("#told")).to_have_text("")


def test_links_are_copied(folder: Path, open_page: Callable[..., Page]) -> None:
    page = open_page(address(folder, "one.html"), permissions=["clipboard-read", "clipboard-write"])
    choose(page, "f-organ", "HEAD")
    check_shows(page, "75 of 300")
    copied = "navigator.clipboard.readText()"
    page.locator("#link").click()
    expect(page.locator("#link")).to_have_text("Copied")
    assert page.evaluate(copied) == address(folder, "one.html", "#?organ=HEAD")
    page.locator(".card").first.click()
    page.locator("#detail").get_by_role("button", name="Copy link").click()
    expect(page.locator("#detail").get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate(copied) == address(folder, "one.html", "#?organ=HEAD&answer=vqa_rad-2")


def test_the_table_has_the_same_answers_and_says_that_it_scrolls(folder: Path, open_page: Callable[..., Page]) -> None:
    page = open_page(address(folder, "two.html"), viewport={"width": 390, "height": 800})
    page.locator("#view").click()
    expect(page.locator("tr.answer")).to_have_count(48)
    cells = page.locator("tr.answer").nth(6).locator("td")
    expect(cells.nth(2)).to_have_text("Which plane is drawn?")
    expect(cells.nth(4)).to_have_text("\u2717 plain text")
    expect(page.locator(".answers-table").locator("xpath=preceding-sibling::p")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.set_viewport_size({"width": 2400, "height": 800})
    expect(page.locator(".answers-table").locator("xpath=preceding-sibling::p")).to_be_hidden()
    page.locator("tr.answer").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    expect(page.locator(".card").first).to_be_visible()


def test_csv_holds_what_is_chosen_and_no_formula(page: Page) -> None:
    choose(page, "f-organ", "CHEST")
    check_shows(page, "225 of 300")
    with page.expect_download() as download:
        page.locator("#csv").click()
    assert download.value.suggested_filename == re.sub(r"[^\w.-]+", "_", LONG) + "-answers.csv"
    content = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    header, *rows = list(csv.reader(io.StringIO(content, newline="")))
    assert header[:5] == ["id", "test set", "images", "question", "reference"] and len(rows) == 225
    said = {row[0]: row[header.index("answer")] for row in rows}
    for number in (0, 1, 3, 4, 5, 7):
        text = HOSTILE[number]
        expected = text if number in (3, 7) else "'" + text
        assert said[f"vqa_rad-{number}"] == expected
    assert rows[0][header.index("exact_match/pefomed")] == "0" and rows[0][header.index("organ")] == "chest"
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_csv_has_the_confidence_where_the_page_has_it(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    rows = [replace(row, producer={"confidence": 0.12345} if at else {}) for at, row in enumerate(answers([True] * 3))]
    write_report([read_run(make_run(tmp_path / "run", rows))], tmp_path / "page.html")
    page = open_page((tmp_path / "page.html").as_uri())
    check_shows(page, "3 of 3")
    with page.expect_download() as download:
        page.locator("#csv").click()
    header, *found = list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"), newline="")))
    assert [row[header.index("confidence")] for row in found] == ["", "0.1235", "0.1235"]


def test_answers_of_one_id_in_two_test_sets_have_addresses_of_their_own(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    make_run(tmp_path / "run", answers([True] * 2))
    make_run(tmp_path / "run", answers([False] * 2, split="validate"))
    write_report([read_run(tmp_path / "run")], tmp_path / "page.html")
    page = open_page((tmp_path / "page.html").as_uri())
    check_shows(page, "4 of 4")
    page.locator(".card").nth(3).click()
    expect(page.locator("#detail")).to_contain_text("something else")
    page.reload()
    expect(page.locator("#detail")).to_contain_text("something else")
    assert "answer=vqa_rad-validate%2Fvqa_rad-1" in page.url


def test_one_answer_is_one_and_a_figure_without_an_interval_says_why(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    for name, right in (("one", [True]), ("wrong", [False] * 12), ("mixed", [True, False] * 6)):
        write_report([read_run(make_run(tmp_path / name, answers(right)))], tmp_path / f"{name}.html")
    page = open_page((tmp_path / "one.html").as_uri())
    expect(page.locator("#lead")).to_contain_text("1 answer about 1 image,")
    expect(page.locator(".set")).to_contain_text("1 sample, 1 image")
    expect(page.locator(".set")).to_contain_text("no 95 % interval: one cluster only")
    page.goto((tmp_path / "wrong.html").as_uri())
    expect(page.locator(".set")).to_contain_text("no 95 % interval: all 6 clusters have the same mean")
    expect(page.locator("#plots-bare")).to_be_visible()
    page.goto((tmp_path / "mixed.html").as_uri())
    expect(page.locator(".set")).to_contain_text("12 samples, 6 images")


@pytest.mark.parametrize("runs", [1, 2])
def test_an_open_answer_fits_a_small_screen_whatever_its_words(
    tmp_path: Path, open_page: Callable[..., Page], runs: int
) -> None:
    rows = [replace(row, answer="x" * 400, prediction="y" * 400) for row in answers([True] * 2)]
    given = [read_run(make_run(tmp_path / f"run{at}", rows)) for at in range(runs)]
    write_report(given, tmp_path / "page.html", {"vqa_rad": make_images(tmp_path / "images", rows)})
    page = open_page((tmp_path / "page.html").as_uri(), viewport={"width": 320, "height": 640})
    page.locator(".card").first.click()
    expect(page.locator("#detail")).to_be_visible()
    wide = "((box) => box.scrollWidth > box.clientWidth)(document.querySelector('#detail'))"
    assert not page.evaluate(wide) and page.evaluate("document.documentElement.scrollWidth") == 320
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys-title")).to_be_in_viewport()


def test_texts_that_are_written_from_right_to_left_are_laid_out_so(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    rows = [replace(row, answer="\u0646\u0639\u0645.", question="\u0647\u0644\u061f") for row in answers([True] * 2)]
    write_report([read_run(make_run(tmp_path / "run", rows))], tmp_path / "page.html")
    page = open_page((tmp_path / "page.html").as_uri())
    for place in (".card .question", ".card dd"):
        assert page.locator(place).first.evaluate("(node) => getComputedStyle(node).direction") == "rtl"


def test_an_answer_without_a_letter_is_told_and_is_another_than_none(
    tmp_path: Path, open_page: Callable[..., Page]
) -> None:
    rows = [replace(row, prediction=said) for row, said in zip(answers([False] * 4), ("", " \n", None, "another"))]
    write_report([read_run(make_run(tmp_path / "run", rows))], tmp_path / "page.html")
    page = open_page((tmp_path / "page.html").as_uri())
    wanted = ["\u2717 empty answer", "\u2717 empty answer", "\u2717 no answer", "\u2717 another"]
    assert page.locator(".card dd:last-of-type").all_inner_texts() == wanted
    page.keyboard.press("t")
    assert [text for text in page.locator("td.missing").all_inner_texts()] == wanted[:3]


def test_a_name_that_turns_the_direction_of_text_turns_no_other(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    rows = [replace(row, images=("\u202egnp.\u0646\u0639.png",)) for row in answers([True] * 2)]
    write_report([read_run(make_run(tmp_path / "run", rows))], tmp_path / "page.html")
    page = open_page((tmp_path / "page.html").as_uri())
    name, own = (page.locator(".card .source bdi").nth(at).bounding_box() for at in range(2))
    assert name["x"] < own["x"] or name["y"] < own["y"], "the file, then the id"


def test_the_browser_guards_texts_as_our_sheets_do(page: Page) -> None:
    from pefomed_plugin.services.spreadsheets import guarded

    texts = [
        *HOSTILE.values(),
        "1.5",
        "12:30",
        "3 Mar",
        "-",
        "'x",
        "\r=1",
        "\n=1",
        "3e5",
        "no. 3",
        "TRUE",
        "false",
        "untrue",
        "mars",
        "10 cm",
        "\u00bd",
        "",
    ]
    assert page.evaluate("texts => texts.map(guarded)", texts) == [guarded(text) for text in texts]


def test_file_id_and_alternative_text_are_there(page: Page) -> None:
    card = page.locator(".card").nth(2)
    expect(card.locator(".source")).to_have_text("image1.png \u00b7 vqa_rad-2")
    expect(card.locator("img")).to_have_attribute("alt", "image of vqa_rad-2: head, file image1.png")
    expect(card.locator(".tags")).to_contain_text("imaging plane")
    assert page.evaluate("[...document.images].every((image) => image.alt)")
    expect(page.locator("#f-organ option")).to_have_text(["all", "chest: 225", "head: 75"])


def test_long_names_are_parted_at_their_separators(folder: Path, open_page: Callable[..., Page]) -> None:
    page = open_page(address(folder, "two.html"), viewport={"width": 360, "height": 800})
    parts = "[...document.getElementById('title').childNodes].map((node) => node.textContent).filter(Boolean)"
    assert page.evaluate(parts) == [
        "runs/", "of_", "the_", "whole_", "study-", "with_", "a_", "long_", "name/", "judged-", "by-", "people.", "v2",
    ]  # fmt: skip
    assert page.evaluate("wrapped('1.695 - 3.848 of gpt-4o').length") == 1
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_every_run_is_in_the_summary_and_the_heading_says_what_is_compared(
    folder: Path, open_page: Callable[..., Page]
) -> None:
    page = open_page(address(folder, "two.html"))
    expect(page.locator("#comparison-title")).to_have_text("Comparison")
    expect(page.locator(".runs-beside .figure")).to_have_count(2)
    expect(page.locator(".runs-beside .own")).to_contain_text("this page")


def test_keys_are_told(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    expect(page.locator("#keys dd").filter(has_text="copy a link")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.locator("#help").click()
    expect(page.locator("#keys")).to_be_visible()


@pytest.mark.parametrize("view", ["cards", "table"])
def test_on_paper_every_chosen_answer_is_there_dark_on_light(
    folder: Path, open_page: Callable[..., Page], view: str
) -> None:
    page = open_page(address(folder, "one.html", f"#?organ=CHEST&view={view}"), color_scheme="dark")
    check_shows(page, "225 of 300")
    page.evaluate("""addEventListener("beforeprint", () => {
        const chosen = document.getElementById("chosen").textContent, theme = document.documentElement.dataset.theme;
        window.onPaper = [document.querySelectorAll(".answer").length, theme, chosen]; })""")
    page.pdf()
    assert page.evaluate("onPaper") == [225, "light", "Chosen: Organ: chest: 225"]
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator(".answer")).to_have_count(48)


def test_sixteen_bits_are_windowed_in_the_page(page: Page) -> None:
    page.locator(".card").nth(2 * DEEP).click()
    page.get_by_role("button", name="Image in full").click()
    expect(page.locator("#full .facts")).to_have_text("64 \u00d7 64 \u00b7 16 bits")
    shown = f"([x, y]) => [...{PEN_OF_FULL}.getImageData(x, y, 1, 1).data]"
    assert page.evaluate(shown, [0, 0])[0] == 0 and page.evaluate(shown, [63, 63])[0] == 255
    window, level = page.locator("#full input[type=range]").all()
    window.fill("100")
    level.fill("1000")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    values = {value: page.evaluate(shown, [value % 64, value // 64])[0] for value in (949, 975, 1000, 1025, 1051)}
    assert values == {949: 0, 975: 64, 1000: 128, 1025: 191, 1051: 255}, "two neighbours of 4,096 levels differ"


def test_an_image_is_enlarged_and_the_keys_are_those_of_the_image(page: Page) -> None:
    page.locator(".card").first.click()
    page.get_by_role("button", name="Image in full").click()
    expect(page.locator("#full .facts")).to_have_text("40 \u00d7 30 \u00b7 8 bits")
    width = "document.querySelector('#full canvas').getBoundingClientRect().width"
    fitting = page.evaluate(width)
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert page.evaluate(width) == pytest.approx(fitting / 1.5625, rel=0.01)
    page.keyboard.press("1")
    assert page.evaluate(width) == pytest.approx(40)
    page.get_by_role("button", name="Fit to the window").click()
    assert page.evaluate(width) == pytest.approx(fitting)
    page.keyboard.press("Escape")
    expect(page.locator("#full")).to_be_hidden()
    expect(page.locator("#detail")).to_be_visible()


def test_a_page_without_images_in_full_enlarges_the_small_ones_and_says_so(
    folder: Path, open_page: Callable[..., Page]
) -> None:
    page = open_page(address(folder, "small.html"))
    page.locator(".card").nth(2).click()
    page.get_by_role("button", name="Image larger").click()
    expect(page.locator("#full .facts")).to_contain_text("the small image of this page")


def test_a_linked_image_has_a_page_of_its_own(folder: Path, open_page: Callable[..., Page]) -> None:
    page = open_page(address(folder, "two.html"))
    page.locator(".card").nth(2 * DEEP).click()
    link = page.get_by_role("link", name="Image in full")
    target = folder / str(link.get_attribute("href"))
    assert target.name == f"{DEEP:05}.html" and link.get_attribute("rel") == "noopener"
    own = open_page(target.resolve().as_uri())
    expect(own.locator(".facts")).to_have_text("64 \u00d7 64 \u00b7 16 bits")
    expect(own.locator("#title")).to_have_text(f"image{DEEP}.png")


def test_linked_images_are_found_whatever_the_page_is_called(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    rows = answers([True] * 2)
    run, root = read_run(make_run(tmp_path / "run", rows)), make_images(tmp_path / "images", rows)
    write_report([run], tmp_path / "a:b #1 50%25?.html", {"vqa_rad": root}, full_images="linked")
    page = open_page((tmp_path / "a:b #1 50%25?.html").as_uri())
    page.locator(".card").first.click()
    own = open_page(page.get_by_role("link", name="Image in full").evaluate("(link) => link.href"))
    expect(own.locator("#title")).to_have_text("image0.png")


def test_with_fifty_thousand_answers_the_document_stays_small(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    rows = answers([number % 3 != 0 for number in range(50_000)])
    write_report([read_run(make_run(tmp_path / "run", rows))], tmp_path / "page.html")
    page = open_page(address(tmp_path, "page.html"))
    check_shows(page, "50,000 of 50,000")
    most = 0
    for _ in range(12):
        page.evaluate("scrollBy({top: 3000, behavior: 'instant'})")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        most = max(most, page.locator(".answer").count())
    page.evaluate("moveTo(40000)")
    expect(page.locator(".answer[data-position='40000']")).to_be_focused()
    expect(page.locator(".answer[data-position='40001']")).to_be_in_viewport()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert max(most, page.locator(".answer").count()) <= 8 * 48
    choose(page, "f-organ", "HEAD")
    check_shows(page, "12,500 of 50,000")
    assert page.locator(".answer").count() <= 8 * 48
    page.evaluate("scrollTo(0, 0)")
    with page.expect_download() as download:
        page.locator("#csv").click()
    assert Path(download.value.path()).read_bytes().count(b"\r\n") == 12_501


def test_a_field_that_is_called_as_a_filter_of_ours_is_told_apart(
    tmp_path: Path, open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = tuple(Field(name, name, {"a": "first"}) for name in ("order", "view", "answer"))
    monkeypatch.setitem(DATASETS.own, "notes", DatasetSpec("notes", "Notes", fields=fields, audience="public"))
    values = [{"order": "a", "view": "a", "answer": "b"}, {"order": "b", "view": "b", "answer": "a"}]
    rows = [replace(row, dataset="notes", metadata=values[at % 2]) for at, row in enumerate(answers([True] * 6))]
    write_report([read_run(make_run(tmp_path / "run", rows))], tmp_path / "page.html")
    page = open_page(address(tmp_path, "page.html", "#?field-view=a&order=down"))
    check_shows(page, "3 of 6")
    expect(page.locator("#f-order")).to_have_value("down")
    expect(page.locator("#f-field-view option:checked")).to_have_text("first: 3")
    expect(page.locator("#told")).to_have_text("")


def test_an_address_runs_nothing(folder: Path, open_page: Callable[..., Page]) -> None:
    hostile = "#?organ=%3Cimg src=x onerror=window.ran=1%3E&q=%22%3E%3Cscript%3Ewindow.ran=1%3C/script%3E"
    page = open_page(address(folder, "one.html", hostile))
    check_shows(page, "0 of 300")
    expect(page.locator("#told")).to_contain_text("<img src=x onerror=window.ran=1>")
    assert page.evaluate("typeof window.ran") == "undefined"
