"""The page of ``pefomed chat``: what its buttons do, and, where gradio and Chromium are, the page itself."""

from __future__ import annotations

from importlib.util import find_spec

import httpx
import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError, ImageError
from pefomed_plugin.ui.page import TASKS, Desk, build_page, draw_examples, find_examples, launch
from tests.e2e.browsing import expect

needs_gradio = pytest.mark.skipif(find_spec("gradio") is None, reason="gradio (extra ui) is not installed")


def test_the_answer_grows_into_what_the_model_says(model, scans):
    desk, path = Desk(model, max_new_tokens=8), str(scans / "a.png")
    for task, identifier in TASKS.items():
        texts = list(desk.answer(path, task, "What is it?"))
        expected = (
            model.ask(path, "What is it?", max_new_tokens=8)
            if identifier == "vqa"
            else getattr(model, identifier)(path, max_new_tokens=8)
        )
        assert len(texts) > 1 and texts[-1] == expected


def test_what_was_dropped_is_shown_or_told(model, scans):
    desk = Desk(model)
    assert desk.show(None) is None and desk.show(str(scans / "a.png")).size == (64, 64)
    (scans / "x.dcm").write_text("no")
    with pytest.raises(ImageError, match="x.dcm"):
        desk.show(str(scans / "x.dcm"))
    for path, question, told in ((None, "?", "no image yet"), (str(scans / "a.png"), " ", "an empty question")):
        with pytest.raises(ConfigError, match=told):
            next(desk.answer(path, next(iter(TASKS)), question))


def test_what_an_answer_leans_on_is_drawn_once_there_is_one(model, scans):
    desk, path, task = Desk(model), str(scans / "a.png"), next(iter(TASKS))
    with pytest.raises(ConfigError, match="ask something first"):
        desk.explain(path, task, "What is it?", "")
    drawn, words = desk.explain(path, task, "What is it?", "a lung")
    assert drawn.height > 448 and words.startswith("probability 0.")


def test_examples_are_drawings_or_the_users_images(scans, tmp_path):
    assert [(example[0], example[1]) for example in find_examples(scans)] == [
        (str(scans / "a.png"), "Question [vqa]"),
        (str(scans / "old" / "b.jpg"), "Report [report]"),
    ]
    drawn = draw_examples(tmp_path)
    assert len(drawn) == 3 and all((tmp_path / each[0]).is_file() for each in drawn)


def test_without_gradio_the_extra_and_the_terminal_are_named(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["chat", "--ckpt", "embedded"]) == 2
    assert "pip install gradio; or talk in the terminal, with --cli" in capsys.readouterr().err


@needs_gradio
def test_a_taken_port_is_told(model):
    import socket

    from pefomed_plugin.ui.page import serve

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="choose another with --port"):
            serve(model, host="127.0.0.1", port=taken.getsockname()[1])


@needs_gradio
@pytest.mark.slow
def test_the_page_answers_and_asks_nothing_of_other_machines(model, open_page, tmp_path):
    examples = draw_examples(tmp_path)
    page = build_page(Desk(model, max_new_tokens=8), examples)
    address = launch(page, "127.0.0.1", folders=[str(tmp_path)])
    try:
        for name, status in (("rebound.example", 403), ("localhost", 200)):  # a stranger's name that points here
            assert httpx.get(address, headers={"Host": name}).status_code == status
        tab = open_page(address)
        expect(tab.locator("#ask")).to_be_visible()
        expect(tab.locator("table tbody tr").first).to_be_visible()
        assert "not for clinical use" in tab.evaluate("document.body.innerText")
        assert "share" not in tab.evaluate("document.querySelector('#image').outerHTML.toLowerCase()")
        tab.locator("table tbody tr").first.click()
        expect(tab.locator("#image img").first).to_be_visible()
        tab.locator("#ask").click()
        expected = model.ask(examples[0][0], examples[0][2], max_new_tokens=8)
        expect(tab.locator("#answer textarea")).to_have_value(expected)
        tab.goto("about:blank")  # closes what it holds open of the page, which ends next
    finally:
        page.close(verbose=False)


@needs_gradio
def test_the_page_has_our_colours_and_type_in_light_and_dark():
    from pefomed_plugin.reporting.look import DARK, LIGHT, read_look
    from pefomed_plugin.ui.look import make_theme, page_style

    theme = make_theme()
    for scheme, ending in ((LIGHT, ""), (DARK, "_dark")):
        look = read_look(scheme)
        assert getattr(theme, "body_background_fill" + ending) == look["paper"]
        assert getattr(theme, "button_primary_background_fill" + ending) == look["accent"]
        assert look["mark"] in page_style()
    assert theme.font == read_look()["sans"] and not theme._font_css and not theme._stylesheets
