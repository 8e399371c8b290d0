from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Score
from pefomed_plugin.reporting.comparison.compare import compare_runs, to_json
from pefomed_plugin.reporting.comparison.compare_tables import comparison_markdown, comparison_table, comparison_view
from pefomed_plugin.reporting.comparison.lineage import deviations, stages_of
from pefomed_plugin.reporting.comparison.paper_figures import BOTH, NONE, STAGE_1, STAGE_2
from pefomed_plugin.reporting.rendering import show
from pefomed_plugin.reporting.results import Run, read_run
from pefomed_plugin.storage import write_json, write_records

from ..made import answers, make_run, predicted

RIGHT = [number % 4 != 3 for number in range(40)]
WRONG = [number % 4 == 0 for number in range(40)]


def config(task: str = "medical_vqa", ckpt: str = "minigptv2_checkpoint.pth", **run: Any) -> dict[str, Any]:
    return {
        "model": {"ckpt": ckpt, "image_size": 448},
        "datasets": {"vqa_rad": {"text_processor": {"eval": {"name": "blip_caption"}}}},
        "run": {"task": task, **run},
    }


def test_open_closed_overall_beside_the_papers_figures(tmp_path: Path) -> None:
    runs = [
        read_run(make_run(tmp_path / "a", answers(WRONG)), "none"),
        read_run(make_run(tmp_path / "b", answers(RIGHT)), "both stages, 1 epoch"),
    ]
    (table,) = compare_runs(runs)
    none, both = table.rows
    assert (none.stages, both.stages) == (NONE, BOTH)
    assert {column: figure.value for column, figure in both.figures.items()} == {
        "open": 100.0,
        "closed": 50.0,
        "overall": 75.0,
    }
    assert [both.figures[column.name].paper.value for column in table.columns] == [62.6, 87.1, 77.4]  # type: ignore
    assert none.difference is None and both.difference is not None
    assert both.difference.value == 50.0 and both.difference.p_value < 0.001 and both.difference.clusters == 20
    assert [column.header for column in comparison_table(table).columns] == [
        "run",
        "stages",
        "open %",
        "closed %",
        "overall %",
        "95 % interval",
        "against none",
        "p",
    ]
    of_none, of_both = comparison_table(table).texts()
    assert of_both[1:4] == ["1 + 2", "100.0 (62.6)", "50.0 (87.1)"]
    assert of_none[-2:] == ["", ""]


def test_the_paper_has_no_row_without_the_right_image(tmp_path: Path) -> None:
    rows = answers(RIGHT, producer={"images": "shuffled"})
    (row,) = compare_runs([read_run(make_run(tmp_path / "a", rows), "both, images shuffled")])[0].rows
    assert row.stages == BOTH and row.figures["overall"].paper is None and "images shuffled" in row.deviations


def test_the_papers_figures_are_not_set_beside_another_normalisation(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "a", answers(RIGHT), ["exact_match/clean"]), "both")
    assert all(figure.paper is None for figure in compare_runs([run])[0].rows[0].figures.values())


def test_markdown_keeps_hostile_labels_in_their_cell(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    runs = [
        read_run(make_run(tmp_path / "a", answers(RIGHT)), "none | <b>"),
        read_run(make_run(tmp_path / "b", answers(WRONG)), "two"),
    ]
    tables = compare_runs(runs)
    rows = [line for line in comparison_markdown(tables).splitlines() if line.startswith("| none")]
    assert len(rows) == 1 and "none \\| &lt;b>" in rows[0]
    show(comparison_view(tables))
    assert "sign-flip" in capsys.readouterr().out
    write_json(tmp_path / "compare.json", to_json(tables))


def test_wasm_levels_in_the_layout_of_table_11(tmp_path: Path) -> None:
    rows = [
        predicted(number, True, dataset="iu_xray", task="report", question=None, answer_type=None)
        for number in range(6)
    ]
    folder = make_run(tmp_path / "run", rows, scorers=())
    levels: list[Any] = [4, 4, 3, 0, 1, None]
    write_records(
        folder / "results/iu_xray-test/scores/wasm-judge.jsonl",
        [Score(row.id, "wasm/judge", "1", level) for row, level in zip(rows, levels)],
    )
    (table,) = compare_runs([read_run(folder, "stage 2")])
    figures = table.rows[0].figures
    assert [figures[f"level {level}"].value for level in range(5)] == [1, 1, 0, 1, 2]
    assert figures["wasm"].value == pytest.approx(12 / 5) and figures["wasm"].n == 5
    assert figures["wasm"].paper.value == 2.84 and figures["level 4"].paper.value == 376  # type: ignore[union-attr]


def test_a_judge_that_was_asked_twice_counts_with_its_mean(tmp_path: Path) -> None:
    rows = answers([True] * 4)
    folder = make_run(tmp_path / "run", rows, scorers=())
    for number, values in enumerate(([1.0, 0.0, 1.0, None], [1.0, 1.0, 1.0, None]), 1):
        write_records(
            folder / f"results/vqa_rad-test/scores/judge-vqa-gpt-4.run{number}.jsonl",
            [Score(row.id, "judge/vqa/gpt-4", "1", value) for row, value in zip(rows, values)],
        )
    (table,) = compare_runs([read_run(folder, "both")])
    overall = table.rows[0].figures["overall"]
    assert (overall.value, overall.n) == (pytest.approx(250 / 3), 3)
    assert overall.paper is not None and (overall.paper.value, overall.paper.table) == (84.4, "Table 9 (b)")


def test_runs_that_answered_something_else_are_refused(tmp_path: Path) -> None:
    first = read_run(make_run(tmp_path / "a", answers(RIGHT)))
    other = read_run(make_run(tmp_path / "b", answers(RIGHT[:39])))
    with pytest.raises(DataError, match="vqa_rad-test of run 'a'") as caught:
        compare_runs([first, other])
    assert "vqa_rad-39: in" in caught.value.problems[0]


def test_labels_must_differ_and_something_must_be_scored(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "a", answers(RIGHT), scorers=()))
    with pytest.raises(ConfigError, match="label of its own"):
        compare_runs([run, run])
    with pytest.raises(DataError, match="nothing was scored"):
        compare_runs([run])


def test_stages_are_followed_through_checkpoints(tmp_path: Path) -> None:
    stage_1 = tmp_path / "stage1" / "checkpoint_last.pth"
    both = tmp_path / "both" / "checkpoint_last.pth"
    make_run(tmp_path / "stage1", answers(RIGHT), config=config("medical_caption"))
    rows = {
        "zero": (config(evaluate=True), {"checkpoint": "weights/minigptv2_checkpoint.pth"}),
        "one": (config(evaluate=True), {"checkpoint": str(stage_1)}),
        "two": (config(), {"checkpoint": "two/checkpoint_best.pth"}),
        "both": (config(ckpt=str(stage_1)), {"checkpoint": str(both)}),
        "shuffled": (config(evaluate=True), {"checkpoint": str(both)}),
        "imported": (None, {}),
        "lost": (config(evaluate=True), {"checkpoint": "gone/checkpoint_last.pth"}),
    }
    runs = {
        name: read_run(make_run(tmp_path / name, answers(RIGHT, producer=producer), config=given))
        for name, (given, producer) in rows.items()
    }
    assert {name: stages_of(run) for name, run in runs.items()} == {
        "zero": NONE,
        "one": STAGE_1,
        "two": STAGE_2,
        "both": BOTH,
        "shuffled": BOTH,
        "imported": None,
        "lost": None,
    }


def test_deviations_come_from_configuration_and_producer(tmp_path: Path) -> None:
    given = config(init_lr=1e-5, min_lr=1e-5, max_epoch=3, iters_per_epoch=10, max_new_tokens=5)
    given["model"].update(image_size=224, lora_r=64, lora_target_modules=["v_proj", "k_proj"])
    given["model"]["peft"] = {"use_dora": True, "use_rslora": None, "modules_to_save": ["norm"]}
    given["datasets"]["vqa_rad"].update(limit={"train": 100}, text_processor={"eval": {"name": "medical_text"}})
    run = read_run(
        make_run(
            tmp_path / "run",
            answers(
                RIGHT,
                split="val",
                producer={"origin": {"data": {"vqa_rad": "real"}, "model": "tiny"}, "images": "blind", "num_beams": 3},
            ),
            config=given,
        )
    )
    assert deviations(run, run.answered["vqa_rad-val"]) == [
        "tiny model, real data (vqa_rad)",
        "images blind",
        "split val",
        "40 samples, paper 451",
        "3 beams",
        "image_size 224",
        "LoRA on k_proj, v_proj",
        "use_dora True",
        "modules_to_save norm",
        "at most 5 new tokens",
        "stage 2: init_lr 1e-05, paper 3e-05",
        "stage 2: max_epoch 3, paper 50",
        "stage 2: epochs of 10 iterations",
        "stage 2: vqa_rad limited to 100 samples",
        "text processor medical_text",
    ]


def test_a_run_as_the_paper_ran_it_has_no_deviation() -> None:
    rows = answers([True] * 451)
    given = config(init_lr=3e-5, min_lr=1e-5, max_epoch=50)
    from pefomed_plugin.reporting.results import Answered

    answered = Answered("vqa_rad-test", rows, {}, {})
    assert deviations(Run("paper", Path("."), given, None, {"vqa_rad-test": answered}), answered) == []
