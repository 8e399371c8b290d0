"""Answering a split, way beside way: ``python -m projects.benchmarks.answering --data FOLDER --out DIR``.

Lengths are those of human texts (``FOLDER/iu_xray/annotation.json``, ``FOLDER/vqa_rad/testset.json``), a word a token:
with the proportions of size P, a quarter of everything, that is about what a real model's tokenizer makes of them. The
weights are random, so an answer is made to end where its human text does; with drafts, where nothing could be confirmed
of what random weights say, the human text also stands in for what the model says (its calls are made all the same).

The ways take turns in one process, on one thread. On the CPU a way whose tokens differ from those of ``batches`` gets
no time (in bf16 the first difference of rounding changes all that follows); with drafts the tokens are given, and
``tests/conformance/test_drafts.py`` shows that they stay what they are. ``batches`` is the order of work of 0.1.0.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch

from pefomed_plugin.cli.arguments import existing_folder
from pefomed_plugin.services.console import progress, say
from pefomed_plugin.toolkit.bundled.drafts import DRAFT, SURE, DraftedSlots, Drafts
from pefomed_plugin.toolkit.bundled.generation import REFILL
from pefomed_plugin.toolkit.bundled.greedy import Answer, Slots
from projects.benchmarks.speed.inputs import spec_of, with_text, write_inputs
from projects.benchmarks.speed.sizes import SIZES, Task
from projects.benchmarks.speed.worker import build

END = 2
FIRST_WORD = 3
_REAL_ENTER, _REAL_TAKE = Slots.enter, Slots._take


class Asked(NamedTuple):
    """What is asked, in the order in which evaluation would: neighbours of one image together."""

    name: str
    images: list[int]
    texts: list[list[int]]
    """Of each question the human answer, with its end."""
    training: list[list[int]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=existing_folder, required=True, help="folder with iu_xray and vqa_rad")
    parser.add_argument("--out", type=Path, default=Path("output/answering"), help="folder for figures and inputs")
    parser.add_argument("--rounds", type=int, default=5, help="times that each way has its turn")
    parser.add_argument("--every", type=int, default=12, help="ask every so manieth image only")
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--only", default="", help="reports or questions")
    parser.add_argument("--size", default="P", choices=sorted(SIZES), help="real: with --device cuda")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--counts", action="store_true", help="no times: calls of the whole split alone")
    given = parser.parse_args(arguments)
    vocabulary = SIZES[given.size].llama["vocab_size"]
    asked = [make(given.data, vocabulary) for make in (reports, questions) if given.only in make.__name__]
    found: dict[str, Any] = {it.name: {"calls": calls(it, given.slots)} for it in asked}
    for it in asked:
        say(f"{it.name}, all {len(it.texts):,}, calls: {found[it.name]['calls']}")
    if not given.counts:
        bench = Bench(given.out / "inputs" / given.size, given.size, given.slots, given.device)
        for it in asked:
            found[it.name].update(bench.measure(thinned(it, given.every), given.rounds))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "answering.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0 if all(way["equal"] for it in found.values() for way in it.get("ways", {}).values()) else 1


def words_of(texts: Sequence[str], known: dict[str, int], vocabulary: int) -> list[list[int]]:
    """Lower-case words without punctuation as numbers below ``vocabulary``, an end behind them."""
    table = str.maketrans({mark: " " for mark in '.,!?"()*:;~'})
    return [
        [known.setdefault(word, FIRST_WORD + len(known) % (vocabulary - FIRST_WORD)) for word in words] + [END]
        for words in (text.lower().translate(table).split() for text in texts)
    ]


def reports(data: Path, vocabulary: int) -> Asked:
    """IU X-ray in R2Gen's packaging: 590 test reports, one image each."""
    splits = list(json.loads((data / "iu_xray" / "annotation.json").read_text(encoding="utf-8")).values())
    known: dict[str, int] = {}
    training, _, test = (words_of([row["report"] for row in split], known, vocabulary) for split in splits)
    return Asked("reports", list(range(len(test))), test, training)


def questions(data: Path, vocabulary: int) -> Asked:
    """VQA-RAD: 451 test questions, those of an image together."""
    known: dict[str, int] = {}
    training, test = (
        json.loads((data / "vqa_rad" / f"{split}set.json").read_text(encoding="utf-8")) for split in ("train", "test")
    )
    images = {name: number for number, name in enumerate(sorted({row["image_name"] for row in test}))}
    test = sorted(test, key=lambda row: images[row["image_name"]])
    answers = words_of([str(row["answer"]) for row in test], known, vocabulary)
    learnt = words_of([str(row["answer"]) for row in training], known, vocabulary)
    return Asked("questions", [images[row["image_name"]] for row in test], answers, learnt)


def thinned(asked: Asked, every: int) -> Asked:
    """Every so manieth image."""
    chosen = [number for number, image in enumerate(asked.images) if image % every == 0]
    return asked._replace(images=[asked.images[it] for it in chosen], texts=[asked.texts[it] for it in chosen])


def calls(asked: Asked, slots: int) -> dict[str, float]:
    """Calls of the language model beyond the reading of prompts, for the whole split; and what part is for nobody."""
    more = [len(text) - 1 for text in asked.texts]
    found: dict[str, float] = {"batches": sum(max(more[at : at + slots]) for at in range(0, len(more), slots))}
    found["slots"] = steps(more, slots)
    for way in ("batches", "slots"):
        found[f"{way}: part for nobody"] = round(1 - sum(more) / (slots * found[way]), 3)
    drafts = Drafts(asked.training)
    for name, sure in (("drafts", 0.0), ("drafts, sure", SURE)):
        needed, guessed = zip(*(_drafted(drafts, text, sure) for text in asked.texts))
        found[name] = steps(needed, slots)
        found[f"{name}: words a call"] = round(sum(more) / sum(needed), 3)
        found[f"{name}: words read a word"] = round((sum(needed) + sum(guessed)) / sum(more), 3)
    return found


def steps(needed: Sequence[int], slots: int) -> int:
    """How many steps answers take that are under way for so many each, entering as slots get free."""
    waiting, count = deque(needed), 0
    under_way: list[int] = []
    while waiting or under_way:
        if (slots - len(under_way)) * REFILL >= slots:
            while waiting and len(under_way) < slots:
                under_way.append(waiting.popleft())
        count += 1
        under_way = [left - 1 for left in under_way if left > 1]
    return count


def _drafted(drafts: Drafts, text: list[int], sure: float) -> tuple[int, int]:
    """Calls of one answer behind its first word, and words that were guessed."""
    known, count, guessed = 1, 0, 0
    while known < len(text):
        guess = drafts.after(text[:known], min(DRAFT, len(text) - known - 1), sure)
        count, guessed = count + 1, guessed + len(guess)
        known += confirmed(guess, text[known:]) + 1
    return count, guessed


def confirmed(guess: Sequence[int], said: Sequence[int]) -> int:
    """How many guessed words were said."""
    pairs = enumerate(zip(guess, said))
    return next((number for number, (one, other) in pairs if one != other), min(len(guess), len(said)))


class Bench:
    """A model of random weights that answers as long as people did."""

    def __init__(self, folder: Path, size: str, slots: int, device: str) -> None:
        write_inputs(folder, size)
        self.size, self.folder, self.slots, self.device = size, folder, slots, device
        self.model = build(spec_of(folder, size, device)).to(device).eval()
        self.model._answer_text = list  # type: ignore[method-assign]  # tokens are what is compared

    def measure(self, asked: Asked, rounds: int) -> dict[str, Any]:
        """Medians of each way, and whether it said the same."""
        text = with_text(
            Task(asked.name, self.size, "generate", len(asked.texts), 1, ()), SIZES[self.size], self.folder
        )
        self.prompts, self.asked, self.drafts = text["instructions"], asked, Drafts(asked.training)
        side = SIZES[self.size].image
        drawn = torch.Generator().manual_seed(7)
        self.pictures = {number: torch.randn(3, side, side, generator=drawn) for number in sorted(set(asked.images))}
        ways = {
            "transformers": self.by_transformers,
            "batches": self.in_batches,
            "slots": self.in_slots,
            "slots, drafts": self.with_drafts,
        }
        taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        said: dict[str, list[list[int]]] = {}
        with progress(asked.name, rounds * len(ways)) as advance:
            for _ in range(rounds):
                for way, answer in ways.items():
                    wall, used = time.perf_counter(), time.process_time()
                    with torch.autocast("cuda", torch.bfloat16, enabled=self.device == "cuda"):
                        said[way] = answer()
                    if self.device == "cuda":
                        torch.cuda.synchronize()
                    taken[way].append((time.process_time() - used, time.perf_counter() - wall))
                    advance(1)
        equal = {
            way: said[way] == (asked.texts if "drafts" in way else said["batches"]) or self.device == "cuda"
            for way in ways
        }
        clock = int(self.device == "cuda")  # of two clocks the wall's, where the CPU only starts the work
        median = {way: statistics.median(pair[clock] for pair in pairs) for way, pairs in taken.items() if equal[way]}
        for way, seconds in median.items():
            unit = "s" if clock else "s of CPU"
            say(f"{asked.name}: {way}: {seconds:.2f} {unit}, {median['batches'] / seconds:.2f} x batches")
        return {
            "asked": len(asked.texts),
            "ways": {way: {"equal": equal[way], "cpu, wall": taken[way] if equal[way] else []} for way in ways},
        }

    def by_transformers(self) -> list[list[int]]:
        """Its own ``generate``, each question with its image, each batch until its longest has ended."""
        found = []
        for numbers in self._batches():
            images = torch.stack([self.pictures[self.asked.images[number]] for number in numbers]).to(self.device)
            prompts = [self.model.prompt_template.format(self.prompts[number]) for number in numbers]
            longest = max(len(self.asked.texts[number]) for number in numbers)
            ids = self.model.generate_ids(images, prompts, max_new_tokens=longest, min_new_tokens=longest)
            found += [row[: len(self.asked.texts[number])] for number, row in zip(numbers, ids.tolist())]
        return found

    def in_batches(self) -> list[list[int]]:
        """As it was: those of an image together, each batch until its longest has ended, no row left out."""
        found = []
        with mock.patch.object(Slots, "_fixed_shapes", True):
            for numbers in self._batches():
                batch = self._batch(numbers)
                longest = max(len(self.asked.texts[number]) for number in numbers)
                ids = self.model.generate_packed_ids(batch["image"], batch["layout"], longest)
                found += [row[: len(self.asked.texts[number])] for number, row in zip(numbers, ids.tolist())]
        return found

    def in_slots(self) -> list[list[int]]:
        """Each leaves when it has ended."""
        return self._answers()

    def with_drafts(self) -> list[list[int]]:
        """The same with drafts; what the model says is the human text."""
        texts = self.asked.texts

        def take(slots: Slots, answer: Answer, _: int) -> list[Answer]:
            return _REAL_TAKE(slots, answer, texts[_number(answer)][len(answer.ids)])

        def keep(slots: DraftedSlots, answer: Answer, guess: list[int], _: list[int]) -> list[int]:
            rest = texts[_number(answer)][len(answer.ids) :]
            return rest[: confirmed(guess[1:], rest) + 1]

        with mock.patch.object(Slots, "_take", take), mock.patch.object(DraftedSlots, "_confirmed", keep):
            return self._answers(self.drafts)

    def _answers(self, drafts: Drafts | None = None) -> list[list[int]]:
        waiting = iter(range(len(self.asked.texts)))

        def feed(room: int) -> dict[str, Any] | None:
            numbers = list(islice(waiting, room))
            return self._batch(numbers) if numbers else None

        def enter(slots: Slots, embeddings: Any, layout: Any, limit: int, names: Sequence[int]) -> list[Answer]:
            entered = _REAL_ENTER(slots, embeddings, layout, limit, names)
            for answer in entered:
                answer.limit = len(self.asked.texts[_number(answer)])
            return entered

        with mock.patch.object(Slots, "enter", enter):
            longest = max(map(len, self.asked.texts))
            found: dict[Any, Any] = dict(self.model.answers(feed, self.slots, longest, drafts=drafts))
        return [found[number] for number in range(len(self.asked.texts))]

    def _batches(self) -> list[list[int]]:
        count = len(self.asked.texts)
        return [list(range(start, min(start + self.slots, count))) for start in range(0, count, self.slots)]

    def _batch(self, numbers: list[int]) -> dict[str, Any]:
        images = [self.asked.images[number] for number in numbers]
        layout, firsts = self.model.packer()([self.prompts[number] for number in numbers], None, images)
        return {
            "image": torch.stack([self.pictures[images[first]] for first in firsts]).to(self.device),
            "layout": layout.to(self.device),
            "index": numbers,
        }


def _number(answer: Answer) -> int:
    assert isinstance(answer.name, int)
    return answer.name


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
