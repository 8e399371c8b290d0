from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Sample
from pefomed_plugin.services.results_in import FORMATS, Answer, join_answers, recognise
from pefomed_plugin.services.results_in.json_formats import (
    read_authors,
    read_llava_med,
    read_llava_questions,
    read_lmms_eval,
    read_medevalkit,
)
from pefomed_plugin.services.results_in.tables import read_vlmevalkit
from pefomed_plugin.storage import read_predictions

from .rows import QUESTIONS


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


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


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
    assert texts(read_llava_med(write_lines(tmp_path / "answers.jsonl", rows[::-1]))) == TEXTS
    rows[0]["prompt"] = "What is this?"
    with pytest.raises(DataError) as caught:
        texts(read_llava_med(write_lines(tmp_path / "answers.jsonl", rows)))
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


def test_vlmevalkit_in_its_three_forms(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    header = ["index", "question", "answer", "prediction"]
    rows = [[number, each.question, each.answer, text] for number, (each, text) in enumerate(zip(SAMPLES, TEXTS))]
    book = openpyxl.Workbook()
    for row in [header, *rows]:
        book.active.append(row)
    book.save(tmp_path / "model_data.xlsx")
    (tmp_path / "model_data.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in [header, *rows]))
    (tmp_path / "model_data.json").write_text(json.dumps([dict(zip(header, row)) for row in rows]))
    for ending in ("xlsx", "tsv", "json"):
        assert texts(read_vlmevalkit(tmp_path / ("model_data." + ending))) == TEXTS
    with pytest.raises(ConfigError, match="VLMEvalKit writes"):
        read_vlmevalkit(tmp_path / "model_data.pkl")
    (tmp_path / "broken.xlsx").write_text("no spreadsheet")
    with pytest.raises(DataError, match="no .xlsx, whatever its ending says"):
        read_vlmevalkit(tmp_path / "broken.xlsx")


def test_an_empty_cell_is_a_missing_prediction(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text('[{"question": "q", "answer": 3.0, "prediction": NaN}]')
    assert read_vlmevalkit(path) == [Answer("table.json, row 1", None, None, "q", None, "3")]


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
    answers = write_lines(tmp_path / "answers.jsonl", [{"question_id": 4, "text": "left side"}])
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
    write_lines(answers, [{"question_id": 4, "text": "left"}])
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
    write_lines(answers, [{"question_id": 9, "text": "left side"}])
    before = (tmp_path / "out" / "predictions.jsonl").read_bytes()
    assert main(command) == 2
    assert "answers.jsonl, line 1: no sample has the id '9'" in capsys.readouterr().err
    assert (tmp_path / "out" / "predictions.jsonl").read_bytes() == before
    assert main(["import-predictions", "llava", *command[2:]]) == 2
    assert "did you mean 'llava_med'" in capsys.readouterr().err


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A release of own data with two questions."""
    folder = tmp_path / "own"
    folder.mkdir()
    fields = ("id", "image", "question", "answer")
    write_lines(folder / "test.jsonl", [dict(zip(fields, row)) for row in QUESTIONS])
    return folder


def imported(own: Path, format_name: str, file: Path, *more: str) -> list[str | None]:
    out = own.parent / "out"
    where = ["--dataset", "medical_custom", "--data", str(own), "--out", str(out)]
    assert main(["import-predictions", format_name, str(file), *where, *more]) == 0
    return [prediction.prediction for prediction in read_predictions(out / "predictions.jsonl")]


def test_escapes_of_a_spreadsheet_are_characters(own: Path, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["index", "question", "answer", "predic_x0074_ion"])
    book.active.append([0, QUESTIONS[0][2], "yes", "yes_x000D_\n_x005F_x000D_ _xd83d__xDE00__xD83D_"])
    book.active.append([1, QUESTIONS[1][2], "triangle", "_x0009_x000_"])
    book.save(tmp_path / "model.xlsx")
    assert imported(own, "vlmevalkit", tmp_path / "model.xlsx") == [
        "yes\r\n_x000D_ \U0001f600\ufffd",
        "\tx000_",
    ]


def test_a_date_that_a_spreadsheet_made_is_refused(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["index", "question", "answer", "prediction"])
    book.active.append([0, "Which part?", "1/2", datetime(2026, 2, 1)])
    book.save(tmp_path / "model.xlsx")
    with pytest.raises(DataError, match="has turned prediction into a date"):
        read_vlmevalkit(tmp_path / "model.xlsx")


def test_llava_meds_questions_as_json_lines(own: Path, tmp_path: Path) -> None:
    rows = [
        {"question_id": 700 + number, "image": image, "text": f"{question}\n<image>"}
        for number, (_, image, question, _) in enumerate(QUESTIONS)
    ]
    questions = write_lines(tmp_path / "q.jsonl", rows)
    answers = [{"question_id": 701, "text": "circle"}, {"question_id": 700, "text": "no"}]
    file = write_lines(tmp_path / "a.jsonl", answers)
    assert imported(own, "llava_med", file, "--questions", str(questions)) == ["no", "circle"]
    write_lines(questions, [rows[0], {**rows[1], "question_id": 700}])
    with pytest.raises(DataError, match="the id 700 is that of another question"):
        read_llava_questions(questions)


def test_an_answer_that_the_question_file_lacks_is_named(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    questions = write_lines(tmp_path / "q.jsonl", [{"question_id": 700, "image": "p0.png", "text": QUESTIONS[0][2]}])
    file = write_lines(tmp_path / "a.jsonl", [{"question_id": "q1", "text": "circle"}])
    where = ["--dataset", "medical_custom", "--data", str(own), "--out", str(tmp_path / "out")]
    assert main(["import-predictions", "llava_med", str(file), "--questions", str(questions), *where]) == 2
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
    assert imported(own, name, write_lines(tmp_path / "file.jsonl", rows[::-1])) == ["no", "circle"]
    assert imported(own, name, write_lines(tmp_path / "file.jsonl", rows)) == ["no", "circle"]


def test_medevalkits_reports_join_by_image(own: Path, tmp_path: Path) -> None:
    write_lines(own / "test.jsonl", [{"image": f"p{number}.png", "report": "The frame is thick."} for number in (0, 1)])
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


def test_a_second_sheet_is_named(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["index", "question", "answer", "prediction"], [0, "q", "yes", "yes"]):
        book.active.append(row)
    book.create_sheet("Empty")
    book.save(tmp_path / "model.xlsx")
    assert len(read_vlmevalkit(tmp_path / "model.xlsx")) == 1
    book.create_sheet("Other model").append(["index"])
    book.save(tmp_path / "model.xlsx")
    with pytest.raises(DataError, match="one sheet, and Other model holds something, too"):
        read_vlmevalkit(tmp_path / "model.xlsx")


def test_half_a_character_in_a_spreadsheet_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["index", "question", "answer", "prediction"], [0, "q", "yes", "yes _xD83D_"], [1, "q", "no", "no"]):
        book.active.append(row)
    book.save(tmp_path / "model.xlsx")
    assert [answer.text for answer in read_vlmevalkit(tmp_path / "model.xlsx")] == ["yes \ufffd", "no"]
    assert "model.xlsx: 1 records hold half a character" in capsys.readouterr().err


@pytest.mark.parametrize(
    "said",
    [[["-1.5", "True"], ["-0.25", "False"]], [[-1.5, True], [-0.25, False]], ["-1.5", "False"], [[["-1.5", "True"]]]],
)
def test_likelihoods_of_choices_are_no_answers(tmp_path: Path, said: list) -> None:
    rows = [{"doc_id": 0, "target": "yes", "filtered_resps": said, "input": "q"}]
    with pytest.raises(DataError, match="holds the likelihoods of choices, no answers"):
        read_lmms_eval(write_lines(tmp_path / "a_samples_b.jsonl", rows))


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
    file = write_lines(tmp_path / "infer.jsonl", rows)
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
    assert imported(own, "ms_swift", write_lines(tmp_path / "infer.jsonl", rows[::-1])) == ["no", "circle"]


def test_answers_are_texts_or_lists_of_them(tmp_path: Path) -> None:
    rows = [{"question_id": number, "text": text} for number, text in enumerate((["yes"], ["no", "maybe"], [], 3))]
    found = read_llava_med(write_lines(tmp_path / "a.jsonl", rows))
    assert [answer.text for answer in found] == ["yes", "no", None, "3"]
    assert [bool(answer.notes) for answer in found] == [False, True, False, False]
    with pytest.raises(DataError) as caught:
        read_llava_med(write_lines(tmp_path / "a.jsonl", [{"question_id": 1, "text": {"answer": "yes"}}]))
    assert caught.value.problems == ("a.jsonl, line 1: text is an object, not a text; write the text alone",)


def test_answers_of_several_models_are_refused(tmp_path: Path) -> None:
    rows = [{"question_id": number, "text": "yes", "model_id": model} for number, model in enumerate("ab")]
    with pytest.raises(DataError, match="answers of several models, a, b; give each a file of its own"):
        read_llava_med(write_lines(tmp_path / "a.jsonl", rows))
