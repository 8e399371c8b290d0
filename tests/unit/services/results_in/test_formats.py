from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Sample
from pefomed_plugin.services.results_in import FORMATS, Answer, join_answers
from pefomed_plugin.services.results_in.json_formats import (
    read_authors,
    read_llava_med,
    read_llava_questions,
    read_medevalkit,
)
from pefomed_plugin.storage import read_predictions

from .rows import lines


def sample(number: int, question: str | None, answer: str, image: str) -> Sample:
    return Sample(
        f"vqa_rad-{number}", "vqa_rad", "test", image, "vqa", question, answer, "OPEN", metadata={"source_id": number}
    )


SAMPLES = [
    sample(11, "Is the drawn lung clear?", "Yes", "a/one.jpg"),
    sample(12, "Where is the drawn line?", "left", "a/two.jpg"),
    sample(13, "Is the drawn lung clear?", "yes", "b/two.jpg"),
]
TEXTS = ["yes", "on the left", "=no"]


def texts(answers: list[Answer]) -> list[str | None]:
    return [join_answer.prediction for join_answer in join_answers(answers, SAMPLES, {})]


def test_llava_med_joins_by_id(tmp_path: Path) -> None:
    rows = [
        {
            "question_id": each.metadata["source_id"],
            "prompt": each.question + "\n<image>",
            "text": text,
            "answer_id": "x",
            "model_id": "m",
            "metadata": {},
        }
        for each, text in zip(SAMPLES, TEXTS)
    ]
    assert texts(read_llava_med(lines(tmp_path / "answers.jsonl", rows[::-1]))) == TEXTS
    rows[0]["prompt"] = "What is this?"
    with pytest.raises(DataError) as caught:
        texts(read_llava_med(lines(tmp_path / "answers.jsonl", rows)))
    assert caught.value.problems == (
        "answers.jsonl, line 1: asks 'What is this?', but vqa_rad-11 asks 'Is the drawn lung clear?': ids of another "
        "release?",
        "vqa_rad-11: no answer for it",
    )


def test_llava_meds_own_ids_are_resolved_by_its_question_file(tmp_path: Path) -> None:
    questions = [
        {
            "id": f"q{number}",
            "image": each.only_image,
            "conversatons": [{"value": "<image>\n" + str(each.question)}, {"value": each.answer}],
        }
        for number, each in enumerate(SAMPLES)
    ]
    path = tmp_path / "questions.json"
    path.write_text(json.dumps(questions))
    found = read_llava_questions(path)
    assert texts([Answer("", text, None, *found[f"q{number}"]) for number, text in enumerate(TEXTS)]) == TEXTS
    path.write_text(json.dumps([{"id": 1}]))
    with pytest.raises(DataError, match="record 0: needs id, image and conversations"):
        read_llava_questions(path)


def test_medevalkit_joins_by_order_or_by_question_and_reference(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    rows = [
        {"question": each.question.lower(), "answer": each.answer.lower(), "response": text, "correct": True}
        for each, text in zip(SAMPLES, TEXTS)
    ]  # type: ignore[union-attr]
    path.write_text(json.dumps(rows))
    assert texts(read_medevalkit(path)) == TEXTS
    path.write_text(json.dumps([rows[1], rows[0], rows[2]]))
    with pytest.raises(DataError, match="fits 2 samples") as caught:
        texts(read_medevalkit(path))
    assert len(caught.value.problems) == 4
    found = join_answers(read_medevalkit(path)[:1], SAMPLES[1:2], {"model": "m"})
    assert [(prediction.prediction, prediction.producer) for prediction in found] == [("on the left", {"model": "m"})]


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("so it is \\boxed{left}", "left"),
        ("<think>hm</think><answer> left </answer>", "left"),
        ("left", "left"),
        ("<answer>left", "left"),
        ("\\boxed{\\text{left}}", "left"),
        ("first \\boxed{right}, then $\\boxed{ \\textbf{\\mathrm{left} side} }$.", "left side"),
        ("\\boxed{left} or \\boxed{right", "left"),
        ("\\boxed{a \\} {b}}", "a \\} {b}"),
        ("<think>perhaps \\boxed{right}</think> \\boxed {left}", "left"),
        ("<answer>right</answer> no: <answer>left</answer>", "left"),
        ("<think>perhaps right</think>left", "left"),
        ("<think>perhaps right", None),
    ],
)
def test_medevalkits_reasoning_is_left_out(tmp_path: Path, response: str, answer: str | None) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"question": "q", "answer": "a", "response": response}]))
    assert read_medevalkit(path)[0].text == answer


def test_the_authors_vqa_file_is_keyed_by_qid(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    content = {
        str(each.metadata["source_id"]): {
            "question": each.question,
            "ground_truth": each.answer,
            "generated_answer": text,
            "answer_type": "OPEN",
            "question_type": "POS",
        }
        for each, text in zip(SAMPLES, TEXTS)
    }
    path.write_text(json.dumps(content))
    assert texts(read_authors(path)) == TEXTS
    content["12"]["ground_truth"] = "right"
    content["77"] = content["11"]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        texts(read_authors(path))
    assert [
        "references of another version" in caught.value.problems[0],
        "no sample has the id '77'" in caught.value.problems[1],
        caught.value.problems[2],
    ] == [True, True, "vqa_rad-12: no answer for it"]


def test_the_authors_reports_join_by_the_end_of_the_path(tmp_path: Path) -> None:
    path = tmp_path / "iu.json"
    reports = [replace(each, question=None, task="report") for each in SAMPLES]
    path.write_text(
        json.dumps(
            [
                {
                    "image_path": "/data/iu/images/" + report.only_image,
                    "ground_truth": "cleaned",
                    "generated_report": text,
                }
                for report, text in zip(reports, TEXTS)
            ]
        )
    )
    assert [join_answer.prediction for join_answer in join_answers(read_authors(path), reports, {})] == TEXTS
    with pytest.raises(DataError, match="already answered by"):
        join_answers([*read_authors(path), read_authors(path)[0]], reports, {})


def test_repeated_and_nested_questions_of_one_image_are_told_apart() -> None:
    samples = [
        sample(1, "Is it large?", "yes", "one.jpg"),
        sample(2, "Is it large?", "yes", "one.jpg"),
        sample(3, "Is it large? Where is it?", "left", "one.jpg"),
        sample(4, "Is it large?", "no", "one.jpg"),
    ]
    answers = [
        Answer(str(number), str(number), None, each.question, "x/one.jpg", each.answer)
        for number, each in enumerate(samples)
    ]
    order = [3, 2, 0, 1]
    found = join_answers([answers[number] for number in order], samples, {})
    assert [prediction.prediction for prediction in found] == ["0", "1", "2", "3"]
    with pytest.raises(DataError, match="vqa_rad-1 was already answered"):
        join_answers([answers[0]] * 3, samples[:2], {})


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"r2gen"}))
def test_files_of_another_format_are_refused(tmp_path: Path, name: str) -> None:
    content = {"pefomed": '{"a": {"b": 1}}', "rexrank": '{"a": {"b": 1}}', "inspect_ai": '{"samples": [{"a": 1}]}'}
    path = tmp_path / ("file.jsonl" if name == "llava_med" else "file.json")
    path.write_text(content.get(name, '[{"a": 1}]'))
    with pytest.raises(DataError, match="is this a file of this format"):
        FORMATS[name].read(path)


def test_empty_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DataError, match="holds no answers"):
        read_medevalkit(tmp_path / "a.json")


def test_the_command_writes_predictions_or_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    release = tmp_path / "vqa_rad"
    (release / "images").mkdir(parents=True)
    row = {"image_name": "one.jpg", "answer_type": "OPEN"}
    (release / "testset.json").write_text(
        json.dumps([{**row, "qid": 4, "question": "Where is the line?", "answer": "left"}])
    )
    (release / "trainset.json").write_text(json.dumps([{**row, "qid": 5, "question": "Why?", "answer": "so"}]))
    answers = lines(tmp_path / "answers.jsonl", [{"question_id": 4, "text": "left side"}])
    command = [
        "import-predictions",
        "llava_med",
        str(answers),
        "--dataset",
        "vqa_rad",
        "--data",
        str(release),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(command) == 0
    (found,) = read_predictions(tmp_path / "out" / "predictions.jsonl")
    assert (found.id, found.prediction, found.producer["imported_from"]) == ("vqa_rad-4", "left side", "llava_med")
    assert main(["score", "exact_match", str(tmp_path / "out/predictions.jsonl")]) == 0
    capsys.readouterr()
    assert main(command) == 0 and "set aside" not in capsys.readouterr().out
    lines(answers, [{"question_id": 4, "text": "left"}])
    assert main(command) == 0 and "is set aside" in capsys.readouterr().out
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == [
        "leaks.json",
        "metrics.json.1",
        "predictions.jsonl",
        "predictions.jsonl.1",
        "provenance.json",
        "scores.1",
    ]
    lines(answers, [{"question_id": 9, "text": "left side"}])
    before = (tmp_path / "out" / "predictions.jsonl").read_bytes()
    assert main(command) == 2
    assert "answers.jsonl, line 1: no sample has the id '9'" in capsys.readouterr().err
    assert (tmp_path / "out" / "predictions.jsonl").read_bytes() == before
    assert main(["import-predictions", "llava", *command[2:]]) == 2
    assert "did you mean 'llava_med'" in capsys.readouterr().err


def test_answers_are_texts_or_lists_of_them(tmp_path: Path) -> None:
    rows = [{"question_id": number, "text": text} for number, text in enumerate((["yes"], ["no", "maybe"], [], 3))]
    found = read_llava_med(lines(tmp_path / "a.jsonl", rows))
    assert [answer.text for answer in found] == ["yes", "no", None, "3"]
    assert [bool(answer.notes) for answer in found] == [False, True, False, False]
    with pytest.raises(DataError) as caught:
        read_llava_med(lines(tmp_path / "a.jsonl", [{"question_id": 1, "text": {"answer": "yes"}}]))
    assert caught.value.problems == ("a.jsonl, line 1: text is an object, not a text; write the text alone",)


def test_answers_of_several_models_are_refused(tmp_path: Path) -> None:
    rows = [{"question_id": number, "text": "yes", "model_id": model} for number, model in enumerate("ab")]
    with pytest.raises(DataError, match="answers of several models, a, b; give each a file of its own"):
        read_llava_med(lines(tmp_path / "a.jsonl", rows))
