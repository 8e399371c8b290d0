"""Rubrics: the built-in ones stay what they are, those of files are checked whole, and one is never read as another."""

from __future__ import annotations

import json

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.rubrics import REPORT, VQA, find_rubric, read_rubric, require_same_rubric, rubric_from_json

HARM = """
name: harm
task: report
mean_name: harm score
levels:
  - {value: 2, word: correct, description: It says what the reference says.}
  - {value: 0, word: harmful, description: Acting on it would harm.}
  - {value: 1, word: harmless, description: "Wrong, but it would harm nobody."}
"""


def written(folder, text):
    (folder / "rubric.yaml").write_text(text, encoding="utf-8")
    return folder / "rubric.yaml"


def test_a_rubric_of_a_file_and_what_follows_from_it(tmp_path):
    rubric = read_rubric(written(tmp_path, HARM))
    assert rubric.values == (0, 1, 2) and rubric.scale == "0, 1, 2" and rubric.keys() == ("0", "1", "2")
    assert (rubric.lowest, rubric.highest, rubric.is_accuracy, rubric.mean_name) == (0, 2, False, "harm score")
    assert rubric.text().splitlines()[0] == "2: It says what the reference says."
    assert rubric_from_json(json.loads(json.dumps(rubric.to_json())), "file") == rubric
    (tmp_path / "same.json").write_text(
        json.dumps({key: value for key, value in rubric.to_json().items() if key != "digest"})
    )
    assert read_rubric(tmp_path / "same.json") == rubric


def test_the_digest_is_that_of_the_levels(tmp_path):
    rubric = read_rubric(written(tmp_path, HARM))
    assert read_rubric(written(tmp_path, HARM.replace("harm score", "other"))).digest == rubric.digest
    changed = read_rubric(written(tmp_path, HARM.replace("harm nobody", "harm few")))
    assert changed.digest != rubric.digest
    with pytest.raises(DataError) as caught:
        require_same_rubric(rubric, changed)
    assert all(found.digest[:8] in str(caught.value) for found in (rubric, changed))


@pytest.mark.parametrize(("rubric", "digest"), [(VQA, "53d77eb7"), (REPORT, "c8d99bdc")])
def test_built_in_rubrics_do_not_change(rubric, digest):
    assert rubric.digest.startswith(digest), "ratings that people have on disk were made under the former wording"


def test_values_of_two_digits_have_keys_by_place(tmp_path):
    text = "name: x\ntask: vqa\nlevels:\n" + "".join(
        f"  - {{value: {value}, word: w{value}, description: d{value}}}\n" for value in (0, 50, 100)
    )
    rubric = read_rubric(written(tmp_path, text))
    assert (rubric.values, rubric.keys(), rubric.mean_name) == ((0, 50, 100), ("1", "2", "3"), "mean x")


def test_every_mistake_of_a_file_in_one_message(tmp_path):
    text = """
name: Not a name
task: poem
aggregation: median
colour: red
levels:
  - {value: 1.5, word: "", description: d}
  - {value: true, word: w, description: d, colour: red}
  - 7
"""
    with pytest.raises(ConfigError) as caught:
        read_rubric(written(tmp_path, text))
    problems = "\n".join(caught.value.problems)
    for words in (
        "name: at most 40",
        "task: what it rates",
        "aggregation: one of",
        "colour: no such key",
        "number 1: value: a whole number",
        "number 1: word: a text",
        "number 2: value",
        "number 2: colour: no such key",
        "number 3: it needs",
    ):
        assert words in problems, words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "holds no keys"),
        ("a: [", "cannot read"),
        ("name: vqa\ntask: vqa\nlevels: []", "built-in"),
        (HARM.replace("value: 2", "value: 1"), "two have the same value"),
        (HARM + "aggregation: accuracy\n", "needs the values 0 and 1"),
    ],
)
def test_files_that_are_none(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        read_rubric(written(tmp_path, text))


def test_a_rubric_for_another_task_is_refused(tmp_path):
    path = written(tmp_path, HARM)
    assert find_rubric("report", path) == find_rubric("caption", path)
    assert (find_rubric("vqa"), find_rubric("caption")) == (VQA, REPORT)
    with pytest.raises(ConfigError, match="rates task 'report'"):
        find_rubric("vqa", path)


def test_a_rubric_that_was_changed_by_hand_is_damaged():
    content = VQA.to_json()
    content["levels"][0]["word"] = "bad"
    with pytest.raises(DataError, match="changed them by hand"):
        rubric_from_json(content, "metrics.json")
