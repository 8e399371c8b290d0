"""How a command line is read: numbers in their range, a flag once, none guessed, what would not be used is refused."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from pefomed_plugin.cli import COMMANDS, main, make_parser


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action.choices.values():
                yield from parsers(choice)


def refused(capsys: pytest.CaptureFixture, *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_every_number_of_the_command_line_says_what_it_must_be() -> None:
    """``int`` and ``float`` take nan and -1, and argparse answers with the name of a function."""
    bare = [
        f"{one.prog} {action.option_strings}"
        for one in parsers(make_parser(COMMANDS))
        for action in one._actions
        if action.type in (int, float)
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("estimate --cfg-path a.yaml --card nan", "argument --card: 'nan' is no finite number"),
        ("estimate --cfg-path a.yaml --card inf", "argument --card: 'inf' is no finite number"),
        ("estimate --cfg-path a.yaml --card -24", "argument --card: -24 is not above 0"),
        ("estimate --cfg-path a.yaml --card 80GB", "argument --card: '80GB' is no number, such as 2.5"),
        ("estimate --cfg-path a.yaml --gpu A40 --gpus four", "argument --gpus: 'four' is no whole number"),
        ("estimate --cfg-path a.yaml --gpu A40 --price 1,5", "argument --price: '1,5' is no number, such as 2.5"),
        ("estimate --cfg-path a.yaml --gpu A40 --price 1e300", "is more than 1,000,000 for an hour"),
        ("estimate --cfg-path a.yaml --gpu A40 --utilisation 40", "40 is not between 0.001 and 1"),
        ("estimate --cfg-path a.yaml --gpu A40 --utilisation 40%", "write it as a part of 1, such as 0.4 for 40 %"),
        ("estimate --cfg-path a.yaml --gpu A40 --utilisation 1e-300", "is not between 0.001 and 1"),
        ("predict vqa_rad . --api m --out o --image-size 0", "argument --image-size: 0 is less than 1"),
        ("predict vqa_rad . --api m --out o --image-size 100000000", "100,000,000 is more than 16,384"),
        ("judge vqa p.jsonl --model m --temperature nan", "argument --temperature: 'nan' is no finite number"),
        ("judge vqa p.jsonl --model m --max-tokens -1", "argument --max-tokens: -1 is less than 0"),
        ("judge vqa p.jsonl --judge offline --runs 0", "argument --runs: 0 is less than 1"),
        ("judge vqa p.jsonl --model m --timeout 0", "argument --timeout: 0 is not above 0"),
        ("chat --ckpt embedded --port 99999", "argument --port: 99,999 is more than 65,535"),
        ("serve --ckpt embedded --port -1", "argument --port: -1 is less than 0"),
        ("wasm --counts 1 2 3 4 1e400", "argument --counts: '1e400' is no finite number"),
        ("wasm --counts 1 2 3 4 5 --unscored -1", "argument --unscored: -1 is less than 0"),
    ],
)
def test_a_number_out_of_its_range_is_told(line: str, told: str, capsys: pytest.CaptureFixture) -> None:
    shown = refused(capsys, *line.split())
    assert told in " ".join(shown.split())


def test_a_flag_twice_is_refused_and_options_add_up(capsys: pytest.CaptureFixture) -> None:
    told = refused(capsys, "report", "run", "--out", "a.html", "--out", "b.html")
    assert "argument --out: given twice, a.html and b.html; leave one of them out" in told
    words = ["train", "--cfg-path", "a", "--options", "run.seed=1", "--dry-run", "--options", "run.max_epoch=2"]
    assert make_parser(["train"]).parse_args(words).options == ["run.seed=1", "run.max_epoch=2"]
    assert make_parser(["train"]).parse_args(words[:3]).options == []


def test_an_interrupt_says_how_to_begin_again(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pefomed_plugin.cli.make_parser", interrupt)  # while modules are imported, too
    assert main(["prepare", "vqa_rad", "--source", "a b", "--out", "c", "--debug"]) == 130
    assert capsys.readouterr().err == "interrupted\nnext: pefomed prepare vqa_rad --source 'a b' --out c\n"
    assert main(["wasm", "--json"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--vesion", "no flag '--vesion' of pefomed itself; did you mean '--version'?"),
        ("--cfg-path a.yaml train", "no command 'a.yaml'"),
        ("--dry-run train", "no flag '--dry-run' of pefomed itself; known: --debug, --help, --version"),
        ("help", "pefomed --help lists them"),
        ("trian", "no command 'trian'; did you mean 'train'?"),
    ],
)
def test_what_stands_before_the_command(line: str, told: str, capsys: pytest.CaptureFixture) -> None:
    assert main(line.split()) == 2
    assert told in capsys.readouterr().err


def test_no_flag_is_guessed_and_what_may_be_meant_is_said(capsys: pytest.CaptureFixture) -> None:
    told = " ".join(refused(capsys, "train", "--cfg-path", "a.yaml", "--dry").split())
    assert told.endswith("pefomed train: error: unrecognized arguments: --dry; did you mean --dry-run?")
    told = " ".join(refused(capsys, "rate", "import", "a", "b", "--alow-missing").split())
    assert "pefomed rate import: error:" in told and told.endswith("did you mean --allow-missing?")
    told = " ".join(refused(capsys, "score", "exact_match", "my", "run/predictions.jsonl").split())
    assert told.endswith("a path with blanks is one argument within quotes")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("estimate --cfg-path a.yaml --gpus 4 --price 2", "--gpus, --price: no card is named; add --gpu A100-80"),
        ("estimate --cfg-path a.yaml --utilisation 0.5", "--utilisation: no card is named"),
        ("estimate --cfg-path a.yaml --table --gpu A40", "--gpu: the table of --table has no hours"),
        ("predict vqa_rad . --api m --out o --frame 2 --batch-size 4", "--batch-size, --frame: of a model of yours"),
        (
            "predict --images . --task report --ckpt embedded --out o --temperature 0.5 --dry-run",
            "--temperature, --dry-run: of a model behind an API",
        ),
        ("wasm --counts 1 2 3 4 5 --scorer human/report", "--scorer: --counts are nobody's ratings"),
        ("wasm p.jsonl --unscored 3", "--unscored: goes with --counts"),
    ],
)
def test_what_would_not_be_used_is_refused(line: str, told: str, capsys: pytest.CaptureFixture) -> None:
    assert main(line.split()) == 2
    shown = capsys.readouterr()
    assert told in shown.err and not shown.out


@pytest.mark.parametrize("written", ["RTX 4090", "rtx4090", "Rtx-4090"])
def test_a_card_is_known_however_it_is_written(written: str, capsys: pytest.CaptureFixture) -> None:
    root = Path(__file__).resolve().parents[3]
    yaml = str(root / "projects" / "pefomed" / "stage2_vqa_rad.yaml")
    assert main(["estimate", "--cfg-path", yaml, "--gpu", written, written]) == 0
    assert capsys.readouterr().out.count("1 x RTX-4090") == 1
    assert main(["estimate", "--cfg-path", yaml, "--gpu", "A40", "--gpus", "5000"]) == 2
    assert "vqa_rad: 3,064 sample(s)" in capsys.readouterr().err
