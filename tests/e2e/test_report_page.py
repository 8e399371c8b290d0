"""The page in a real browser: what filters show, what keys do, that nothing complains and nothing of the data runs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest

from pefomed_plugin.reporting.agreement import measure_agreement, write_agreement
from pefomed_plugin.reporting.page.explorer import write_report
from pefomed_plugin.reporting.results import read_run
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.scoring.leaks import SampleLeaks, TrainingFacts, write_leaks
from pefomed_plugin.storage import write_records

from ..unit.reporting.made import answers, make_images, make_run, rate
from .browsing import expect

Page = Any
pytestmark = pytest.mark.slow

N = 400
RIGHT = [number % 4 != 2 for number in range(N)]
JUDGE = [1.0 if right or number == 1 else 0.0 for number, right in enumerate(RIGHT)]
PEOPLE = [
    [1 - value if number % 10 == 0 else value for number, value in enumerate(JUDGE)],
    [1 - value if number % 10 == 0 else value for number, value in enumerate(JUDGE)],
    [1 - value if number % 20 == 0 else value for number, value in enumerate(JUDGE)],
]
"""Two raters differ from the judge on every tenth answer, the third on every twentieth."""
HOSTILE = '</script><img src=x onerror="window.ran = 1"><script>window.ran = 1</script>'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    rows = answers(RIGHT)
    rows[1] = answers([True] * 2, prediction=HOSTILE)[1]
    results = make_run(folder / "both", rows, ["exact_match", "token_recall"]) / "results/vqa_rad-test"
    rate(results, rows, "judge/vqa/gpt-4o", [JUDGE, JUDGE])
    rate(results, rows, "human/vqa", PEOPLE)
    write_agreement(rows, results, measure_agreement(rows, results))
    runs = [read_run(folder / "both", "both"), read_run(make_run(folder / "none", answers([False] * N)), "none")]
    root = make_images(folder / "images", rows)
    (root / "image0.png").unlink()
    assert len(write_report(runs, folder / "report.html", {"vqa_rad": root})) == 1
    return folder / "report.html"


def test_ticks_are_at_the_floor_and_filters_part_by_what_training_has(tmp_path: Path, open_page: Callable) -> None:
    rows = answers(RIGHT[:40])
    results = make_run(tmp_path / "run", rows) / "results/vqa_rad-test"
    write_records(results / "floors" / "most_frequent" / "predictions.jsonl", answers([True] * 30 + [False] * 10))
    write_scores(rows, ["exact_match"], results, {})
    twins = [number < 30 for number in range(40)]
    write_leaks(results, SampleLeaks.of(rows, TrainingFacts(7, "0" * 64, False), {"twin": twins}))
    write_report([read_run(tmp_path / "run")], tmp_path / "page.html")
    page = open_page((tmp_path / "page.html").resolve().as_uri())
    check_shows(page, "40 of 40")
    overall = page.locator(".figure").filter(has_text="overall").locator(".strip .floor")
    assert overall.get_attribute("x1") == "75%"
    expect(page.locator(".floor-note")).to_contain_text("most_frequent")
    expect(page.locator("#sets")).to_contain_text("framed twin 30")
    assert page.locator("#plots .strip").count() == page.locator("#plots .strip .floor").count() > 0
    choose(page, "f-twin", "no")
    check_shows(page, "10 of 40")
    page.get_by_role("button", name="with framed twin").first.click()
    check_shows(page, "30 of 40")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390

    write_report([read_run(tmp_path / "run", floors=False)], tmp_path / "without.html")
    page = open_page((tmp_path / "without.html").resolve().as_uri())
    check_shows(page, "40 of 40")
    expect(page.locator(".floor, .floor-note")).to_have_count(0)
    expect(page.locator("#sets")).not_to_contain_text("floor")


@pytest.fixture
def page(report: Path, open_page: Callable[..., Page]) -> Page:
    opened = open_page(report.resolve().as_uri())
    check_shows(opened, "400 of 400")
    return opened


def choose(page: Page, element: str, value: str) -> None:
    page.evaluate(
        f"(() => {{ const one = document.getElementById('{element}'); one.value = '{value}'; "
        "one.dispatchEvent(new Event('input', {bubbles: true})); "
        "one.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def check_shows(page: Page, start: str) -> None:
    """Fail unless the page comes to show this count of answers."""
    expect(page.locator("#count")).to_have_text(re.compile("^" + re.escape(start)))


def test_nothing_complains_and_nothing_of_the_data_runs(page: Page) -> None:
    assert page.evaluate("typeof window.ran") == "undefined"
    card = "document.querySelectorAll('.card')[1]"
    assert page.evaluate(card + ".querySelectorAll('dd')[1].textContent") == "✗ " + HOSTILE
    assert page.evaluate(card + ".querySelector('.question').textContent") == "What is <b>bold</b> here?"


@pytest.mark.parametrize(
    ("element", "value", "count"),
    [
        ("f-answer_type", "OPEN", 200),
        ("f-question_type", "PRES", 200),
        ("f-question_type", "SIZE", 100),
        ("f-organ", "HEAD", 100),
        ("f-verdict", "right", 299),
        ("f-verdict", "wrong", 101),
        ("search", "heart LARGE", 100),
        ("search", "vqa_rad-399", 1),
        ("search", "nowhere to be found", 0),
    ],
)
def test_filters_show_what_they_say(page: Page, element: str, value: str, count: int) -> None:
    choose(page, element, value)
    check_shows(page, f"{count} of 400")
    assert page.evaluate("document.querySelectorAll('.card').length") == min(count, 48)
    assert page.evaluate("document.getElementById('none').hidden") is (count > 0)


def test_every_image_of_a_study_is_shown_with_its_name(tmp_path: Path, open_page: Callable[..., Page]) -> None:
    rows = answers([True, False, True])
    shown = ("image0.png", "image1.png")
    rows[0] = replace(rows[0], images=shown, views=("frontal", "lateral"))
    rows[1] = replace(rows[1], images=shown[::-1])
    run = read_run(make_run(tmp_path / "run", rows), "run")
    root = make_images(tmp_path / "images", [row for row in answers([True] * 4)])
    assert write_report([run], tmp_path / "report.html", {"vqa_rad": root}) == []
    page = open_page((tmp_path / "report.html").resolve().as_uri())
    cards = page.locator(".card")
    expect(cards.nth(0).locator("figcaption")).to_have_text(["frontal", "lateral"])
    expect(cards.nth(1).locator("figcaption")).to_have_text(["image 1", "image 2"])
    expect(cards.nth(0).locator("img")).to_have_count(2)
    expect(cards.nth(2).locator("img")).to_have_count(1)
    expect(cards.nth(2).locator("figcaption")).to_have_count(0)
    cards.nth(0).click()
    expect(page.locator("#detail figcaption")).to_have_text(["frontal", "lateral"])


def test_filters_combine_and_the_share_of_right_answers_follows(page: Page) -> None:
    choose(page, "f-answer_type", "OPEN")
    choose(page, "f-organ", "CHEST")
    check_shows(page, "100 of 400 answers, 99.0 % right")


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        # The hostile answer is wrong by exact match, and right by everybody else and by token recall ("script").
        ("exact_match~judge", 1),
        ("exact_match~human", 41),
        ("judge~human", 40),
        ("any", 41),
        ("human", 20),
        ("runs", 299),
    ],
)
def test_disagreement_between_scorers_people_and_runs(page: Page, kind: str, count: int) -> None:
    choose(page, "f-differ", kind)
    check_shows(page, f"{count} of 400")
    assert "disagree" in page.evaluate("document.querySelector('.differ').textContent")
    assert page.evaluate("[...document.getElementById('f-differ').options].every((each) => each.value !== 'judge')")


def test_every_run_answers_on_its_card(page: Page) -> None:
    said = "[...document.querySelectorAll('.card')[{}].querySelectorAll('dt, dd')].map((each) => each.textContent)"
    assert page.evaluate(said.format(0)) == ["Reference", "yes", "both", "\u2713 yes", "none", "\u2717 something else"]
    assert page.evaluate(said.format(2)) == ["Reference", "axial", "both; none", "\u2717 something else"]


def test_verdicts_are_those_of_the_chosen_run(page: Page) -> None:
    choose(page, "f-run", "1")
    check_shows(page, "400 of 400 answers, 0.0 % right by exact_match/pefomed, none")
    choose(page, "f-verdict", "right")
    check_shows(page, "0 of 400")


def test_judges_and_people(page: Page) -> None:
    shown = page.evaluate("document.getElementById('ratings').textContent")
    assert "as in the paper's Table 9" in shown and "rater 3" in shown and "run 2" in shown
    assert "95.0 % \u00b1" not in shown and "Krippendorff's alpha, people" in shown
    assert page.evaluate("document.querySelectorAll('.rater').length") == 3 + 1 + 2 + 1
    kappa = page.evaluate("document.querySelector('.matrix button').textContent")
    page.evaluate(
        "(() => { const one = document.querySelector('.agreement select'); one.value = 'spearman'; "
        "one.dispatchEvent(new Event('change')); })()"
    )
    assert page.evaluate("document.querySelector('.matrix button').textContent").startswith("0.9")
    assert kappa.startswith("0.9")
    page.evaluate("document.querySelector('.matrix button').click()")
    cells = page.evaluate("[...document.querySelectorAll('.counts tbody td')].map((each) => each.textContent)")
    assert cells == ["0", "100", "1", "1", "0", "299"]
    page.evaluate("document.querySelectorAll('.card')[4].click()")
    expect(page.locator("#detail")).to_be_visible()
    assert "human/vqa (1 1 1)" in page.evaluate("document.getElementById('detail-body').textContent")


def test_the_lowest_scores_come_first_and_unscored_last(page: Page) -> None:
    choose(page, "f-scorer", "1")
    choose(page, "f-order", "up")
    expect(page.locator(".card").first).to_have_attribute("data-id", "vqa_rad-2")
    choose(page, "f-verdict", "unscored")
    check_shows(page, "200 of 400")


def test_a_bar_of_the_breakdown_chooses_its_answers(page: Page) -> None:
    page.evaluate(
        "[...document.querySelectorAll('.group')].find((each) => each.textContent.includes('imaging plane')).click()"
    )
    check_shows(page, "100 of 400 answers, 0.0 % right")


def test_scorers_stand_side_by_side_with_their_sd(page: Page) -> None:
    group = "[...document.querySelectorAll('.group')].find((each) => each.textContent.includes('imaging plane'))"
    values = f"[...{group}.querySelectorAll('b')].map((each) => each.title + ' ' + each.textContent)"
    side_by_side = ["exact_match/pefomed 0.0 %", "judge/vqa/gpt-4o 0.0 ± 0.0 %", "human/vqa 13.3 ± 11.5 %"]
    assert page.evaluate(values) == side_by_side
    choose(page, "plot-scorer", "judge/vqa/gpt-4o")
    assert page.evaluate(values) == ["judge/vqa/gpt-4o 0.0 ± 0.0 %"]


def test_cards_are_added_as_one_scrolls(page: Page) -> None:
    page.evaluate("document.getElementById('footer').scrollIntoView({behavior: 'instant'})")
    expect(page.locator(".card").nth(48)).to_be_attached()


def test_cards_are_added_while_their_end_stays_in_sight(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 20_000})
    expect(page.locator(".card").nth(3 * 48 - 1)).to_be_attached()
    choose(page, "f-organ", "HEAD")
    expect(page.locator(".card")).to_have_count(100)
    assert page.evaluate("document.getElementById('end').hidden")


def test_a_button_adds_cards_without_scrolling(page: Page) -> None:
    choose(page, "f-answer_type", "OPEN")
    check_shows(page, "200 of 400")
    drawn = "document.querySelectorAll('.card').length"
    assert page.evaluate(drawn) == 48
    assert page.evaluate("document.getElementById('more').textContent") == "Show 48 more of 152"
    page.evaluate("document.getElementById('more').click()")
    assert page.evaluate(drawn) == 96 and page.evaluate("scrollY") == 0


def test_keys_walk_open_and_close(page: Page) -> None:
    page.evaluate("document.activeElement.blur()")
    for key in ("j", "j", "k", "j", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#detail")).to_be_visible()
    assert page.evaluate("document.getElementById('detail-body').textContent").count("vqa_rad-1") >= 1
    page.keyboard.press("ArrowRight")
    expect(page.locator("#detail-question")).to_have_text("Which plane is drawn?")
    page.evaluate("document.getElementById('detail').close()")
    expect(page.locator(".card[data-id=vqa_rad-2]")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()


def test_a_missing_image_is_told_and_the_others_are_there(page: Page) -> None:
    assert page.evaluate("document.querySelector('.card .image').textContent") == "image cannot be shown"
    expect(page.locator(".card").nth(2).locator("img")).to_have_js_property("naturalWidth", 40)


def test_ablation_light_and_dark(page: Page) -> None:
    assert page.evaluate("document.querySelector('#tables tbody').rows.length") == 2
    assert "(87.1)" in page.evaluate("document.querySelector('#tables tbody').textContent")
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        expect(page.locator("html")).to_have_attribute("data-theme", scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]


def test_on_a_phone_the_choices_are_folded(report: Path, open_page: Callable[..., Page]) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "device_scale_factor": 2}
    page = open_page(report.resolve().as_uri(), **phone)
    check_shows(page, "400 of 400")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("getComputedStyle(document.getElementById('choices')).display") == "none"
    page.evaluate("document.getElementById('filter-toggle').click()")
    assert page.evaluate("getComputedStyle(document.getElementById('choices')).display") == "flex"
