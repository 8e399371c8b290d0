"""What holds for every sub-command, and what ``pefomed`` does with mistakes, signals and machines."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import pytest

from pefomed_plugin import cli
from pefomed_plugin.cli import COMMANDS, EXIT_CODES, main, make_parser
from pefomed_plugin.cli.help import GROUPS
from pefomed_plugin.cli.output import Output, print_json
from pefomed_plugin.errors import DataError

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "command-line.md").read_text(encoding="utf-8")
HEAVY = (
    "torch",
    "transformers",
    "peft",
    "timm",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "PIL",
    "rich",
    "omegaconf",
    "yaml",
    "openai",
    "openpyxl",
    "pydicom",
    "shtab",
)


def epilog_of(name):
    actions = make_parser([name])._subparsers._group_actions[0]
    return actions.choices[name].epilog or ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_that_parses(name, capsys):
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert caught.value.code == 0
    examples = re.findall(r"^(?:example: |  )(?:[A-Z_]+=\S+ )?pefomed (.+)$", epilog_of(name), re.MULTILINE)
    assert examples and all(example in re.sub(r" \\\n\s+", " ", shown) for example in examples)
    for example in examples:
        parsed = make_parser([name]).parse_args(shlex.split(example))
        assert parsed.command == name and callable(parsed.run)


def test_commands_of_a_group_stand_together_and_the_help_has_them_so(capsys):
    assert [command.group for command in COMMANDS.values()] == [
        group for group in GROUPS for command in COMMANDS.values() if command.group == group
    ]
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    listed = re.findall(r"^(?:([a-z][a-z ]+):|  ([a-z-]+)(?:  .+)?)$", shown, re.MULTILINE)
    expected = [part for group in GROUPS for part in ((group, ""), *(("", name) for name in names_of(group)))]
    assert [found for found in listed if found in expected] == expected


def names_of(group):
    return [name for name, command in COMMANDS.items() if command.group == group]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_keeps_to_80_columns(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*([name] if name else []), "--help"])
    long = [line for line in capsys.readouterr().out.splitlines() if len(line) > 80 and " " in line.strip()]
    assert not long


def test_the_page_has_every_command_in_order_and_every_exit_code():
    named = re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)
    assert named == list(COMMANDS)
    assert {int(code): text for code, text in re.findall(r"^\| (\d+) \| (.+?) \|$", PAGE, re.MULTILINE)} == EXIT_CODES


def with_json(parser, name=""):
    """Names of a command and those below it that take ``--json``."""
    for action in parser._actions:
        if "--json" in action.option_strings:
            yield name
        if isinstance(action, argparse._SubParsersAction):
            for part, below in action.choices.items():
                yield from with_json(below, f"{name} {part}".strip())


def test_the_page_names_every_command_that_takes_json():
    named = re.search(r"^## For machines\n\n(.+?) take `--json`", PAGE, re.MULTILINE | re.DOTALL).group(1)
    assert sorted(re.findall(r"`([a-z -]+)`", named)) == sorted(with_json(make_parser()))


def test_the_pages_commands_parse():
    lines = [
        line
        for block in re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
        if line.startswith("pefomed ")
    ]
    assert len(lines) > 8
    for line in lines:
        words = shlex.split(line.split(" > ")[0].split(" | ")[0])[1:]
        assert make_parser([words[0]]).parse_args(words).command == words[0]


def test_exit_codes_are_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"{code:<4} {text}" in shown for code, text in EXIT_CODES.items())


def test_help_imports_nothing_heavy():
    asked = [["--help"], *([name, "--help"] for name in COMMANDS)]
    code = (
        "import sys\nfrom pefomed_plugin.cli import main\n"
        f"for words in {asked!r}:\n    try:\n        main(words)\n    except SystemExit:\n        pass\n"
        f"    print(words[0], [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("usage: pefomed") == len(asked)
    assert done.stderr.splitlines() == [f"{words[0]} []" for words in asked]


def test_no_command_at_all_shows_the_help(capsys):
    assert main([]) == 2
    assert "exit codes" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0 and re.match(r"pefomed_plugin \d+\.\d+", capsys.readouterr().out)


def test_a_mistyped_command_is_told_the_near_one(capsys):
    assert main(["trian"]) == 2
    shown = capsys.readouterr()
    assert shown.err == "error: no command 'trian'; did you mean 'train'?\n" and shown.out == ""


@pytest.fixture
def command(monkeypatch):
    """Lets a test say what ``pefomed doctor`` does."""
    from pefomed_plugin.cli import doctor

    return lambda function: monkeypatch.setattr(doctor, "run", lambda arguments: function())


@pytest.mark.parametrize(("command", "shown"), [("doctor", ["pefomed doctor"]), ("train", []), ("completion", [])])
def test_what_talks_or_prints_code_has_no_sign_of_going_work(monkeypatch, command, shown):
    signs = []
    monkeypatch.setattr(cli, "working", lambda what: signs.append(what) or nullcontext())
    parsed = SimpleNamespace(command=command, run=lambda _: 0, next_step=lambda *_: None)
    assert cli._run(parsed) == 0 and signs == shown


def raising(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (DataError("rows are missing", ["row 3"]), "error: rows are missing\n  - row 3\n"),
        (
            PermissionError(13, "Permission denied", "/out/x"),
            "error: /out/x: Permission denied; change its permissions, or choose another place\n",
        ),
        (
            ModuleNotFoundError("no", name="sentencepiece"),
            "error: this needs the package sentencepiece; pip install sentencepiece\n",
        ),
    ],
)
def test_a_users_mistake_has_no_traceback_unless_it_is_asked_for(command, capsys, error, told):
    command(raising(error))
    assert main(["doctor"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", told)
    for arguments in (["--debug", "doctor"], ["doctor", "--debug"]):
        with pytest.raises(type(error)):
            main(arguments)


@pytest.mark.parametrize("error", [ZeroDivisionError(), ModuleNotFoundError("no", name="ours")])
def test_a_mistake_of_ours_keeps_its_traceback(command, error):
    command(raising(error))
    with pytest.raises(type(error)):
        main(["doctor"])


def test_an_errors_own_exit_code(command):
    error = DataError("stopped")
    error.exit_code = 1
    command(raising(error))
    assert main(["doctor"]) == 1


def test_interrupted(command, capsys):
    command(raising(KeyboardInterrupt()))
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "interrupted\nnext: pefomed doctor\n"


def test_json_alone_is_on_the_standard_output(command, capsys):
    def run():
        print("said on the way")
        return Output({"value": 1.5}, ["table"], 1)

    command(run)
    assert main(["doctor", "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"schema": 1, "value": 1.5} and shown.err == "said on the way\n"
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out == "said on the way\ntable\n"


def test_a_reader_that_leaves_is_no_error():
    words = [sys.executable, "-m", "pefomed_plugin.cli", "wasm", "--counts", *"11111"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_commands_and_options(shell, capsys):
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS)
    assert "cfg-path" in script and "nproc-per-node" in script


def test_bash_takes_the_completion(tmp_path, capsys):
    pytest.importorskip("shtab")
    main(["completion", "bash"])
    (tmp_path / "completion").write_text(capsys.readouterr().out)
    script = (
        f"source {tmp_path / 'completion'}; COMP_WORDS=(pefomed doc); COMP_CWORD=1; _shtab_pefomed; echo "
        "${COMPREPLY[@]}"
    )
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout == "doctor\n"


def test_every_command_is_a_file():
    folder = Path(cli.__file__).parent
    assert all((folder / (name.replace("-", "_") + ".py")).is_file() for name in COMMANDS)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_signs_that_a_terminal_cannot_show_stop_no_work(tmp_path, encoding):
    """As on a cluster without UTF-8, or where Windows' output goes into a file."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with redirect_stdout(stream):
        assert main(["init", str(tmp_path / "Studie \u017c\u00fc")]) == 0
    stream.flush()
    shown = stream.buffer.getvalue()
    assert {"ascii": b"Studie \\u017c\\xfc", "cp1252": b"Studie \\u017c\xfc"}.get(
        encoding, "\u017c\u00fc".encode()
    ) in shown
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with redirect_stdout(stream):
        print_json(Output({"name": "\u017c\u00fc"}, []))
    stream.flush()
    assert json.loads(stream.buffer.getvalue().decode(encoding))["name"] == "\u017c\u00fc"


@pytest.mark.parametrize("closed", [["stdout"], ["stderr"], ["stdout", "stderr"]])
def test_an_output_that_is_closed_takes_what_is_said(closed, monkeypatch, capsys):
    """``pefomed ... >&-``, or of a service: Python then has None."""
    for name in closed:
        monkeypatch.setattr(sys, name, None)
    assert main(["wasm", "--counts", "1", "2", "3", "4", "5"]) == 0
