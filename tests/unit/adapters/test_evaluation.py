"""Answering a split: every sample once, whoever answers it, and again from where it stopped."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from PIL import Image

from pefomed_plugin.adapters.answering import check_drafts
from pefomed_plugin.adapters.data.datasets import MedicalDataset
from pefomed_plugin.adapters.devices import make_accelerator
from pefomed_plugin.adapters.evaluation import evaluate_split
from pefomed_plugin.adapters.tasks import MedicalVqaTask
from pefomed_plugin.config.run import RunConfig, read_run_config
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Sample

PRODUCER = {"model": "m", "checkpoint_sha256": "0" * 8}


class Model:
    """Answers every question with its last word, and counts."""

    prompt_template = "[INST] {} [/INST]"

    def __init__(self, fails_after=10**9):
        self.asked, self.fails_after = [], fails_after

    def eval(self):
        return self

    def generate(self, images, prompts, **_):
        if len(self.asked) >= self.fails_after:
            raise KeyboardInterrupt
        assert len(images) == len(prompts)
        self.asked += prompts
        return [prompt.split()[-2] for prompt in prompts]


@pytest.fixture
def dataset(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "i.png")
    samples = [
        Sample(
            id=f"d-{number}",
            dataset="d",
            split="test",
            images=("i.png",),
            task="vqa",
            question=f"{'very ' * (number * 7 % 5)}which word{number}",
            answer=f"word{number}",
            answer_type="OPEN",
        )
        for number in range(11)
    ]
    import torch

    return MedicalDataset("d", samples, tmp_path, lambda image: torch.zeros(3, 2, 2), str, draws_instructions=False)


def evaluate(dataset, model, folder, producer=PRODUCER):
    options = RunConfig(task="medical_vqa", output_dir=str(folder), device="cpu", batch_size_eval=3)
    return evaluate_split(make_accelerator(options), MedicalVqaTask(), model, dataset, options, folder, producer)


def ids(path):
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_every_sample_is_answered_in_the_order_of_the_test_set(dataset, tmp_path):
    model = Model()
    metrics = evaluate(dataset, model, tmp_path / "out")
    assert metrics["scores"]["exact_match/pefomed"]["overall"]["correct"] == 11
    assert ids(tmp_path / "out" / "predictions.jsonl") == [sample.id for sample in dataset.samples]
    lengths = [len(prompt) for prompt in model.asked]
    assert lengths == sorted(lengths)
    assert not list((tmp_path / "out").glob("answers.*"))


@pytest.mark.parametrize("template", ["[INST] {} [/INST]", "{} ?"])
def test_the_recorded_prompt_is_the_one_that_was_asked(dataset, tmp_path, template):
    model = Model()
    model.prompt_template = template  # "{}" with model.chat_template false
    evaluate(dataset, model, tmp_path / "out")
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    recorded = [json.loads(line)["producer"]["prompt"] for line in lines]
    assert sorted(recorded) == sorted(model.asked) and len(set(recorded)) == 11


def test_a_killed_run_continues_where_it_stopped(dataset, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        evaluate(dataset, Model(fails_after=6), out)
    part = out / "answers.rank0.jsonl"
    assert len(ids(part)) == 6
    part.write_text(part.read_text() + '{"id": "d-', encoding="utf-8")
    model = Model()
    evaluate(dataset, model, out)
    assert len(model.asked) == 5
    assert ids(out / "predictions.jsonl") == [sample.id for sample in dataset.samples]


def test_a_finished_run_asks_nothing_again(dataset, tmp_path):
    evaluate(dataset, Model(), tmp_path / "out")
    model = Model()
    evaluate(dataset, model, tmp_path / "out")
    assert model.asked == []


def test_answers_of_other_weights_are_set_aside(dataset, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        evaluate(dataset, Model(fails_after=3), tmp_path / "out")
    model = Model()
    evaluate(dataset, model, tmp_path / "out", {**PRODUCER, "checkpoint_sha256": "1" * 8})
    assert len(model.asked) == 11
    assert len(ids(tmp_path / "out.1" / "answers.rank0.jsonl")) == 3
    assert "answers of other weights or settings" in capsys.readouterr().out


def test_answers_of_other_samples_are_refused(dataset, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        evaluate(dataset, Model(fails_after=3), tmp_path / "out")
    dataset.samples = dataset.samples[6:]
    with pytest.raises(DataError, match="not in the test set"):
        evaluate(dataset, Model(), tmp_path / "out")


def test_ranks_share_the_work(dataset, tmp_path):
    """The second rank's share, as it computes it, is what the first leaves."""
    model, options = Model(), RunConfig(task="medical_vqa", output_dir=str(tmp_path), device="cpu")
    real = make_accelerator(options)
    second = SimpleNamespace(
        process_index=1,
        num_processes=2,
        is_main_process=False,
        device=real.device,
        wait_for_everyone=lambda: None,
        autocast=real.autocast,
    )
    (tmp_path / "out").mkdir()
    assert evaluate_split(second, MedicalVqaTask(), model, dataset, options, tmp_path / "out", PRODUCER) is None
    by_length = sorted(dataset.samples, key=lambda each: len(each.question))
    assert ids(tmp_path / "out" / "answers.rank1.jsonl") == [each.id for each in by_length[1::2]]


def test_batches_that_do_not_fit_are_halved_and_nothing_is_asked_twice(dataset, tmp_path, capsys):
    import torch

    class Small(Model):
        """Has memory for two questions at once."""

        def generate(self, images, prompts, **settings):
            if len(prompts) > 2:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().generate(images, prompts, **settings)

    model = Small()
    evaluate(dataset, model, tmp_path / "out")
    assert ids(tmp_path / "out" / "predictions.jsonl") == [sample.id for sample in dataset.samples]
    assert len(model.asked) == len(set(model.asked)) == 11
    assert "going on with 2 question(s) at once" in capsys.readouterr().out


class Slots(Model):
    """Answers like the bundled toolkit: whoever is shortest ends first. Has memory for ``room`` at once."""

    room = 100

    def packer(self):
        return lambda texts, answers, images: (texts, range(len(texts)))

    def answers(self, feed, slots, max_new_tokens):
        import torch

        if slots > self.room:
            number = feed(slots)["index"][0]
            yield number, f"word{number}"  # one has ended before memory has
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        under_way = []
        while True:
            while batch := feed(slots - len(under_way)):
                under_way += zip(batch["index"], batch["layout"])
            if not under_way:
                return
            under_way.sort(key=lambda asked: len(asked[1]), reverse=True)
            number, prompt = under_way.pop()
            if len(self.asked) >= self.fails_after:
                raise KeyboardInterrupt
            self.asked.append(prompt)
            yield number, prompt.split()[-1]


def test_in_slots_the_answers_come_as_they_end_and_lie_in_the_order_of_the_test_set(dataset, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        evaluate(dataset, Slots(fails_after=6), tmp_path / "out")
    assert len(ids(tmp_path / "out" / "answers.rank0.jsonl")) == 6
    model = Slots()
    metrics = evaluate(dataset, model, tmp_path / "out")
    assert metrics["scores"]["exact_match/pefomed"]["overall"]["correct"] == 11
    assert ids(tmp_path / "out" / "predictions.jsonl") == [sample.id for sample in dataset.samples]
    assert len(model.asked) == 5
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    for line in map(json.loads, lines):
        assert f"[vqa] {line['question']}" in line["producer"]["prompt"].replace(
            "Based on the image, respond to this question with a short answer: ", ""
        )


class Drafting(Slots):
    """Takes drafts, and says that they brought three tokens a call."""

    def drafts_of(self, answers):
        self.read = list(answers)
        return SimpleNamespace(answers=len(self.read) - 1)

    def answers(self, feed, slots, max_new_tokens, drafts, told):
        assert drafts.answers == 10
        yield from super().answers(feed, slots, max_new_tokens)
        told(SimpleNamespace(tokens=30, calls=10, drafted=40))


def test_what_drafts_brought_is_said_and_stands_in_the_metrics(dataset, tmp_path, capsys):
    options = RunConfig(task="medical_vqa", output_dir=str(tmp_path), device="cpu", drafts="training_answers")
    model, given = Drafting(), (tmp_path / "out", PRODUCER, [dataset])
    metrics = evaluate_split(make_accelerator(options), MedicalVqaTask(), model, dataset, options, *given)
    assert model.read == [sample.answer for sample in dataset.samples]
    expected = {"answers": 11, "tokens": 30, "calls": 10, "drafted": 40, "tokens_a_call": 3.0}
    assert metrics["drafts"] == json.loads((tmp_path / "out" / "metrics.json").read_text())["drafts"] == expected
    assert metrics["scores"]["exact_match/pefomed"]["overall"]["correct"] == 11
    said = capsys.readouterr().out
    assert "drafts from 10 of 11 training answers" in said and "3.00 tokens of an answer a call" in said


def test_drafts_are_refused_at_the_start_where_they_cannot_be(dataset):
    options = RunConfig(task="medical_vqa", output_dir="out", test_splits=("test",), drafts="training_answers")
    whole, plain = Slots(), Slots()
    plain.packer = lambda: None
    datasets = {"d": {"train": dataset, "test": dataset}, "e": {"test": dataset}, "f": {"val": dataset}}
    check_drafts(whole, options, {"d": datasets["d"]})
    check_drafts(Model(), RunConfig(task="medical_vqa", output_dir="out", test_splits=("test",)), datasets)
    for model in (Model(), plain):
        with pytest.raises(ConfigError, match=r"(?s)run.drafts.*bundled toolkit.*decoder: packed.*e: a training split"):
            check_drafts(model, options, datasets)
    with pytest.raises(ConfigError, match="run.drafts: training_answers confirms greedy answers only"):
        read_run_config({"task": "medical_vqa", "output_dir": "out", "drafts": "training_answers", "num_beams": 2})


def test_slots_that_do_not_fit_are_halved_and_nothing_is_asked_twice(dataset, tmp_path, capsys):
    model = Slots()
    model.room = 1
    evaluate(dataset, model, tmp_path / "out")
    assert ids(tmp_path / "out" / "predictions.jsonl") == [sample.id for sample in dataset.samples]
    assert len(model.asked) == len(set(model.asked)) == 9  # and two in vain attempts
    said = capsys.readouterr().out
    assert "going on with 2 question(s) at once" in said and "going on with 1 question(s) at once" in said


def test_a_single_question_that_does_not_fit_is_an_error(dataset, tmp_path):
    import torch

    class Full(Model):
        """Has no memory at all."""

        def generate(self, images, prompts, **settings):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.cuda.OutOfMemoryError):
        evaluate(dataset, Full(), tmp_path / "out")


def test_questions_of_an_image_are_answered_together(dataset):
    from pefomed_plugin.adapters.answering import group_for_answering

    groups = group_for_answering(dataset, list(range(11)), 4)
    assert [len(group) for group in groups] == [4, 4, 3]
    assert sorted(number for group in groups for number in group) == list(range(11))
    assert [len(each) for each in group_for_answering(dataset, [5, 2, 7], 1)] == [1, 1, 1]
