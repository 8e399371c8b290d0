"""What the user sees of an account."""

from __future__ import annotations

from typing import Any

from pefomed_plugin.readers.expectations import ERROR, WARNING, Check
from pefomed_plugin.reporting.examination import account_view, findings_view
from pefomed_plugin.reporting.rendering import to_lines
from pefomed_plugin.reporting.table import Table
from pefomed_plugin.services.console import Line
from pefomed_plugin.services.data.examination import Account, Lengths
from pefomed_plugin.services.data.leakage import Leak


def shown(account: Account) -> str:
    lines: list[str] = []
    for part in account_view(account):
        lines += to_lines(part) if isinstance(part, Table) else [part.text if isinstance(part, Line) else part]
    return "\n".join(lines)


def account(**fields: Any) -> Account:
    return Account(
        **{
            "dataset": "vqa_rad",
            "layout": "re-release",
            "options": {},
            "origin": "real",
            "kept": {"train": 1234},
            "skipped": {"image: no such file": 7},
            "verdicts": [],
            "repetitions": [],
            "leaks": [],
            "lengths": [Lengths("train", 1234, 1.5, 4, 99, 50, 3)],
            **fields,
        }
    )


def test_figures_of_every_part_are_shown() -> None:
    text = shown(
        account(
            verdicts=[
                Check("questions", ERROR, "3,064", "1,234", False),
                Check("images", WARNING, "314", "310", False),
                Check("frames in test", ERROR, "0", "0", True),
            ],
            leaks=[Leak("test: images in train", 203, 451, ("[red]synpic1.jpg",))],
            images_truncated=2,
            image_problems=[f"{number}.jpg: no such file; fetch it" for number in range(9)],
        )
    )
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "vqa_rad, re-release layout"
    assert "train 1,234 1.5 4 99 3" in lines
    assert "skipped 7: image: no such file" in lines
    assert "2 truncated image(s) used" in lines
    assert "4.jpg: no such file; fetch it" in lines and "5.jpg: no such file; fetch it" not in lines
    assert "and 4 more image(s) with a problem" in lines
    assert "questions 3,064 1,234 WRONG" in lines and "images 314 310 differs" in lines
    assert "frames in test 0 0 ok" in lines
    assert "test: images in train 203 451 45.0 % [red]synpic1.jpg" in lines  # names are no markup


def test_a_miniature_says_so() -> None:
    assert "generated" in shown(account(origin="generated")) and "generated" not in shown(account())


def test_nothing_found_prints_nothing() -> None:
    assert findings_view("leaks", []) == []
