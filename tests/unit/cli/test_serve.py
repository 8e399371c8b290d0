"""``pefomed serve``: what is refused before a model is loaded, and what docs/serving.md says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
torch = pytest.importorskip("torch")

from pefomed_plugin.cli import main, make_parser  # noqa: E402
from pefomed_plugin.cli.serve import KEY, _environments, _name  # noqa: E402
from pefomed_plugin.errors import ConfigError  # noqa: E402
from pefomed_plugin.services.serving import parameters  # noqa: E402

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "serving.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _nothing_is_loaded(monkeypatch):
    monkeypatch.delenv(KEY, raising=False)
    monkeypatch.delenv("PEFOMED_OFFLINE", raising=False)
    monkeypatch.setattr("pefomed_plugin.cli.serve.load_model", lambda _: pytest.fail("it was loaded"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--max-batch 0", "--max-batch 0: 1 or more"),
        ("--max-waiting -1", "--max-waiting -1"),
        ("--max-body 0", "--max-body 0"),
        ("--image-cache -1", "--image-cache -1"),
        ("--data-parallel 0", "--data-parallel 0"),
        ("--data-parallel 2 --device cuda:1", "leave it out"),
        ("--stop-timeout -1", "--stop-timeout -1"),
        ("--default-task vqaa", "did you mean 'vqa'"),
        ("--allow-files /no/such/folder", "no such folder"),
        ("--served-name 'a b'", "--served-name"),
        ("--served-name ''", "empty"),
        ("--host 0.0.0.0", f"set {KEY}"),
    ],
)
def test_a_mistake_is_said_before_anything_is_loaded(words, said, capsys):
    assert main(["serve", "--ckpt", "embedded", "--port", "0", *shlex.split(words)]) == 2
    assert said in capsys.readouterr().err


def test_several_mistakes_come_together(capsys):
    assert main(["serve", "--ckpt", "embedded", "--max-batch", "0", "--default-task", "x"]) == 2
    said = capsys.readouterr().err
    assert "--max-batch" in said and "--default-task" in said


def test_other_machines_hear_what_weights_learnt_only_with_the_users_word(monkeypatch, capsys):
    monkeypatch.setenv(KEY, "a-long-secret")
    given = ["serve", "--ckpt", "checkpoint.pth", "--host", "0.0.0.0", "--port", "0"]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert "--i-have-permission" in said and "a-long-secret" not in said
    monkeypatch.setenv("PEFOMED_OFFLINE", "1")
    assert main([*given, "--i-have-permission"]) == 2
    assert "PEFOMED_OFFLINE" in capsys.readouterr().err


def test_a_key_that_no_client_can_send(monkeypatch, capsys):
    for key in ("", "short", "has a blank"):
        monkeypatch.setenv(KEY, key)
        assert main(["serve", "--ckpt", "embedded", "--port", "0"]) == 2
        said = capsys.readouterr().err
        assert KEY in said and (not key or key not in said)


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert _environments(3, "auto") == [{"CUDA_VISIBLE_DEVICES": str(number)} for number in range(3)]
    with pytest.raises(ConfigError, match=r"sees 4 GPU"):
        _environments(5, "auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-8,2,1")
    assert [one["CUDA_VISIBLE_DEVICES"] for one in _environments(2, "cuda")] == ["5", "GPU-8"]
    assert _environments(2, "cpu") == [{"CUDA_VISIBLE_DEVICES": ""}] * 2
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert _environments(2, "auto") == [{"CUDA_VISIBLE_DEVICES": ""}] * 2
    with pytest.raises(ConfigError, match="no GPU"):
        _environments(2, "cuda")


def test_the_name_that_clients_use():
    parse = make_parser(["serve"]).parse_args
    for ckpt, name in {"a/checkpoint_last.pth": "checkpoint_last", "out/my adapter": "my-adapter"}.items():
        assert _name(parse(["serve", "--ckpt", ckpt])) == name
    assert _name(parse(["serve", "--ckpt", "embedded", "--served-name", "org/x:1"])) == "org/x:1"


def test_the_pages_commands_parse_and_name_every_option():
    lines = re.findall(r"^(?:[A-Z_]+=\S.*? )?pefomed (serve .*)$", PAGE, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        assert make_parser(["serve"]).parse_args(shlex.split(line)).command == "serve"
    own = set(re.findall(r"--[a-z][a-z-]+", PAGE)) - {"--rounds"}  # of the benchmark
    known = {
        option
        for action in make_parser(["serve", "predict"])._subparsers._group_actions[0].choices.values()
        for option in action._option_string_actions
    }
    assert own <= known
    for option in (
        "--max-batch",
        "--max-waiting",
        "--max-body",
        "--max-text-tokens",
        "--image-cache",
        "--stop-timeout",
    ):
        default = make_parser(["serve"]).parse_args(["serve", "--ckpt", "x"]).__dict__[option[2:].replace("-", "_")]
        assert re.search(rf"`{option}`[^\n]*\b{default:g}", PAGE), option
    for name in ("temperature", "seed", "top_p", "user", "tools", "response_format", "logit_bias", "logprobs", "stop"):
        assert f"`{name}" in PAGE and name in parameters._KNOWN
