"""The panel at the end of a run: what, data, model, figures with intervals, files; framed on a terminal alone."""

from __future__ import annotations

from types import SimpleNamespace

from pefomed_plugin.origins import GENERATED, REAL, TINY, Origins
from pefomed_plugin.reporting.durations import time_in_words
from pefomed_plugin.reporting.rendering import show_panel
from pefomed_plugin.reporting.summary import summary_panel

INTERVAL = {"low": 60.0, "high": 70.0, "reason": None}
METRICS = {
    "vqa_rad-test": {
        "n": 451,
        "scores": {
            "exact_match/pefomed": {
                "open": {"value": 50.0, "unit": "%", "n": 179, "interval": INTERVAL},
                "overall": {"value": 65.0, "unit": "%", "n": 451, "interval": INTERVAL},
            },
            "lexical/coco": {
                "bleu1": {"value": 0.5, "n": 451},
                "cider": {"value": 0.9, "n": 451, "interval": {"low": 0.8, "high": 1.0, "reason": None}},
            },
        },
    }
}


def panel(tmp_path, metrics, *, evaluate=False, origins=None):
    run = SimpleNamespace(evaluate=evaluate, max_epoch=3, task="medical_vqa")
    model = SimpleNamespace(llama_model="/weights/Llama-2-7b-chat-hf", ckpt="/weights/stage3.pth")
    configuration = SimpleNamespace(run=run, model=model, datasets={"vqa_rad": None, "slake": None})
    origins = origins or Origins({"vqa_rad": REAL, "slake": GENERATED})
    return summary_panel(configuration, origins, metrics, tmp_path, 150.0, origins.notice)


def test_it_says_what_ran_on_what_and_what_came_of_it(tmp_path):
    (tmp_path / "log.jsonl").touch()
    rows = panel(tmp_path, METRICS).rows
    assert rows[:3] == [
        ("what", "trained 3 epoch(s), then answered 451 of vqa_rad-test, in 2 min"),
        ("data", "vqa_rad (real), slake (generated)"),
        ("model", "Llama-2-7b-chat-hf, from /weights/stage3.pth"),
    ]
    assert [text for name, text in rows if "vqa_rad-test:" in text] == [
        "vqa_rad-test: exact_match/pefomed overall 65.0 %, 95 %: 60.0 - 70.0",
        "vqa_rad-test: lexical/coco cider 0.900, 95 %: 0.800 - 1.000",
    ]
    assert ("files", str(tmp_path)) in rows and ("", "  log.jsonl") in rows and rows[-1][0] == "beware"


def test_real_data_and_the_tiny_model_are_called_so(tmp_path):
    rows = dict(panel(tmp_path, {}, origins=Origins({"vqa_rad": REAL, "slake": REAL}, TINY)).rows)
    assert rows["model"].startswith("the tiny model") and rows["data"] == "vqa_rad (real), slake (real)"
    assert "tiny model, real data" in rows["beware"]


def test_without_answers(tmp_path):
    assert panel(tmp_path, {}).rows[0][1] == "trained 3 epoch(s), in 2 min"
    assert panel(tmp_path, {}, evaluate=True).rows[0][1] == "nothing answered, in 2 min"


def test_plain_lines_in_a_pipe(tmp_path, capsys):
    show_panel(panel(tmp_path, METRICS))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "the run" and lines[2] == "  data     vqa_rad (real), slake (generated)"


def test_times_are_said_in_the_unit_that_fits():
    assert [time_in_words(seconds) for seconds in (48.4, 720, 11520)] == ["48 s", "12 min", "3 h 12 min"]
