"""What a rater does on the page, in a real browser: keys, comments, undo, and that nothing said is lost."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.services.judged import answers, written_reports

from ..browsing import expect
from .page import Page, Served, all_saved, check_item, enter, text, wait_for

pytestmark = pytest.mark.slow
N = 8


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
    all_saved(page)
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
    all_saved(new)
    check_item(old, "Item 1 of 2, not rated yet")
    old.keyboard.press("0")  # says nothing of the comment, which it has not seen
    check_item(old, "Item 2 of 2")
    old.keyboard.press("ArrowLeft")
    all_saved(old)
    check_item(old, "Item 1 of 2, rated 0")
    old.locator("#comment").fill("older words")
    old.locator("#comment").press("Enter")
    expect(old.locator("#problem")).to_contain_text("another window has written \u201clater words\u201d")
    assert [(rating, comment) for _, _, rating, comment in served.saved()] == [(0, "later words")]
    old.locator("#comment").press("Enter")
    expect(old.locator("#problem")).to_be_hidden()
    assert [comment for *_, comment in served.saved()] == ["older words"]


def test_a_comment_that_is_being_typed_is_kept_when_the_page_is_left(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(answers(2), "--all")
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 2")
    page.locator("#comment").press_sequentially("half a thou")
    page.reload()
    check_item(page, "Item 1 of 2, not rated yet")
    page.reload()  # the one before may have been faster than the comment
    expect(page.locator("#comment")).to_have_value("half a thou")
    assert [comment for *_, comment in served.saved()] == ["half a thou"]


def test_without_a_network_comments_and_images_wait_and_come_when_it_is_back(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(written_reports(8))
    page = open_page(served.url + "&rater=anna", complains=True)
    check_item(page, "Item 1 of 8")
    expect(page.locator("#film img")).to_have_js_property("naturalWidth", 40)
    page.context.set_offline(True)
    page.locator("#comment").fill("words")
    page.keyboard.press("Escape")
    expect(page.locator("#problem")).to_contain_text("The comment is not saved")
    for number in range(2, 8):
        page.keyboard.press("ArrowRight")
        check_item(page, f"Item {number} of 8")
    expect(page.locator("#unsaved-text")).to_have_text("Not saved: the comment on item 1.")
    expect(page.locator("#film")).to_contain_text("This image cannot be shown. Try again")
    page.context.set_offline(False)
    expect(page.locator("#unsaved")).to_be_hidden()
    expect(page.locator("#film img")).to_have_js_property("naturalWidth", 40)
    assert [comment for *_, comment in served.saved()] == ["words"]


def test_what_another_window_has_said_is_told_and_counted(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(written_reports(4))
    old, new = (open_page(served.url + "&rater=anna") for _ in range(2))
    check_item(old, "Item 1 of 4")
    for number in (1, 2):
        check_item(new, f"Item {number} of 4")
        new.keyboard.press("4")
    check_item(new, "Item 3 of 4")
    all_saved(new)
    old.keyboard.press("0")
    expect(old.locator("#saved-text")).to_have_text("Saved: item 1, 0. Another window had said 4.")
    check_item(old, "Item 2 of 4, rated 4")  # of the other window too
    assert text(old, "rated") == "2 of 4 rated"
    new.keyboard.press("ArrowLeft")
    new.keyboard.press("ArrowLeft")
    check_item(new, "Item 1 of 4, rated 4")
    new.keyboard.press("0")
    check_item(new, "Item 2 of 4, rated 4")
    expect(new.locator("#saved-text")).to_have_text("Saved: item 1, 0. Another window had said 0.")


def test_nothing_that_is_too_long_is_cut_in_silence(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(answers(2), "--all")
    page = open_page(served.url, complains=True)
    page.locator("#name").fill("a" * 41)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#enter-problem")).to_contain_text("at most 40")
    page.locator("#name").fill("anna")
    page.get_by_role("button", name="Start").click()
    check_item(page, "Item 1 of 2")
    page.locator("#comment").fill("b" * 70_000)
    page.keyboard.press("Escape")
    expect(page.locator("#problem")).to_contain_text("at most 2,000 characters, and this one has 70,000")
    page.keyboard.press("1")
    expect(page.locator("#problem")).to_contain_text("Not saved. A comment has at most 2,000 characters")
    check_item(page, "Item 1 of 2, not rated yet")
    page.locator("#comment").fill("b" * 2000)
    page.keyboard.press("Escape")
    expect(page.locator("#problem")).to_be_hidden()
    page.keyboard.press("1")
    check_item(page, "Item 2 of 2")
    all_saved(page)
    assert [(rating, len(comment)) for _, _, rating, comment in served.saved()] == [(1, 2000)]


def test_a_round_that_is_none_is_told_and_the_page_can_be_begun_again(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    page = open_page(serve(answers(2), "--all").url + "&rater=anna&round=7", complains=True)
    expect(page.locator("#enter-problem")).to_have_text("no such round; there are 1")
    page.get_by_role("button", name="Start").click()
    check_item(page, "Item 1 of 2")


def test_a_server_that_is_gone_is_told_and_a_new_start_goes_on(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(answers(3), "--all")
    page = open_page(served.url + "&rater=anna", complains=True)
    check_item(page, "Item 1 of 3")
    page.keyboard.press("1")
    check_item(page, "Item 2 of 3")
    all_saved(page)
    served.kill()
    page.keyboard.press("0")
    expect(page.locator("#unsaved-text")).to_contain_text("Not saved: the rating of item 2. The server does not answer")
    assert text(page, "rated") == "1 of 3 rated"
    page.keyboard.press("1")  # goes no further while nothing is saved
    check_item(page, "Item 3 of 3, rated 1, not saved yet")
    expect(page.locator("#problem")).to_contain_text("Not saved. The server does not answer")
    page.keyboard.press("ArrowLeft")
    check_item(page, "Item 2 of 3, rated 0, not saved yet")
    expect(page.locator("#problem")).to_contain_text("Not saved. The server does not answer")
    served.start()
    page.goto(served.url + "&rater=anna")
    check_item(page, "Item 2 of 3, not rated yet")
    assert text(page, "rated") == "1 of 3 rated"


@contextmanager
def slow(served: Served) -> Iterator[None]:
    """Nothing is saved meanwhile: somebody else writes into the store."""
    other = sqlite3.connect(str(served.store), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_slow_store_loses_nothing_of_a_fast_rater(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(written_reports(N))
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 8")
    with slow(served):
        for key in "412":
            page.keyboard.press(key)
        check_item(page, "Item 4 of 8, not rated yet")  # what is said is about the item in sight
        page.keyboard.press("u")
        check_item(page, "Item 3 of 8, not rated yet")
        page.keyboard.press("x")
        page.keyboard.press("0")
        check_item(page, "Item 5 of 8, not rated yet")
        page.keyboard.press("3")
        expect(page.locator("#saved-text")).to_have_text("Saving 5 ratings \u2026")
        check_item(page, "Item 5 of 8, rated 3, saving")  # five wait: the page waits too
        page.keyboard.press("1")
        check_item(page, "Item 5 of 8, rated 1, saving")
        assert text(page, "rated") == "0 of 8 rated" and served.saved() == []
    check_item(page, "Item 6 of 8, not rated yet")
    expect(page.locator("#saved-text")).to_have_text("Saved: item 5, 1.")
    assert text(page, "rated") == "5 of 8 rated"
    assert sorted(str(rating) for _, _, rating, _ in served.saved()) == ["0", "1", "1", "4", "None"]
    page.reload()
    for number, said in enumerate(["rated 4", "rated 1", "cannot judge", "rated 0", "rated 1", "not rated yet"], 1):
        if number == 1:
            for back in range(5, 0, -1):
                check_item(page, f"Item {back + 1} of 8")
                page.keyboard.press("ArrowLeft")
        check_item(page, f"Item {number} of 8, {said}")
        page.keyboard.press("ArrowRight")


def test_what_waits_is_saved_when_the_page_is_left_and_the_end_waits_for_it(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(written_reports(3))
    page = open_page(served.url + "&rater=anna")
    check_item(page, "Item 1 of 3")
    with slow(served):
        page.keyboard.press("4")
        page.keyboard.press("3")
        check_item(page, "Item 3 of 3, not rated yet")
        page.goto("about:blank")
    page.goto(served.url + "&rater=anna")
    wait_for(page, "Number(document.getElementById('rated').textContent[0])", 2)
    check_item(page, "Item 3 of 3, not rated yet")
    with slow(served):
        page.keyboard.press("2")
        check_item(page, "Item 3 of 3, rated 2, saving")
        assert page.locator("#done").is_hidden()
        page.keyboard.press("u")
        check_item(page, "Item 3 of 3, not rated yet, saving")  # it was on its way
        page.keyboard.press("1")
        page.locator("#who").click()  # a question, which the test's browser denies
        check_item(page, "Item 3 of 3, rated 1, saving")
    expect(page.locator("#done")).to_be_visible()
    assert sorted(rating for _, _, rating, _ in served.saved()) == [1, 3, 4]


def test_a_rating_that_is_never_taken_is_named_and_the_others_go_on(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    served = serve(written_reports(3))
    page = open_page(served.url + "&rater=anna", complains=True)
    check_item(page, "Item 1 of 3")
    page.evaluate("items()[0].item = 'of another study'")
    page.keyboard.press("4")
    expect(page.locator("#unsaved-text")).to_have_text(
        "Not saved: the rating of item 1. 4: no such item for anna; load the page again"
    )
    page.keyboard.press("3")
    check_item(page, "Item 3 of 3, not rated yet")
    expect(page.locator("#rated")).to_have_text("1 of 3 rated")
    page.keyboard.press("2")
    check_item(page, "Item 1 of 3, not rated yet")
    expect(page.locator("#problem")).to_have_text("Not saved. 4: no such item for anna; load the page again")
    all_saved(page)
    assert text(page, "rated") == "2 of 3 rated"
    assert sorted(rating for _, _, rating, _ in served.saved()) == [2, 3]


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
    all_saved(page)
    page.evaluate("document.getElementById('who').click()")
    enter(page, "boris")
    check_item(page, "Item 1 of 2, not rated yet")
    assert page.evaluate("location.search") == "?rater=boris"


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
    all_saved(page)
    assert [rating for _, _, rating, _ in served.saved()] == [1]


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
    all_saved(page)
    check_item(page, "Item 1 of 3, rated 2")
    expect(page.locator("#saved-text")).to_have_text("Undone: item 1 is 2 again.")
    page.locator("#cannot").click()
    check_item(page, "Item 2 of 3")
    all_saved(page)
    page.reload()
    check_item(page, "Item 2 of 3")
    assert text(page, "rated") == "1 of 3 rated"
    page.keyboard.press("ArrowLeft")
    check_item(page, "Item 1 of 3, cannot judge")
    expect(page.locator("#cannot")).to_have_attribute("aria-pressed", "true")
    assert [(rating, comment) for _, _, rating, comment in served.saved()] == [(None, "")]


def test_after_a_reload_u_says_that_there_is_nothing_to_undo(
    serve: Callable[..., Served], open_page: Callable[..., Page]
) -> None:
    page = open_page(serve(answers(3), "--all").url + "&rater=anna")
    check_item(page, "Item 1 of 3")
    page.keyboard.press("1")
    all_saved(page)
    page.reload()
    check_item(page, "Item 2 of 3")
    page.keyboard.press("u")
    expect(page.locator("#saved-text")).to_contain_text("Nothing to undo")
    expect(page.locator("#undo")).to_be_hidden()
    check_item(page, "Item 2 of 3, not rated yet")


def test_a_page_of_another_study_left_open_rates_nothing_here(open_page: Callable[..., Page], tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one = Served(tmp_path / "one", answers(3), "--all")
    port = re.findall(r":(\d+)/", one.url)[0]
    try:
        old = open_page(one.url + "&rater=anna", complains=True)
        check_item(old, "Item 1 of 3")
    finally:
        one.kill()
    other = Served(tmp_path / "other", answers(3, prediction="said by another model"), "--all", port=port)
    try:
        new = old.context.new_page()  # takes the new link's key, in the same browser
        new.goto(other.url + "&rater=anna")
        check_item(new, "Item 1 of 3")
        old.keyboard.press("1")
        expect(old.locator("#unsaved-text")).to_contain_text("another study than the one that is served here now")
        assert text(old, "rated") == "0 of 3 rated" and other.saved() == []
        new.keyboard.press("0")
        all_saved(new)
        assert [rating for _, _, rating, _ in other.saved()] == [0]
    finally:
        other.kill()
