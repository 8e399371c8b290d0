"""``pefomed estimate``: from a YAML alone, with nothing set and nothing loaded; and the tables of docs/memory.md."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pefomed_plugin.adapters.tasks import TASKS
from pefomed_plugin.cli import main
from pefomed_plugin.services.memory.loads import NEW_TOKENS
from tests.shipped import ROOT, YAMLS

PAGE = (ROOT / "docs" / "memory.md").read_text(encoding="utf-8")
QUICK_START = (ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8")
TABLES = re.findall(r"^<!-- pefomed (estimate .*) -->\n\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
STAGE2 = str(ROOT / "projects" / "pefomed" / "stage2_vqa_rad.yaml")


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("path", YAMLS, ids=[str(path.relative_to(ROOT)) for path in YAMLS])
def test_every_yaml_is_estimated_at_the_papers_size_with_nothing_set(path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["estimate", "--cfg-path", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"]["trained"] == 56_627_200
    assert 15 < found["peak_bytes"] / 2**30 < 80
    assert found["measured_on_gpu"] is False


def test_parts_cards_and_what_helps(capsys: pytest.CaptureFixture) -> None:
    assert main(["estimate", "--cfg-path", STAGE2]) == 0
    shown = capsys.readouterr().out
    assert "(Llama-2-7b as published)" in shown
    assert "24 GB card (22.6 GiB usable): does not fit, 2.9 GiB too much; fits with the first option below" in shown
    assert "48 GB card (45.1 GiB usable): fits, 19.6 GiB to spare" in shown
    assert "1. --options model.llm_quantization=4bit\n     saves 9.0 GiB, 16.5 are left" in shown
    assert "nothing was measured on a GPU" in shown


def test_options_change_the_estimate(capsys: pytest.CaptureFixture) -> None:
    assert (
        main(
            [
                "estimate",
                "--cfg-path",
                STAGE2,
                "--card",
                "12",
                "--options",
                "model.llm_quantization=4bit",
                "model.use_grad_checkpoint_llm=true",
                "run.batch_size_eval=4",
            ]
        )
        == 0
    )
    shown = capsys.readouterr().out
    assert "12 GB card (11.3 GiB usable): fits" in shown
    assert "what helps" not in shown


def test_json_adds_up(capsys: pytest.CaptureFixture) -> None:
    assert main(["estimate", "--cfg-path", STAGE2, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["peak_bytes"] == sum(found["training"].values()) > sum(found["answering"].values())
    assert [(each["gb"], each["fits"], each["fits_with"]) for each in found["cards"]] == [
        (24, False, 1),
        (48, True, 0),
        (80, True, 0),
    ]
    assert found["loads"]["training"]["rows"] == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["model.llm_quantization=2bit"], "'2bit' is none of none, 8bit, 4bit"),
        (["model.llm_quantisation=4bit"], "did you mean 'llm_quantization'"),
        (["run.precision=fp8"], "'fp8' is none of fp32, fp16, bf16"),
    ],
)
def test_mistakes(options: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["estimate", "--cfg-path", STAGE2, "--options", *options]) == 2
    assert message in capsys.readouterr().err


def test_a_card_that_no_option_makes_large_enough(capsys: pytest.CaptureFixture) -> None:
    assert main(["estimate", "--cfg-path", STAGE2, "--card", "6"]) == 0
    assert "does not fit, 19.8 GiB too much; nor does it with all options below" in capsys.readouterr().out


def test_nothing_heavy_is_loaded() -> None:
    code = (
        f"import sys; from pefomed_plugin.cli import main; main(['estimate', '--cfg-path', {STAGE2!r}]); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL)
    assert done.returncode == 0


def test_the_sizes_of_the_embedded_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "tiny" / "llama"
    folder.mkdir(parents=True)
    folder.joinpath("config.json").write_text((ROOT / "tests/assets/golden/tiny_llama/config.json").read_text())
    monkeypatch.setenv("PEFOMED_SAMPLE", str(tmp_path))
    monkeypatch.setenv("PEFOMED_LLAMA", "embedded")
    assert main(["estimate", "--cfg-path", STAGE2, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"]["published"] is False
    assert found["peak_bytes"] < 2**31


def test_limits_of_an_answer_are_those_of_the_tasks() -> None:
    for name, task in TASKS.items():
        assert NEW_TOKENS.get(name, 300) == task.max_new_tokens, name


def test_the_page_has_tables() -> None:
    assert len(TABLES) >= 2


@pytest.mark.parametrize(("command", "table"), TABLES, ids=[command for command, _ in TABLES])
def test_the_tables_in_the_docs_are_what_the_command_prints(
    command: str, table: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(command.split()) == 0
    assert capsys.readouterr().out == table


def test_the_quick_start_says_what_the_table_says() -> None:
    said = re.search(r"takes an estimated ([\d.]+) GiB as it\nis, ([\d.]+) with .*, ([\d.]+) with", QUICK_START)
    table = dict(re.findall(r"^\| (.+?) \| ([\d.]+) \|", TABLES[0][1], re.MULTILINE))
    rows = (
        "as it is",
        "`use_grad_checkpoint_llm: true`",
        "`llm_quantization: 4bit, use_grad_checkpoint_llm: true`",
    )
    assert said and said.groups() == tuple(table[row] for row in rows)
