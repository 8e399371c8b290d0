"""The words that R2Gen's protocol knows: from training reports, or from a list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Sample
from pefomed_plugin.reporting.vocabulary import read_vocabulary
from pefomed_plugin.scoring import lexical
from pefomed_plugin.scoring.java import JavaError
from pefomed_plugin.storage import write_records

from .made import make_run, predicted


def report(number: int, text: str, split: str = "train", dataset: str = "iu_xray", study: int = 0) -> Sample:
    return Sample(
        f"{dataset}-{number}",
        dataset,
        split,
        f"{number}.png",
        "report",
        None,
        text,
        metadata={"study": study or number},
    )


def test_words_of_the_training_reports_a_study_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    texts = ["Lungs clear.", "Lungs clear.", "Lungs wide.", "Wide heart."]
    write_records(
        path, [report(number, text) for number, text in enumerate(texts, 1)] + [report(9, "Wide heart.", study=4)]
    )
    assert read_vocabulary(path, "iu_xray") == {"lungs", "."}


def test_a_list_of_words(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("lungs\nclear\n.\n\n", encoding="utf-8")
    assert read_vocabulary(path, "iu_xray") == {"lungs", "clear", "."}
    path.write_text("lungs clear\nheart\n", encoding="utf-8")
    with pytest.raises(DataError, match="not a list of words") as caught:
        read_vocabulary(path, "iu_xray")
    assert "line 1: 'lungs clear' is more than one word" in caught.value.problems[0]


def test_a_release_is_read_as_it_was_downloaded(tmp_path: Path) -> None:
    studies = {
        split: [
            {
                "id": f"CXR{number}_{split}",
                "report": "Lungs clear .",
                "split": split,
                "image_path": [f"CXR{number}_{split}/0.png", f"CXR{number}_{split}/1.png"],
            }
            for number in range(3)
        ]
        for split in ("train", "val", "test")
    }
    (tmp_path / "images").mkdir()
    (tmp_path / "annotation.json").write_text(json.dumps(studies), encoding="utf-8")
    assert read_vocabulary(tmp_path, "iu_xray") == {"lungs", "clear", "."}


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([report(1, "Lungs clear.", split="test")], "not a training split of iu_xray: it holds iu_xray, split test"),
        ([report(1, "Lungs clear.", dataset="mimic_cxr")], "it holds mimic_cxr, split train"),
        ([report(1, "Lungs clear.")], "no word occurs three times in its 1 training reports"),
    ],
)
def test_what_holds_no_training_words_is_named(tmp_path: Path, samples: list, message: str) -> None:
    write_records(tmp_path / "train.jsonl", samples)
    with pytest.raises(DataError, match=message):
        read_vocabulary(tmp_path / "train.jsonl", "iu_xray")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or folder"):
        read_vocabulary(tmp_path / "nowhere", "iu_xray")
    with pytest.raises(ConfigError, match="unknown data set 'invented'"):
        read_vocabulary(tmp_path, "invented")


def no_java() -> str:
    raise JavaError("no Java")


def test_the_command_scores_with_it_and_never_without(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pycocoevalcap")
    monkeypatch.setattr(lexical, "find_java", no_java)  # METEOR is not what this is about
    rows = [
        predicted(
            number,
            True,
            dataset="iu_xray",
            task="report",
            question=None,
            answer_type=None,
            answer=f"lungs clear, rare {number}",
            prediction="lungs clear",
        )
        for number in range(4)
    ]
    folder = make_run(tmp_path / "run", rows, scorers=()) / "results/iu_xray-test"
    arguments = ["score", "lexical", str(folder / "predictions.jsonl"), "--protocol", "r2gen60"]
    assert main(arguments) == 2
    assert "needs the words of the training reports: give --vocabulary PATH" in capsys.readouterr().err
    assert not (folder / "metrics.json").exists()
    (tmp_path / "words.txt").write_text("lungs\nclear\n.\n", encoding="utf-8")
    assert main([*arguments, "--vocabulary", str(tmp_path / "words.txt")]) == 0
    figures = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["scores"]["lexical/r2gen60"]
    assert figures["vocabulary"] == 3 and figures["rouge_l"]["value"] == pytest.approx(0.7176, abs=1e-4)
    assert main([*arguments[:3], "--vocabulary", str(tmp_path / "words.txt")]) == 2
    assert "is of lexical/r2gen60 only" in capsys.readouterr().err
