"""What each command says to do next: declared, one line, quoted for the shell, and a command that there is."""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from pefomed_plugin.cli import COMMANDS, main, make_parser
from pefomed_plugin.cli.next_step import NextStep, pefomed, with_storages
from pefomed_plugin.services.console import quote_words

ODD = "my runs/it's $HOME"
"""A folder that a shell takes apart unless it is quoted."""

ASKED: dict[str, list[list[str]]] = {
    "doctor": [[], ["--cfg-path", f"{ODD}/a.yaml", "--options", "run.output_dir=a b"]],
    "init": [[ODD]],
    "sample": [[], ["--out", ODD]],
    "prepare": [["vqa_rad", "--source", ".", "--out", ODD], ["roco", "--source", ".", "--out", ODD]],
    "folds": [["vqa_rad", "--data", ".", "--out", ODD]],
    "shard": [],
    "share": [[ODD, "--to", "huggingface", "--out", ODD]],
    "features": [["--cfg-path", f"{ODD}/a.yaml"]],
    "estimate": [["--cfg-path", f"{ODD}/a.yaml", "--options", "model.lora_r=16"]],
    "train": [["--cfg-path", f"{ODD}/a.yaml", "--dry-run"]],
    "evaluate": [["--cfg-path", f"{ODD}/a.yaml", "--dry-run"]],
    "predict": [
        ["vqa_rad", ".", "--api", "m", "--out", ODD],
        ["vqa_rad", ".", "--api", "m", "--out", ODD, "--dry-run"],
        ["--images", ".", "--task", "report", "--ckpt", "embedded", "--out", ODD],
        ["--images", ".", "--task", "report", "--ckpt", f"{ODD}/a.pth", "--out", f"{ODD}/a.jsonl"],
    ],
    "baseline": [["vqa_rad", "--data", ODD], ["iu_xray", "--data", ".", "--out", ODD]],
    "floors": [[ODD]],
    "leaks": [[ODD]],
    "audit": [[], ["--reward", "exact_match"], ["judge", "--judge", "offline"], ["judge", "--model", ODD, "--dry-run"]],
    "score": [["exact_match", f"{ODD}/predictions.jsonl"]],
    "import-predictions": [["llava_med", "a.jsonl", "--dataset", "vqa_rad", "--data", ".", "--out", ODD]],
    "export-predictions": [["lmms_eval", f"{ODD}/predictions.jsonl", "--out", ODD]],
    "judge": [
        ["vqa", f"{ODD}/predictions.jsonl", "--judge", "offline"],
        ["report", f"{ODD}/predictions.jsonl", "--judge", "offline", "--out", ODD],
        ["report", f"{ODD}/predictions.jsonl", "--model", "m", "--dry-run"],
    ],
    "jury": [[f"{ODD}/predictions.jsonl"]],
    "wasm": [[f"{ODD}/predictions.jsonl"], ["--counts", "1", "2", "3", "4", "5"]],
    "rate": [
        ["export", f"{ODD}/predictions.jsonl", "--out", ODD],
        ["serve", f"{ODD}/predictions.jsonl"],
        ["sheets", ODD, f"{ODD}/predictions.jsonl"],
        ["import", ODD, f"{ODD}/predictions.jsonl"],
        ["import", ODD, f"{ODD}/predictions.jsonl", "--against", f"{ODD}/b.jsonl", "--label", ODD, "--label", "b"],
        ["serve", f"{ODD}/predictions.jsonl", "--against", f"{ODD}/b.jsonl"],
        ["status", ODD],
        ["preferences", ODD],
        ["plan", f"{ODD}/predictions.jsonl", "--half-width", "0.02"],
        ["export-preferences", f"{ODD}/predictions.jsonl", "b/predictions.jsonl", "--out", ODD],
    ],
    "agree": [[f"{ODD}/predictions.jsonl"]],
    "compare": [[ODD, "b", "--label", "none at all", "--label", "b"]],
    "folds-summary": [["a", "b", "--out", ODD]],
    "plot": [[ODD, "--by", "organ", "--out", "a.svg"]],
    "report": [[ODD, "--out", f"{ODD}/a.html"]],
    "paper": [["--out", ODD]],
    "checklist": [[ODD], [ODD, "--out", "a.md"]],
    "checkpoint": [
        ["inspect", f"{ODD}/a.pth"],
        ["convert", f"{ODD}/a.pth", "--to", "peft", "--out", f"{ODD}/b.pth"],
        ["export", f"{ODD}/a.pth", "--out", ODD],
    ],
    "explain": [["a.png", "--ckpt", f"{ODD}/a.pth", "--out", "b.png"], ["--run", ODD, "--ckpt", "a.pth"]],
    "chat": [["--ckpt", "embedded"], ["--ckpt", f"{ODD}/a.pth"]],
    "serve": [["--ckpt", f"{ODD}/a.pth"]],
    "privacy": [["log"], ["scan", ODD], ["scan", ODD, "--redact", "--out", "a"]],
    "link": [[ODD], [ODD, "--dry-run"]],
    "unlink": [[ODD], [ODD, "--dry-run"]],
    "completion": [["bash"]],
}
"""Command -> ways of giving it; one that is not here has only to declare a next step."""
WAYS = [(name, words, code) for name, ways in ASKED.items() for words in ways for code in (0, 1)]


def next_line(name: str, words: list[str], code: int) -> str:
    given = [name, *words]
    parsed = make_parser([name]).parse_args(given)
    parsed.given = given
    step = parsed.next_step(parsed, code)
    assert isinstance(step, NextStep)
    return step.line


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_declares_one(name):
    assert callable(importlib.import_module(f"pefomed_plugin.cli.{name.replace('-', '_')}").next_step)


@pytest.mark.parametrize(("name", "words", "code"), WAYS)
def test_it_is_one_line_that_a_shell_and_we_understand(name, words, code):
    line = next_line(name, words, code)
    assert line.isprintable()
    typed = re.sub(r" > \S+$", "", line.split(" && ")[-1])
    taken = shlex.split(typed)
    while "=" in taken[0]:
        taken = taken[1:]
    if taken[0] == "pefomed":
        assert make_parser([taken[1]]).parse_args(taken[1:]).command == taken[1]
    if any(ODD in word for word in words) and ODD.split("/", maxsplit=1)[0] in line:
        assert any(ODD in word for word in shlex.split(line)) or "%20" in line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["floors", "./-run"], "pefomed report ./-run --out ./-run/report.html"),
        (["init", "./-study"], "cd ./-study && pefomed train --cfg-path stage2.yaml"),
        (["paper", "--out=-p"], "cat ./-p/README.md"),
        (["unlink", "./-c"], "pefomed link ./-c"),
    ],
)
def test_a_path_that_begins_with_a_dash_is_no_option(words, line):
    """``str(Path("./-run"))`` is ``-run``."""
    assert line in next_line(words[0], words[1:], 0)


def test_a_shell_takes_the_paths_as_they_are():
    odd = ["a b", "it's", "$HOME", "*", "~", "line\nfeed", "\x1b[31m", b"latin \xe9".decode("utf-8", "surrogateescape")]
    line = quote_words(odd)
    assert line.isprintable()
    told = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True).stdout
    assert told.split(b"\0")[:-1] == [word.encode("utf-8", "surrogateescape") for word in odd]


def test_a_folder_and_variables_are_set_before():
    step = pefomed("train", "--cfg-path", Path("a b.yaml"), folder="my study", setting={"PEFOMED_SAMPLE": "x y"})
    assert step.line == "cd 'my study' && PEFOMED_SAMPLE='x y' pefomed train --cfg-path 'a b.yaml'"


def test_a_file_that_takes_what_is_printed_has_its_folder(tmp_path):
    """``~/.local/share/bash-completion/completions`` is not there on a new account."""
    into = tmp_path / "not there" / "pefomed"
    line = NextStep(["echo", "done"], into=into).line
    assert line == f"mkdir -p '{into.parent}' && echo done > '{into}'"
    subprocess.run(["sh", "-c", line], check=True)
    assert into.read_text() == "done\n"
    assert NextStep(["echo", "done"], into=into).line == f"echo done > '{into}'"


def test_data_take_the_place_of_the_shipped_runs(tmp_path, monkeypatch):
    assert with_storages("doctor", {"vqa_rad": Path("my data")}).words[2:] == [
        "--cfg-path", "projects/pefomed/stage2_vqa_rad.yaml", "--options",
        "datasets.vqa_rad.build_info.storage=my data",
    ]  # fmt: skip
    assert "datasets.mimic_cxr=null" in with_storages("doctor", {"roco": Path("a")}).words
    monkeypatch.chdir(tmp_path)
    assert with_storages("doctor", {"medical_custom": Path("a")}).line == "pefomed init my_study --data a"
    (tmp_path / "stage2.yaml").touch()
    own = with_storages("doctor", {"medical_custom": Path("a")}).line
    assert own == "pefomed doctor --cfg-path stage2.yaml --options datasets.medical_custom.build_info.storage=a"


def test_it_is_the_last_line_on_stderr_and_not_in_json(capsys):
    counts = ["wasm", "--counts", "1", "2", "3", "4", "5"]
    assert main(counts) == 0
    shown = capsys.readouterr()
    assert shown.err.splitlines()[-1] == "next: pefomed wasm --counts 1 2 3 4 5 --json" and "next:" not in shown.out
    assert main([*counts, "--json"]) == 0
    shown = capsys.readouterr()
    assert "next:" not in shown.out + shown.err


def test_a_mistake_has_its_remedy_and_no_next_step(capsys):
    assert main(["wasm"]) == 2
    assert "next:" not in capsys.readouterr().err


def test_shards_of_own_data_lead_to_a_project_of_what_was_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("pefomed_plugin.cli.shard")
    given = make_parser(["shard"]).parse_args(["shard", "prepared", "--out", "shards"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "read_manifest", lambda folder: {"dataset": "medical_custom"})
    assert module.next_step(given, 0).line == "pefomed init my_study --data prepared"
    monkeypatch.setattr(module, "read_manifest", lambda folder: {"dataset": "roco"})
    assert "build_info.storage=shards" in module.next_step(given, 0).line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["judge", "report", "a/x.jsonl", "--judge", "offline", "--out", "b"], "pefomed wasm b/predictions.jsonl"),
        (["rate", "import", "study", "a/x.jsonl", "--out", "b"], "pefomed agree b/predictions.jsonl"),
        (["rate", "import", "study", "a/x.jsonl"], "pefomed agree a/x.jsonl"),
        (["rate", "import", "study", "a.jsonl", "--against", "b.jsonl", "--out", "c"], "pefomed rate preferences c"),
    ],
)
def test_what_was_written_elsewhere_is_looked_for_there(words, line):
    assert next_line(words[0], words[1:], 0) == line
