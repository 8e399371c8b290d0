"""A language model in this process as the judge; tiny and untrained, so that nothing but the way is tested."""

from __future__ import annotations

import json

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.services.judge.chat import ChatRequest, Gate
from pefomed_plugin.services.judge.local_judge import LocalChat
from pefomed_plugin.storage import write_records
from tests.unit.services.judged import answers

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
TEMPLATE = "{% for m in messages %}{{ m['content'] }} {% endfor %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A language model of a few thousand numbers whose words are the verdicts and a full stop."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    path = tmp_path_factory.mktemp("models") / "tiny-judge"
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "[END]": 1, "yes": 2, "no": 3, "left": 4}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", eos_token="[END]", pad_token="[END]"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(path)
    transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=5,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            eos_token_id=1,
            bos_token_id=1,
            pad_token_id=1,
        )
    ).save_pretrained(path)
    return path


def question(**parameters):
    return ChatRequest(
        [{"role": "user", "content": "yes no left"}], {"model": "tiny-judge", "max_tokens": 12, **parameters}
    )


def test_a_seed_decides_what_is_drawn(folder):
    chat = LocalChat(str(folder))
    found = [chat.ask(question(seed=seed), Gate()) for seed in (1, 1, 2, 3, 4)]
    assert found[0] == found[1]
    assert len({(each.text, each.fault, each.usage["completion_tokens"]) for each in found}) > 1
    assert found[0].usage["prompt_tokens"] == 3
    assert found[0].model == "tiny-judge"


def test_without_temperature_nothing_is_drawn_and_a_cut_reply_is_a_fault(folder):
    chat = LocalChat(str(folder))
    first, second = (chat.ask(question(seed=seed, temperature=0.0, max_tokens=1), Gate()) for seed in (1, 2))
    assert first == second
    assert first.fault in ("cut off by --max-tokens", "empty reply")


def test_attention_goes_without_cudnns_plans_while_it_answers(folder, monkeypatch):
    switch = pytest.importorskip("torch").backends.cuda
    chat, allowed = LocalChat(str(folder)), []
    real = chat._model.generate
    monkeypatch.setattr(
        chat._model, "generate", lambda **given: allowed.append(switch.cudnn_sdp_enabled()) or real(**given)
    )
    before = switch.cudnn_sdp_enabled()
    switch.enable_cudnn_sdp(True)
    try:
        chat.ask(question(), Gate())
        assert allowed == [False]
        assert switch.cudnn_sdp_enabled()
    finally:
        switch.enable_cudnn_sdp(before)


def test_the_command_says_what_such_a_model_leaves_unscored(folder, tmp_path, capsys):
    write_records(tmp_path / "predictions.jsonl", answers(2))
    command = ["judge", "vqa", str(tmp_path / "predictions.jsonl"), "--judge", "local", "--model", str(folder)]
    assert main([*command, "--runs", "1", "--reasks", "1", "--max-tokens", "8"]) == 2
    assert "none of 2 questions got a reply that can be used" in capsys.readouterr().err
    assert not (tmp_path / "metrics.json").exists()
    entries = [json.loads(line) for line in (tmp_path / "judge.ledger.jsonl").read_text().splitlines()]
    assert len(entries) == 4 and str(folder.parent) not in (tmp_path / "judge.ledger.jsonl").read_text()


def test_a_folder_that_is_no_judge(tmp_path, folder):
    with pytest.raises(ConfigError, match="nothing is fetched"):
        LocalChat(str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="no causal language model"):
        LocalChat(str(tmp_path))
