"""A model to be asked: images and questions in, texts out, as evaluation would ask them. Greedy, no sampling.

Made by ``pefomed_plugin.load``. It does not read data sets or weights files, and draws no page.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple, Union

import torch
from PIL import Image

from ..errors import ConfigError, near_names
from ..origins import Origins
from ..services.attention import attention_without_plans
from ..services.console import say
from ..services.images.decoding import DEFAULT_POLICY, ImagePolicy
from ..services.images.given_images import GivenImage, open_given
from ..toolkit import registry
from ..vision_encoders import VIT_G
from .data.text_processor import MedicalTextProcessor
from .devices import match_frozen_weights, own_precision
from .prompting import Templates, registered_templates
from .tasks import MedicalCaptionTask, MedicalVqaTask, ReportGenerationTask

MAX_NEW_TOKENS: dict[str, int] = {
    task.kind: task.max_new_tokens for task in (MedicalVqaTask, ReportGenerationTask, MedicalCaptionTask)
}
"""Task -> limit of an answer in tokens, as in evaluation."""
Shown = Union[GivenImage, Mapping[str, GivenImage]]
"""One image; or several that are shown together, each with what it is called, in their order."""
Images = Union[Shown, Sequence[Shown]]


class Request(NamedTuple):
    """One thing that is asked about one image, or about several together."""

    image: Shown
    """``"chest.png"``, or ``{"frontal": "chest.png", "lateral": "side.png"}``."""
    task: str = "vqa"
    """``vqa``, ``report`` or ``caption``."""
    question: str | None = None
    """Needed for ``vqa``; for the others an instruction in place of the usual one."""


class MedicalModel:
    """A fine-tuned MiniGPT-v2 that answers questions, writes reports and captions images.

    Research only: what it says is no finding, and must not guide the care of a patient.
    """

    def __init__(
        self,
        network: Any,
        image_size: int,
        facts: Mapping[str, Any],
        device: Any = "cpu",
        templates: Templates | None = None,
        images_a_prompt: Mapping[str, int] | None = None,
    ) -> None:
        """A network that is built and loaded; use ``pefomed_plugin.load``, which does both.

        Args:
            network: MiniGPT-v2 of the bundled toolkit.
            image_size: side of the square it sees, in pixels.
            facts: ``Prediction.producer`` of what it says: ``model``, ``checkpoint``, ``origin``, ...
            templates: what it is asked with, by task; those of the registry where none are given.
            images_a_prompt: images of the prompts that it learnt, by task, where they showed several.
        """
        self.images_a_prompt = dict(images_a_prompt or {})
        self.templates = registered_templates() if templates is None else templates
        self.network = network.to(device).eval()
        self.precision = own_precision(self.network.device.type)
        """What it computes in, as ``evaluate`` where no precision is set: ``bf16``, ``fp16``; ``fp32`` on the CPU."""
        match_frozen_weights(self.network, self.precision)
        self.facts = {**facts, "precision": self.precision}
        self.learnt = Origins()
        """Of the data that its checkpoint was trained on, as far as that says."""
        self.policy: ImagePolicy = DEFAULT_POLICY
        """What to do where an image leaves a choice: ``ImagePolicy(frame=0)`` for the first of several in a file."""
        self.batch_size = 8
        """How many questions are answered together."""
        encoder = getattr(network, "encoder", None) or VIT_G
        self._processor = registry.get_processor_class("blip2_image_eval").from_config(
            {"image_size": image_size, "mean": encoder.mean, "std": encoder.std}
        )
        self._tidy = MedicalTextProcessor()

    def __repr__(self) -> str:
        return f"<MedicalModel {self.facts.get('checkpoint')} on {self.network.device}>"

    def ask(self, image: Images, question: str | Sequence[str], *, max_new_tokens: int | None = None) -> Any:
        """Short answers to questions, ``[vqa]``.

        Args:
            image: path (DICOM too), Pillow image or numpy array; or several that are shown together,
                ``{"frontal": "a.png", "lateral": "b.png"}``; or a list of such, each to be asked by itself.
            question: a question, or a list. Of two lists each image goes with the question in its place; one image
                with many questions goes through the vision encoder once.
            max_new_tokens: limit of an answer; default 20.

        Returns:
            the answer; a list of answers where either is a list.

        Raises:
            ConfigError: an empty question, lists of different lengths, or more images than a prompt has room for.
            ImageError: an image cannot be used.
        """
        return self._one_or_all(image, "vqa", question, max_new_tokens)

    def report(self, image: Images, instruction: str | None = None, *, max_new_tokens: int | None = None) -> Any:
        """Radiology report of an image, ``[report]``; a list of images gives a list. Arguments as ``ask``."""
        return self._one_or_all(image, "report", instruction, max_new_tokens)

    def caption(self, image: Images, instruction: str | None = None, *, max_new_tokens: int | None = None) -> Any:
        """Caption of an image, ``[caption]``; a list of images gives a list. Arguments as ``ask``."""
        return self._one_or_all(image, "caption", instruction, max_new_tokens)

    def answer(self, requests: Sequence[Request], max_new_tokens: int | None = None) -> list[str]:
        """Answers to any mixture of requests, ``batch_size`` side by side, in their order. Raises as ``ask``."""
        for request in requests:
            self.instruction_input(request)  # a wrong one shows before any is answered
        answers = [""] * len(requests)
        for task in dict.fromkeys(request.task for request in requests):
            own = [number for number, request in enumerate(requests) if request.task == task]
            asked = (requests[number] for number in own)
            for place, text in self.answers(asked, min(self.batch_size, len(own)), max_new_tokens):
                answers[own[place]] = text
        return answers

    def answers(
        self, requests: Iterable[Request], slots: int, max_new_tokens: int | None = None
    ) -> Iterator[tuple[int, str]]:
        """Answers as they end, each with the number of its request; a waiting one takes its place.

        Args:
            requests: of one task, taken when there is room; neighbours about the very same image come together.
            slots: how many are under way at once.

        Raises:
            ConfigError, ImageError: as ``ask``, when the request is taken.
        """
        groups = _by_image(requests, slots)
        upcoming = next(groups, [])
        if not upcoming:
            return
        limit = max_new_tokens or MAX_NEW_TOKENS[upcoming[0][1].task]

        def feed(room: int) -> dict[str, Any] | None:
            nonlocal upcoming
            taken: list[tuple[int, Request]] = []
            while upcoming and len(taken) + len(upcoming) <= room:
                taken, upcoming = taken + upcoming, next(groups, [])
            if not taken:
                return None
            images, layout = self._lay_out(
                [request.image for _, request in taken], [self.instruction_input(request) for _, request in taken]
            )
            return {"image": images, "layout": layout, "index": [place for place, _ in taken]}

        ended = self.network.answers(feed, slots, limit)
        while True:
            with self.computing():  # not while the caller has the answer
                answer = next(ended, None)
            if answer is None:
                return
            yield answer

    def stream(self, request: Request, max_new_tokens: int | None = None) -> Iterator[str]:
        """The answer as far as it is, after each token; the last one is what ``answer`` gives. Raises as ``ask``."""
        images, layout = self._lay_out([request.image], [self.instruction_input(request)])
        steps = self.network.stream(images, layout, max_new_tokens or MAX_NEW_TOKENS[request.task])
        while True:
            with self.computing():  # entered anew each time: a page takes every token in another thread
                texts = next(steps, None)
            if texts is None:
                return
            yield texts[0]

    def log_probabilities(self, requests: Sequence[Request], answers: Sequence[str]) -> list[float]:
        """How likely each answer is, its end with it: the natural logarithm, teacher-forced. Raises as ``ask``."""
        return [sum_of_logs for sum_of_logs, _ in self._likelihoods(requests, answers)]

    def confidences(self, requests: Sequence[Request], answers: Sequence[str]) -> list[float]:
        """Geometric mean of the probabilities of each answer's tokens, its end among them: 0 to 1. Raises as ``ask``.

        It is the model's own word for itself, of which nobody has measured how often it holds.
        """
        return [math.exp(sum_of_logs / tokens) for sum_of_logs, tokens in self._likelihoods(requests, answers)]

    def _likelihoods(self, requests: Sequence[Request], answers: Sequence[str]) -> list[tuple[float, int]]:
        """Of each answer the sum of its tokens' log-probabilities, and how many they are."""
        prompts = [self.instruction_input(request) for request in requests]
        images, layout = self._lay_out([request.image for request in requests], prompts, list(answers))
        with self.computing(), torch.no_grad():
            losses = self.network({"image": images, "layout": layout}, reduction="none")["loss"]
        tokens = torch.bincount(layout.owners, minlength=layout.samples).tolist()
        return [(-float(loss) * (layout.separately_padded_length - 1), count) for loss, count in zip(losses, tokens)]

    def open(self, image: GivenImage) -> Image.Image:
        """An image as it is before it is made a square: RGB, 8 bits. Raises ImageError where it cannot be used."""
        return open_given(image, self.policy)

    def pixels(self, image: Image.Image) -> torch.Tensor:
        """An opened image as the network takes it, (3, S, S): a square of its size, normalised."""
        return self._processor(image)

    def prompt(self, request: Request) -> str:
        """The whole prompt of a request, as the network gets it."""
        return self.network.prompt_style.user_turn(self.instruction_input(request), self.network.prompt_template)

    def _one_or_all(
        self, image: Images, task: str, question: str | Sequence[str] | None, max_new_tokens: int | None
    ) -> Any:
        many_images, many_questions = isinstance(image, (list, tuple)), isinstance(question, (list, tuple))
        images: list[Any] = list(image) if many_images else [image]  # type: ignore[arg-type]
        questions: list[Any] = list(question) if many_questions else [question]  # type: ignore[arg-type]
        if many_images and many_questions and len(images) != len(questions):
            raise ConfigError(
                f"{len(images)} images and {len(questions)} questions; give one of either, or as many of both"
            )
        count = len(images) if many_images else len(questions)
        answers = self.answer(
            [
                Request(images[number if many_images else 0], task, questions[number if many_questions else 0])
                for number in range(count)
            ],
            max_new_tokens,
        )
        return answers if many_images or many_questions else answers[0]

    def instruction_input(self, request: Request) -> str:
        """What is asked, before it becomes a turn: ``<Img><ImageHere></Img> [vqa] ...``. Raises as ``ask``."""
        if request.task not in self.templates:
            raise ConfigError(f"no task {request.task!r}; {near_names(request.task, self.templates)}")
        template = self.templates[request.task]
        question = self._tidy(request.question or "")
        if request.task == "vqa" and not question:
            raise ConfigError("an empty question; ask something, or let the model write a report or a caption")
        own = question if request.task != "vqa" else ""
        names = tuple(_images_in(request.image))
        text = template.instruction_input(own or template.draw_instruction(question), names)
        self._require_room(text, len(names))
        if len(names) > self.images_a_prompt.get(request.task, 1):
            self.images_a_prompt[request.task] = len(names)  # said once
            who = self.facts.get("checkpoint")
            say(f"warning: {who} does not say that it learnt {request.task} prompts of {len(names)} images")
        return text

    def _require_room(self, text: str, images: int) -> None:
        """Raises ConfigError: a prompt is longer than the model reads, which would cut it behind without a word."""
        most = self.network.max_context_len
        if images == 1 and len(text.encode("utf-8", "replace")) < most // 2:
            return  # a token is a byte at least, and an image has hundreds
        length = self.network.prompt_length(text)
        if length > most:
            what, less = (f"{images} images", "show fewer") if images > 1 else ("image and question", "ask shorter")
            raise ConfigError(
                f"{what} make a prompt of {length:,} tokens, and the model takes {most:,} (max_context_len); {less}"
            )

    def _lay_out(self, given: Sequence[Shown], prompts: Sequence[str], answers: Sequence[str] | None = None) -> Any:
        names = [_name(value) for value in given]
        layout, holders = self.network.packer()(prompts, answers, names)
        shown = [image for holder in holders for image in _images_in(given[holder]).values()]
        images = torch.stack([self.pixels(self.open(image)) for image in shown])
        return images.to(self.network.device), layout.to(self.network.device)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """As ``evaluate`` computes."""
        half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(self.precision)
        autocast = nullcontext() if half is None else torch.autocast(self.network.device.type, half)
        with attention_without_plans(), autocast:
            yield


def _by_image(requests: Iterable[Request], most: int) -> Iterator[list[tuple[int, Request]]]:
    """Neighbours that show one image, at most so many, with their numbers; what is behind them is not taken yet."""
    for _, same in groupby(enumerate(requests), key=lambda pair: _name(pair[1].image)):
        while group := list(islice(same, most)):
            yield group


def _images_in(shown: Shown) -> Mapping[str, GivenImage]:
    """The images of a request by name; one image by itself has none."""
    if not isinstance(shown, Mapping):
        return {"": shown}
    if not shown or not all(isinstance(name, str) and name.strip() for name in shown):
        raise ConfigError('images that are shown together need names: {"frontal": "a.png", "lateral": "b.png"}')
    return shown


def _name(image: Shown) -> Hashable:
    """Equal for the same images given twice, so that their questions share a prefix."""
    if isinstance(image, Mapping):
        return tuple((name, _name(one)) for name, one in image.items())
    return str(image) if isinstance(image, (str, Path)) else id(image)
