"""``pefomed chat``: what the page or the terminal would not use is refused before a model is loaded."""

from __future__ import annotations

import pytest

from pefomed_plugin.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cli", "--against", "b.pth"], "--against: of the page"),
        (["--cli", "--examples", "scans", "--port", "0"], "--examples, --port: of the page"),
        (["--cli", "--host", "127.0.0.1", "--i-have-permission"], "--host, --i-have-permission: of the page"),
        (["--image", "a.png"], "--image: of the terminal, with --cli"),
        (["--cli", "--image", "nowhere.png"], "--image: no such file\n  - nowhere.png"),
        (["--cli", "--image", "frontal=nowhere.png; lateral=x.png"], "- nowhere.png\n  - x.png"),
    ],
)
def test_what_would_not_be_used_is_refused(capsys, words, said):
    assert main(["chat", "--ckpt", "a.pth", *words]) == 2
    assert said in capsys.readouterr().err
