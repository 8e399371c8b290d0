"""The page of ``pefomed chat``: what its buttons do, and, where gradio and Chromium are, the page itself."""

from __future__ import annotations

from importlib.util import find_spec
from threading import Event
from types import SimpleNamespace

import httpx
import pytest
import torch
from PIL import Image

from pefomed_plugin import load
from pefomed_plugin.adapters.medical_model import Request
from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError, ImageError
from pefomed_plugin.services.images.decoding import DEFAULT_POLICY
from pefomed_plugin.storage import read_predictions
from pefomed_plugin.ui.desk import TASKS, Desk
from pefomed_plugin.ui.examples import draw_examples
from pefomed_plugin.ui.page import build_page, launch
from tests.e2e.browsing import PATIENCE_MS, expect


@pytest.fixture(scope="module")
def other(files, tmp_path_factory):
    """A second model that says other things."""
    content = torch.load(files["checkpoint"], weights_only=True)
    draw = torch.Generator().manual_seed(1)
    content["model"] = {
        key: tensor + 0.3 * torch.randn(tensor.shape, generator=draw) if "lora_B" in key else tensor
        for key, tensor in content["model"].items()
    }
    path = tmp_path_factory.mktemp("other") / "other.pth"
    torch.save(content, path)
    return load(path, llama=files["llama"], vit=files["vit"])


needs_gradio = pytest.mark.skipif(find_spec("gradio") is None, reason="gradio (extra ui) is not installed")


def test_the_answer_grows_into_what_the_model_says(model, scans):
    desk, path = Desk(model, max_new_tokens=8), str(scans / "a.png")
    for task, identifier in TASKS.items():
        said = [one for (one,) in desk.ask(path, task, "What is it?")]
        texts = [one.text for one in said]
        expected = (
            model.ask(path, "What is it?", max_new_tokens=8)
            if identifier == "vqa"
            else getattr(model, identifier)(path, max_new_tokens=8)
        )
        assert len(texts) > 1 and texts[-1] == expected
        request = Request(path, identifier, "What is it?" if identifier == "vqa" else None)
        assert said[-1].prompt == model.prompt(request) and "<ImageHere>" in said[-1].prompt
        assert said[-1].confidence == pytest.approx(model.confidences([request], [expected])[0], rel=1e-6)
        assert {one.confidence for one in said[:-1]} == {None}


def test_two_models_answer_the_same_each_as_alone(model, other, scans):
    path, task = str(scans / "a.png"), next(iter(TASKS))
    desk = Desk(model, max_new_tokens=8, against=other)
    *_, (one, two) = desk.ask(path, task, "What is it?")
    for said, asked in ((one, model), (two, other)):
        assert said.text == asked.ask(path, "What is it?", max_new_tokens=8)
        expected = asked.confidences([Request(path, "vqa", "What is it?")], [said.text])[0]
        assert said.confidence == pytest.approx(expected, rel=1e-6)
    assert one.confidence != two.confidence
    assert [name[:3] for name in desk.names] == ["A: ", "B: "] and desk.names[1].endswith("other.pth")


def test_what_was_dropped_is_shown_or_told(model, scans):
    desk = Desk(model)
    assert desk.show(None) is None and desk.show(str(scans / "a.png")).size == (64, 64)
    (scans / "x.dcm").write_text("no")
    with pytest.raises(ImageError, match="x.dcm"):
        desk.show(str(scans / "x.dcm"))
    for path, question, told in ((None, "?", "no image yet"), (str(scans / "a.png"), " ", "an empty question")):
        with pytest.raises(ConfigError, match=told):
            next(desk.ask(path, next(iter(TASKS)), question))


def test_what_an_answer_leans_on_is_drawn_once_there_is_one(model, scans):
    desk, path, task = Desk(model), str(scans / "a.png"), next(iter(TASKS))
    with pytest.raises(ConfigError, match="ask something first"):
        desk.explain(path, task, "What is it?", "")
    drawn, words = desk.explain(path, task, "What is it?", "a lung")
    assert drawn.height > 448 and words.startswith("probability 0.")


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
    gallery = draw_examples(tmp_path)
    page = build_page(Desk(model, max_new_tokens=8), gallery)
    address = launch(page, "127.0.0.1", folders=gallery.folders)
    try:
        for name, status in (("rebound.example", 403), ("localhost", 200)):  # a stranger's name that points here
            assert httpx.get(address, headers={"Host": name}).status_code == status
        tab = open_page(address)
        expect(tab.locator("#ask")).to_be_visible()
        expect(tab.locator("#examples button")).to_have_count(3)
        assert "not for clinical use" in tab.evaluate("document.body.innerText")
        assert "share" not in tab.evaluate("document.querySelector('#image').outerHTML.toLowerCase()")
        tab.locator("#examples button").first.click()
        expect(tab.locator("#image img").first).to_be_visible()
        example = gallery.examples[0]
        expect(tab.locator("#offers label")).to_have_count(len(example.offers))
        tab.locator("#ask").click()
        expected = model.ask(example.path, example.offers[0].question, max_new_tokens=8)
        expect(tab.locator("#history li")).to_have_count(1)
        expect(tab.locator("#answer textarea")).to_have_value(expected)
        expect(tab.locator("#reference")).to_have_text("")
        tab.locator("#show-reference").click()
        expect(tab.locator("#reference strong")).to_have_text(example.offers[0].sample.answer)
        tab.goto("about:blank")  # closes what it holds open of the page, which ends next
    finally:
        page.close(verbose=False)


@needs_gradio
@pytest.mark.slow
def test_two_models_side_by_side_on_a_phone_by_keyboard(model, other, open_page, tmp_path):
    gallery = draw_examples(tmp_path)
    page = build_page(Desk(model, max_new_tokens=8, against=other), gallery)
    address = launch(page, "127.0.0.1", folders=gallery.folders)
    try:
        tab = open_page(address, viewport={"width": 390, "height": 844}, accept_downloads=True)
        expect(tab.locator("#examples button")).to_have_count(3)
        tab.locator("#examples button").nth(1).focus()
        tab.keyboard.press("Enter")
        expect(tab.locator("#image img").first).to_be_visible()
        example = gallery.examples[1]
        expect(tab.locator("#question textarea, #question input")).to_have_value(example.offers[0].question)
        tab.locator("#offers input").first.focus()
        tab.keyboard.press("ArrowDown")
        question = example.offers[1].question
        expect(tab.locator("#question textarea, #question input")).to_have_value(question)
        tab.locator("#ask").focus()
        tab.keyboard.press("Enter")
        expect(tab.locator("#history li")).to_have_count(1)
        answers = [asked.ask(example.path, question, max_new_tokens=8) for asked in (model, other)]
        for end, asked, answer in (("", model, answers[0]), ("-2", other, answers[1])):
            expect(tab.locator(f"#answer{end} textarea")).to_have_value(answer)
            held = asked.confidences([Request(example.path, "vqa", question)], [answer])[0]
            expect(tab.locator(f"#confidence{end}")).to_contain_text(f"confidence {held:.2f}")
        tab.locator("#prompts button").first.focus()
        tab.keyboard.press("Enter")
        prompt = model.prompt(Request(example.path, "vqa", question))
        expect(tab.locator("#prompt-1 textarea, #prompt-1 input")).to_have_value(prompt)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        with tab.expect_download() as download:
            tab.locator("#save-history").click()
        saved = read_predictions(download.value.path())
        assert [record.prediction for record in saved] == answers
        assert {(record.question, record.answer) for record in saved} == {(question, example.offers[1].sample.answer)}
        tab.locator("#clear-history").click()
        expect(tab.locator("#history li")).to_have_count(0)
        expect(tab.locator("#history")).to_contain_text("Nothing asked yet")
        tab.goto("about:blank")
    finally:
        page.close(verbose=False)


@needs_gradio
@pytest.mark.slow
def test_what_goes_otherwise_is_told_and_images_of_any_shape_are_seen_whole(open_page, tmp_path):
    may_end = Event()

    def stream(request, limit):
        yield ""
        if request.question == "long?":
            yield "half of"
            may_end.wait(PATIENCE_MS / 1000)

    model = SimpleNamespace(
        facts={"checkpoint": "made.pth", "checkpoint_sha256": "0" * 64, "version": "1"},
        policy=DEFAULT_POLICY,
        stream=stream,
        prompt=lambda request: "prompt",
        confidences=lambda requests, answers: [0.5],
    )
    Image.new("L", (20, 3000), 90).save(tmp_path / "tall.png")
    (tmp_path / "bad.png").write_text("no")
    page = build_page(Desk(model))
    address = launch(page, "127.0.0.1")
    try:
        tab = open_page(address, complains=True)
        tab.locator("#file input[type=file]").set_input_files(tmp_path / "tall.png")
        expect(tab.locator("#image img").first).to_be_visible()
        assert tab.locator("#image img").first.bounding_box()["height"] <= 900
        tab.locator("#question textarea, #question input").fill("anything?")
        tab.locator("#ask").click()
        expect(tab.locator("#confidence")).to_contain_text("the answer is empty; confidence 0.50")
        tab.locator("#question textarea, #question input").fill("long?")
        tab.locator("#ask").click()
        expect(tab.locator("#answer textarea")).to_have_value("half of")
        tab.locator("#stop").click()
        expect(tab.locator("#confidence")).to_contain_text("stopped before its end, and not kept below")
        expect(tab.locator("#history li")).to_have_count(1)
        tab.locator("#file button[aria-label*=lear], #file button[aria-label*=emove]").first.click()
        tab.locator("#file input[type=file]").set_input_files(tmp_path / "bad.png")
        expect(tab.get_by_text("bad.png: not an image")).to_be_visible()
        assert str(tmp_path.anchor) + "tmp" not in tab.locator(".toast-body").first.inner_text()
        tab.goto("about:blank")
    finally:
        may_end.set()
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
