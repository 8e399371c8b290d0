"""``pefomed chat --cli``: lines in, answers out."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from pefomed_plugin.adapters.medical_model import Request
from pefomed_plugin.cli import main
from pefomed_plugin.services.images.decoding import DEFAULT_POLICY
from pefomed_plugin.ui import NOT_CLINICAL
from pefomed_plugin.ui.terminal import Conversation, converse, pieces
from tests.unit.services.small import small_image


@pytest.fixture
def talk(model):
    """Says lines to one conversation; gives what it says to the last."""
    conversation = Conversation(model, max_new_tokens=8)

    def say(*lines):
        for line in lines:
            conversation.out = io.StringIO()
            assert conversation.hear(line)
        return conversation.out.getvalue()

    yield say
    model.policy = DEFAULT_POLICY


def test_an_image_then_questions_about_it(talk, model, scans):
    path = scans / "a.png"
    assert talk("What is it?") == "no image yet; give its path first\n"
    assert talk(str(path)) == "looking at a.png (64 x 64 pixels)\n"
    assert talk("What is it?") == model.ask(path, "What is it?", max_new_tokens=8) + "\n"
    assert talk("/report") == model.report(path, max_new_tokens=8) + "\n"
    assert (
        talk(f"'{scans / 'old' / 'b.jpg'}'", "/caption")
        == model.caption(scans / "old" / "b.jpg", max_new_tokens=8) + "\n"
    )


def test_several_images_together(talk, model, scans):
    a, b = scans / "a.png", scans / "old" / "b.jpg"
    assert talk(f"frontal={a}; lateral={b}") == (
        "looking at\nfrontal: a.png (64 x 64 pixels)\nlateral: b.jpg (64 x 64 pixels)\n"
    )
    expected = model.ask({"frontal": a, "lateral": b}, "What is it?", max_new_tokens=8)
    assert talk("What is it?") == expected + "\n"
    assert "name all of them or none" in talk(f"frontal={a}; {b}")
    assert talk("What is it?") == expected + "\n"
    assert "image 1: a.png" in talk(f"{a}; {b}")


def test_what_the_last_answer_leans_on(talk, scans):
    assert talk(str(scans / "a.png"), "/where").startswith("no answer about this image yet")
    found = talk("What is it?", "/where")
    assert found.startswith("probability 0.")
    with Image.open(re.search(r"drawn in (\S+);", found).group(1)) as drawn:
        assert drawn.height > 448
    Path(drawn.filename).unlink()
    assert talk(str(scans / "old" / "b.jpg"), "/where").startswith("no answer about this image yet")


def test_the_last_prompt_and_confidence(talk, model, scans):
    path = str(scans / "a.png")
    assert talk(path, "/prompt").startswith("no answer about this image yet")
    answer, request = talk("What is it?")[:-1], Request(path, "vqa", "What is it?")
    assert talk("/prompt") == model.prompt(request) + "\n"
    assert talk("/confidence").startswith(f"confidence {model.confidences([request], [answer])[0]:.2f} (")


def test_a_mistake_is_told_and_the_image_stays(talk, model, scans):
    talk(str(scans / "a.png"))
    assert "nowhere.png: no such file" in talk("nowhere.png")
    assert "no command /reprot" in talk("/reprot")
    assert talk("What is it?" + " really" * 60).startswith(
        model.ask(scans / "a.png", "What is it?" + " really" * 60, max_new_tokens=8)
    )
    assert talk("") == ""


def test_a_frame_is_chosen(talk, scans):
    small_image(1).save(scans / "two.gif", save_all=True, append_images=[small_image(2)])
    assert "holds several frames" in talk(str(scans / "two.gif"))
    assert talk("/frame first") == "write it as /frame 0\n"
    assert "looking at two.gif" in talk("/frame 1", str(scans / "two.gif"))


def test_pieces_add_up_and_hold_back_half_a_character():
    assert list(pieces(iter(["", "37", "37 \ufffd", "37 \u00b5m"]))) == ["", "37", " ", "\u00b5m"]


def test_the_command_talks_until_the_input_ends(files, scans, monkeypatch, capsys):
    for last in ("/quit\nWhat is it?", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO("/help\n" + last))
        assert (
            main(
                [
                    "chat",
                    "--ckpt",
                    str(files["checkpoint"]),
                    "--llama",
                    str(files["llama"]),
                    "--vit",
                    str(files["vit"]),
                    "--cli",
                    "--image",
                    str(scans / "a.png"),
                ]
            )
            == 0
        )
        shown = capsys.readouterr().out
        assert NOT_CLINICAL in shown and "looking at a.png" in shown and shown.count("/caption") == 2


def test_ctrl_c_stops_an_answer_and_at_the_prompt_the_conversation(model, scans, monkeypatch, capsys):
    def interrupted(*_):
        yield "The hea"
        raise KeyboardInterrupt

    lines = iter([str(scans / "a.png"), "What is it?"])

    def read(_):
        try:
            return next(lines)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(model, "stream", interrupted)
    converse(model, read=read)
    assert "The hea (stopped)" in capsys.readouterr().out


def test_an_image_to_begin_with_that_cannot_be_used_is_an_error(files, capsys):
    assert (
        main(
            [
                "chat",
                "--ckpt",
                str(files["checkpoint"]),
                "--llama",
                str(files["llama"]),
                "--vit",
                str(files["vit"]),
                "--cli",
                "--image",
                "nowhere.png",
            ]
        )
        == 2
    )
    assert "--image: no such file\n  - nowhere.png" in capsys.readouterr().err
