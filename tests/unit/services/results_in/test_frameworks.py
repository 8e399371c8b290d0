"""Files of other frameworks, of today and of before, joined with a release of own data by the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import DataError
from pefomed_plugin.services.results_in import recognise
from pefomed_plugin.services.results_in.json_formats import (
    read_llava_questions,
    read_lmms_eval,
)
from pefomed_plugin.storage import read_predictions

from .rows import QUESTIONS, arguments, imported, lines


def test_llava_meds_questions_as_json_lines(own: Path, tmp_path: Path) -> None:
    rows = [
        {"question_id": 700 + number, "image": image, "text": f"{question}\n<image>"}
        for number, (_, image, question, _) in enumerate(QUESTIONS)
    ]
    questions = lines(tmp_path / "q.jsonl", rows)
    answers = [{"question_id": 701, "text": "circle"}, {"question_id": 700, "text": "no"}]
    file = lines(tmp_path / "a.jsonl", answers)
    assert imported(own, "llava_med", file, "--questions", questions) == ["no", "circle"]
    lines(questions, [rows[0], {**rows[1], "question_id": 700}])
    with pytest.raises(DataError, match="the id 700 is that of another question"):
        read_llava_questions(questions)


def test_an_answer_that_the_question_file_lacks_is_named(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    questions = lines(tmp_path / "q.jsonl", [{"question_id": 700, "image": "p0.png", "text": QUESTIONS[0][2]}])
    file = lines(tmp_path / "a.jsonl", [{"question_id": "q1", "text": "circle"}])
    assert main(arguments(own, "llava_med", file, "--questions", questions)) == 2
    assert "a.jsonl, line 1: the id 'q1'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "make"),
    [
        (
            "lmms_eval",
            lambda image, question, answer, text: {
                "doc_id": 0,
                "doc": {"question": question},
                "target": answer,
                "resps": [[text]],
                "filtered_resps": [text],
            },
        ),
        (
            "ms_swift",
            lambda image, question, answer, text: {
                "response": text,
                "labels": answer,
                "messages": [
                    {"role": "system", "content": "Be short."},
                    {"role": "user", "content": f"<image>{question}"},
                    {"role": "assistant", "content": text},
                ],
                "images": [{"bytes": None, "path": f"/data/{image}"}],
            },
        ),
        (
            "llama_factory",
            lambda image, question, answer, text: {
                "prompt": f"user\n{question}assistant\n",
                "predict": text,
                "label": answer,
            },
        ),
    ],
)
def test_files_of_other_frameworks(own: Path, tmp_path: Path, name: str, make: Any) -> None:
    rows = [make(*row[1:], text) for row, text in zip(QUESTIONS, ("no", "<think>hm</think>circle"))]
    assert imported(own, name, lines(tmp_path / "file.jsonl", rows[::-1])) == ["no", "circle"]
    assert imported(own, name, lines(tmp_path / "file.jsonl", rows)) == ["no", "circle"]


def test_medevalkits_reports_join_by_image(own: Path, tmp_path: Path) -> None:
    lines(own / "test.jsonl", [{"image": f"p{number}.png", "report": "The frame is thick."} for number in (0, 1)])
    rows = [
        {"image": [f"images/p{number}.png"], "findings": "thick", "impression": "", "response": f"report {number}"}
        for number in (1, 0)
    ]
    (tmp_path / "results.json").write_text(json.dumps(rows))
    assert imported(own, "medevalkit", tmp_path / "results.json") == ["report 0", "report 1"]


def test_answers_in_two_languages_name_the_option(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    release = tmp_path / "slake"
    release.mkdir()
    for name in ("train", "validate", "test"):
        rows = [
            {
                "qid": f"{name}{number}",
                "img_name": f"{name}/source.jpg",
                "question": question,
                "answer": answer,
                "answer_type": "OPEN",
                "q_lang": language,
            }
            for number, (language, question, answer) in enumerate(
                [("en", "Which organ?", "liver"), ("zh", "\u54ea\u4e2a\u5668\u5b98", "\u809d")]
            )
        ]
        (release / f"{name}.json").write_text(json.dumps(rows))
    file = tmp_path / "results.json"
    file.write_text(json.dumps([{**row, "response": row["answer"]} for row in rows]))
    command = ["import-predictions", "medevalkit", str(file), "--dataset", "slake", "--data", str(release)]
    command += ["--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "add --option language=all" in capsys.readouterr().err
    assert main([*command, "--option", "language=all"]) == 0
    assert len(read_predictions(tmp_path / "out" / "predictions.jsonl")) == 2


@pytest.mark.parametrize(
    "said",
    [[["-1.5", "True"], ["-0.25", "False"]], [[-1.5, True], [-0.25, False]], ["-1.5", "False"], [[["-1.5", "True"]]]],
)
def test_likelihoods_of_choices_are_no_answers(tmp_path: Path, said: list) -> None:
    rows = [{"doc_id": 0, "target": "yes", "filtered_resps": said, "input": "q"}]
    with pytest.raises(DataError, match="holds the likelihoods of choices, no answers"):
        read_lmms_eval(lines(tmp_path / "a_samples_b.jsonl", rows))


def test_lmms_eval_wrote_one_object_up_to_02(own: Path, tmp_path: Path) -> None:
    logs = [
        {
            "doc_id": number,
            "target": answer,
            "doc": {"question": question},
            "arguments": [[question]],
            "resps": [[text]],
            "filtered_resps": [text],
        }
        for number, ((_, _, question, answer), text) in enumerate(zip(QUESTIONS, ("no", "circle")))
    ]
    file = tmp_path / "task.json"
    for indent in (4, None):
        file.write_text(json.dumps({"args": {}, "model_configs": {}, "logs": logs, "time": "0101"}, indent=indent))
        assert recognise(file).name == "lmms_eval"
        assert imported(own, "lmms_eval", file) == ["no", "circle"]


@pytest.mark.parametrize("labels", [True, False])
def test_ms_swift_wrote_query_and_label_before_3(own: Path, tmp_path: Path, labels: bool) -> None:
    rows = [
        {
            "system": None,
            "query": f"<image>{question}\nAnswer briefly.",
            "response": text,
            **({"label": answer} if labels else {}),
            "history": [],
            "images": [f"/data/{image}"],
        }
        for (_, image, question, answer), text in zip(QUESTIONS, ("no", "circle"))
    ]
    file = lines(tmp_path / "infer.jsonl", rows)
    assert recognise(file).name == "ms_swift"
    assert imported(own, "ms_swift", file) == ["no", "circle"]


@pytest.mark.parametrize(
    "image", ["data:image/png;base64,iVBORw0KGgo=", "iVBORw0KGgo/" * 1000, "<base64-data-removed>"]
)
def test_an_image_that_is_there_itself_is_no_path(own: Path, tmp_path: Path, image: str) -> None:
    rows = [
        {"response": text, "labels": answer, "messages": [{"role": "user", "content": question}], "images": [image]}
        for (_, _, question, answer), text in zip(QUESTIONS, ("no", "circle"))
    ]
    assert imported(own, "ms_swift", lines(tmp_path / "infer.jsonl", rows[::-1])) == ["no", "circle"]
