"""A conversation about images in the terminal: lines in, answers out as they are generated."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Callable, TextIO

from ..errors import ConfigError, PefomedError
from ..readers.views import named_images
from ..records import numbered_images
from ..services.ending import Ended
from . import NOT_CLINICAL
from .desk import confidence_in_words

if TYPE_CHECKING:
    from ..adapters.medical_model import MedicalModel, Shown

HELP = """  an image's path    look at this image (JPEG, PNG, TIFF, DICOM, ...)
  NAME=PATH; ...     look at several together: frontal=a.png; lateral=b.png
  any other line     a question about it
  /report, /caption  a report of it, a caption of it
  /prompt            the last prompt, as the model got it
  /confidence        how probable the model holds its last answer
  /where             draw what the last answer leans on
  /frame N           of files that hold several, show this one (from 0)
  /help, /quit       this text; leave (also Ctrl-D)"""
_UNFINISHED = "\ufffd"
"""What an incomplete character decodes to: the model has not yet said all of its bytes."""


class Conversation:
    """What is being looked at, and what becomes of a line."""

    def __init__(self, model: MedicalModel, max_new_tokens: int = 0, out: TextIO | None = None) -> None:
        self.model = model
        self.max_new_tokens = max_new_tokens or None
        self.out = out or sys.stdout
        self.image: Shown = ""
        self._last: tuple[str, str | None, str] | None = None
        """Task, question and answer of what was asked last about this image."""

    def hear(self, line: str) -> bool:
        """Do what a line says; False when it ends the conversation. A mistake is told, and ends nothing."""
        text = line.strip()
        command = text.split(" ")[0]
        try:
            if command in ("/quit", "/exit"):
                return False
            if command == "/help":
                self._say(HELP)
            elif command == "/frame":
                self._choose_frame(text)
            elif text == "/where":
                self._explain()
            elif text in ("/prompt", "/confidence"):
                self._tell_of_last(text)
            elif text in ("/report", "/caption"):
                self._answer(text[1:])
            elif _is_path(text) or _are_paths(text):
                self.look_at(_unquoted(text))
            elif text.startswith("/"):
                self._say(f"no command {command}, and no file of that name; /help lists the commands")
            elif text:
                self._answer("vqa", text)
        except PefomedError as error:
            self._say(str(error))
        return True

    def look_at(self, path: str) -> None:
        """Take an image, or several (``frontal=a.png; lateral=b.png``), for what follows.

        Raises:
            ImageError: one cannot be used.
            ConfigError: several that are not all named.
        """
        from ..services.images.given_images import open_given  # late: loads PIL

        shown = named_files(path)
        lines = []
        for name, one in shown.items():
            opened = open_given(one, self.model.policy)
            where = f"{name}: " if name else "looking at "
            lines.append(f"{where}{Path(one).name} ({opened.width} x {opened.height} pixels)")
        self.image = path if "" in shown else dict(shown)
        self._last = None
        self._say("\n".join(lines if "" in shown else ["looking at", *lines]))

    def _choose_frame(self, text: str) -> None:
        number = text.partition(" ")[2].strip()
        if not number.isdigit():
            self._say("write it as /frame 0")
            return
        self.model.policy = replace(self.model.policy, frame=int(number))
        self._say(f"frame {number} of files that hold several")

    def _answer(self, task: str, question: str | None = None) -> None:
        from ..adapters.medical_model import Request  # late: loads torch

        if not self.image:
            self._say("no image yet; give its path first")
            return
        answer = ""
        for piece in pieces(self.model.stream(Request(self.image, task, question), self.max_new_tokens)):
            self.out.write(piece)
            self.out.flush()
            answer += piece
        self._last = task, question, answer
        self._say("")

    def _tell_of_last(self, command: str) -> None:
        from ..adapters.medical_model import Request  # late: loads torch

        if self._last is None:
            self._say("no answer about this image yet; ask something first")
            return
        task, question, answer = self._last
        request = Request(self.image, task, question)
        if command == "/prompt":
            self._say(self.model.prompt(request))
        else:
            self._say(confidence_in_words(self.model.confidences([request], [answer])[0]))

    def _explain(self) -> None:
        from ..adapters.medical_model import Request  # late: loads torch
        from ..adapters.occlusion import in_words, occlusion_map  # late: loads torch
        from ..services.images.overlay import SCALE, draw_overlay  # late: loads PIL

        if self._last is None:
            self._say("no answer about this image yet; ask something first")
            return
        task, question, answer = self._last
        found = occlusion_map(self.model, Request(self.image, task, question), answer)
        handle, path = tempfile.mkstemp(".png", "pefomed-where-")  # readable by this user alone
        os.close(handle)
        draw_overlay(self.model.open(self.image), found.drops, SCALE).save(path)  # type: ignore[arg-type]
        self._say(f"{in_words(found)}\ndrawn in {path}; what the answer leans on, not where a finding is")

    def _say(self, text: str) -> None:
        self.out.write(text + "\n")
        self.out.flush()


def converse(model: MedicalModel, image: str = "", max_new_tokens: int = 0, read: Callable[[str], str] = input) -> None:
    """Talk until the input ends; Ctrl-C stops an answer, and at the prompt the conversation.

    Raises:
        ImageError: the ``image`` to begin with cannot be used.
    """
    conversation = Conversation(model, max_new_tokens)
    print(f"\n{NOT_CLINICAL}\n\n{HELP}\n")
    if image:
        conversation.look_at(image)
    while True:
        try:
            line = read("> " if sys.stdin.isatty() else "")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        try:
            if not conversation.hear(line):
                return
        except Ended:
            raise
        except KeyboardInterrupt:
            print(" (stopped)")


def pieces(texts: Iterator[str]) -> Iterator[str]:
    """What each text adds to what was said before; an incomplete character is held back."""
    said = ""
    for text in texts:
        whole = text.rstrip(_UNFINISHED)
        if whole.startswith(said):
            yield whole[len(said) :]
            said = whole


def _is_path(text: str) -> bool:
    """Whether a line names an image: a file that is there, or what ends as an image does."""
    from ..services.images.image_folder import SUFFIXES  # late: loads PIL

    path = _unquoted(text)
    return os.path.isfile(os.path.expanduser(path)) or Path(path).suffix.lower() in SUFFIXES


def _are_paths(text: str) -> bool:
    """Whether a line names several images: ``frontal=a.png; lateral=b.png``."""
    parts = [part.rpartition("=")[2].strip() for part in text.split(";")]
    return len(parts) > 1 and not os.path.isfile(os.path.expanduser(text)) and all(map(_is_path, parts))


def named_files(text: str) -> dict[str, str]:
    """Name -> path of what a line shows; of a single image the name is empty.

    Raises:
        ConfigError: several that are not all named, or two alike.
    """
    return _named(text) if _are_paths(text) else {"": text}


def _named(text: str) -> dict[str, str]:
    """Name -> path. Raises ConfigError: not all are named, or two alike."""
    paths, names, problem = named_images(text)
    if problem:
        raise ConfigError(problem)
    return {name: _unquoted(path) for name, path in zip(names or numbered_images(len(paths)), paths)}


def _unquoted(text: str) -> str:
    """A path as a terminal puts it there when a file is dragged onto it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text.replace("\\ ", " ")
