"""Every command that reads results, with every one of its files damaged in every way: a named error or an answer.

In one process, so that an exception that is none of ours fails the test; files that are there stay as they are.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from pefomed_plugin.cli import main
from pefomed_plugin.services.judge.ledger import Ledger
from tests.unit.reporting.made import answers, make_run, rate

from .damage import DAMAGES, SECRET, digests

pytestmark = pytest.mark.timeout(30, func_only=True)  # of each test; what all are made from takes longer
RESULTS = "run/results/vqa_rad-test"
PREDICTIONS = f"{RESULTS}/predictions.jsonl"


def _own_data(root: Path) -> None:
    rows = [
        {"image": f"{number}.png", "question": "Is it so?", "answer": f"yes {SECRET}", "id": f"q{number}"}
        for number in range(4)
    ]
    (root / "own" / "images").mkdir(parents=True)
    (root / "table" / "images").mkdir(parents=True)
    for number in range(4):
        for folder in ("own", "table"):
            Image.new("L", (8, 8), 40 * number).save(root / folder / "images" / f"{number}.png")
    lines = [json.dumps(row) for row in rows]
    (root / "own" / "train.jsonl").write_text("\n".join([*lines[:3], ""]), encoding="utf-8")
    (root / "own" / "test.jsonl").write_text(lines[3] + "\n", encoding="utf-8")
    cells = ["image,question,answer", *(f"{number}.png,Is it so?,yes {SECRET}" for number in range(4)), ""]
    (root / "table" / "train.csv").write_text("\n".join(cells), encoding="utf-8")
    assert main(["prepare", "medical_custom", "--source", str(root / "own"), "--out", str(root / "prepared")]) == 0
    sample = json.loads((root / "prepared" / "test.jsonl").read_text(encoding="utf-8"))
    answer = {"question_id": sample["id"], "prompt": sample["question"], "text": "yes"}
    (root / "answers.jsonl").write_text(json.dumps(answer) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was scored, judged and rated, and what is imported and exported beside it."""
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return _make(root)


def _make(root: Path) -> Path:
    rows = answers([True, False, True, False], answer=f"yes {SECRET}")
    folder = make_run(root / "run", rows, config={"model": {}, "datasets": {}, "run": {}}) / "results/vqa_rad-test"
    rate(folder, rows, "judge/vqa/gpt-4o", [[1, 0, 1, 0]])
    rate(folder, rows, "human/vqa", [[1, 0, 1, 1]])
    assert main(["agree", str(root / PREDICTIONS)]) == 0
    shutil.copytree(root / "run", root / "again")
    assert main(["rate", "export", str(root / PREDICTIONS), "--out", str(root / "sheets"), "--csv"]) == 0
    _own_data(root)
    with Ledger(root / "ledger.jsonl") as ledger:
        ledger.append([{"key": "a" * 64, "text": f"Verdict: 1 {SECRET}"}, {"key": "b" * 64, "text": "Verdict: 0"}])
    torch.save({"model": {"llama_proj.weight": torch.ones(4, 4)}, "epoch": 0}, root / "checkpoint.pth")
    for command in ("prepare", "prepare csv", "import answers", "shard", "score data", "ledger"):
        given = [f"whole {command}" if part == "out" else part for part in COMMANDS[command][0]]
        assert main(given) == 0, command
    (root / "prices.json").write_text(json.dumps({"gpt-4o": {"input": 1, "output": 2}}), encoding="utf-8")
    return root


COMMANDS: dict[str, tuple[list[str], list[str]]] = {
    "score": (["score", "token_recall", PREDICTIONS, "--out", "out"], [PREDICTIONS]),
    "score here": (["score", "token_recall", PREDICTIONS], [f"{RESULTS}/metrics.json"]),
    "judge": (["judge", "vqa", PREDICTIONS, "--judge", "offline", "--out", "out"], [PREDICTIONS]),
    "agree": (["agree", PREDICTIONS], [PREDICTIONS, f"{RESULTS}/scores/human-vqa.run1.jsonl"]),
    "compare": (
        ["compare", "run", "--out", "out.md"],
        [PREDICTIONS, f"{RESULTS}/metrics.json", f"{RESULTS}/agreement.json", "run/config.yaml"],
    ),
    "compare two": (
        ["compare", "again", "run", "--by", "organ", "--out", "out.md"],
        [f"{RESULTS}/metrics.json", f"{RESULTS}/scores/human-vqa.run1.jsonl"],
    ),
    "plan": (
        ["rate", "plan", PREDICTIONS, "--half-width", "0.1"],
        [PREDICTIONS, f"{RESULTS}/metrics.json", f"{RESULTS}/scores/human-vqa.run1.jsonl"],
    ),
    "report": (["report", "run", "--no-images", "--out", "out.html"], [PREDICTIONS, f"{RESULTS}/metrics.json"]),
    "wasm": (["wasm", PREDICTIONS], [PREDICTIONS]),
    "export": (["rate", "export", PREDICTIONS, "--out", "out"], [PREDICTIONS]),
    "import": (
        ["rate", "import", "sheets", PREDICTIONS, "--out", "out"],
        ["sheets/ratings.json", "sheets/rater01.csv"],
    ),
    "inspect": (["checkpoint", "inspect", PREDICTIONS], [PREDICTIONS]),
    "inspect weights": (["checkpoint", "inspect", "checkpoint.pth"], ["checkpoint.pth"]),
    "prepare": (
        ["prepare", "medical_custom", "--source", "own", "--out", "out"],
        ["own/train.jsonl", "own/images/1.png"],
    ),
    "prepare csv": (["prepare", "medical_custom", "--source", "table", "--out", "out"], ["table/train.csv"]),
    "shard": (
        ["shard", "prepared", "--out", "out", "--image-size", "8"],
        ["prepared/manifest.json", "prepared/train.jsonl"],
    ),
    "import answers": (
        [
            "import-predictions",
            "llava_med",
            "answers.jsonl",
            "--dataset",
            "medical_custom",
            "--data",
            "own",
            "--out",
            "out",
        ],
        ["answers.jsonl", "own/test.jsonl"],
    ),
    "export answers": (["export-predictions", "lmms_eval", PREDICTIONS, "--out", "out"], [PREDICTIONS]),
    "score data": (["score", "exact_match", PREDICTIONS, "--out", "out"], [PREDICTIONS]),
    "ledger": (
        ["judge", "vqa", PREDICTIONS, "--model", "m", "--ledger", "ledger.jsonl", "--dry-run", "--out", "out"],
        ["ledger.jsonl"],
    ),
    "predict": (
        ["predict", "medical_custom", "own", "--api", "m", "--dry-run", "--ledger", "ledger.jsonl", "--out", "out"],
        ["own/test.jsonl", "own/images/3.png", "ledger.jsonl"],
    ),
    "scores": (["wasm", PREDICTIONS], [f"{RESULTS}/scores/judge-vqa-gpt-4o.run1.jsonl"]),
}
WRITES = {
    "ledger": ("ledger.jsonl",),
    "predict": ("ledger.jsonl",),
    "score here": ("metrics.json",),
    "agree": ("agreement.json", "metrics.json"),
}
"""What a command that succeeds may write anew."""
CASES = [
    pytest.param(command, name, damage, id=f"{command}-{Path(name).name}-{damage}".replace(" ", "_"))
    for command, (_, files) in COMMANDS.items()
    for name in files
    for damage in DAMAGES
]


@pytest.mark.parametrize(("command", "name", "damage"), CASES)
def test_a_damaged_file_is_named_or_read(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, command, name, damage
) -> None:
    root = tmp_path / "root"
    shutil.copytree(whole, root)
    monkeypatch.chdir(root)
    path = root / name
    if not path.is_file():
        pytest.fail(f"the corpus has no {name}: {sorted(digests(root))}")
    try:
        DAMAGES[damage](path)
    except (ValueError, IndexError):
        pytest.skip("a damage of JSON, and this is none")
    before = digests(root)
    code = main([*COMMANDS[command][0]])
    told = capsys.readouterr()
    assert code in (0, 1, 2)
    assert "Traceback" not in told.err and "\x1b" not in told.err
    if code == 2:
        names_it = command in ("import answers", "predict") and damage == "all texts"  # an id, a path
        assert "error: " in told.err and (SECRET not in told.err or names_it)
    after = digests(root)
    changed = [file for file, digest in before.items() if after.get(file) != digest]
    assert code < 2 or changed == []
    assert all(Path(file).name in WRITES.get(command, ()) for file in changed)
