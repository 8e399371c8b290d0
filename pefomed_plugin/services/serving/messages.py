"""The messages of a request as one question: its words, its images by name, and what the system message says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import near_names
from ...records import numbered_images
from .faults import ApiFault, wrong

MOST_LETTERS = 100_000
MOST_NAME_LETTERS = 100
_SYSTEM = ("system", "developer")
_DETAILS = ("auto", "low", "high", "original")
_NO_TURNS = "earlier turns cannot be taken: the model was trained on single questions; send the last one alone"


class ImagePart(NamedTuple):
    """One image as it was sent."""

    name: str
    url: str
    param: str


class Spoken(NamedTuple):
    """What was said."""

    system: str
    """Words of the system message; empty where there is none."""
    system_param: str
    text: str
    text_param: str
    images: list[ImagePart]
    notes: list[str]
    """What was sent and changes nothing."""


def read_messages(messages: Any) -> Spoken:
    """One user message, and a system message before it where there is one.

    Of several images each is called what the text directly before it says, if that ends with a colon; else by its
    number.

    Raises:
        ApiFault: 400, naming the message or its part.
    """
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", "a list with one message of the user", "missing_required_parameter")
    system = [number for number, message in enumerate(messages) if _role(message, number) in _SYSTEM]
    asked = [number for number in range(len(messages)) if number not in system]
    if len(system) > 1 or system not in ([], [0]):
        raise wrong(f"messages[{system[-1]}]", "one system message, before the user's", "unsupported_value")
    if not asked:
        raise wrong("messages", "no message of the user")
    if len(asked) > 1:
        raise wrong(
            f"messages[{asked[0]}]",
            _NO_TURNS,
            "unsupported_value",
        )
    words = _system_words(messages[0]) if system else ""
    return _question(messages[asked[0]], f"messages[{asked[0]}].content", words)


def _role(message: Any, number: int) -> str:
    where = f"messages[{number}]"
    if not isinstance(message, Mapping):
        raise wrong(where, "an object with role and content")
    unknown = [name for name, value in message.items() if name not in ("role", "content") and value is not None]
    if unknown:
        raise wrong(
            f"{where}.{unknown[0][:50]}", "cannot be taken; a message has role and content", "unsupported_value"
        )
    role = message.get("role")
    if role in ("assistant", "tool", "function"):
        raise wrong(
            f"{where}.role",
            f"{role}: {_NO_TURNS}",
            "unsupported_value",
        )
    if role not in (*_SYSTEM, "user"):
        known = near_names(role, (*_SYSTEM, "user")) if isinstance(role, str) else "a text: user, or system"
        raise wrong(f"{where}.role", known)
    return str(role)


def _system_words(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list) and all(
        isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str)
        for part in content
    ):
        content = " ".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise wrong("messages[0].content", "a text that names the task")
    return content


def _question(message: Mapping[str, Any], where: str, system: str) -> Spoken:
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list) or not content:
        raise wrong(where, "a list of parts: a text, and images as image_url")
    notes: list[str] = []
    parts = [_part(part, f"{where}[{number}]", notes) for number, part in enumerate(content)]
    shown = [number for number, part in enumerate(parts) if isinstance(part, ImagePart)]
    if not shown:
        raise wrong(where, "no image; the model answers about an image, sent as a part of type image_url")
    texts = {number: part for number, part in enumerate(parts) if isinstance(part, str)}
    names = list(numbered_images(len(shown))) if len(shown) > 1 else [""]
    for place, number in enumerate(shown if len(shown) > 1 else []):
        before = texts.get(number - 1, "").strip()
        if before.endswith(":") and before[:-1].strip():
            names[place] = before[:-1].strip()
            del texts[number - 1]
            if len(names[place]) > MOST_NAME_LETTERS:
                raise wrong(f"{where}[{number - 1}]", f"a name of an image has at most {MOST_NAME_LETTERS} characters")
    if len(set(names)) < len(names):
        raise wrong(where, "two images have one name; what stands before an image with a colon is its name")
    text = " ".join(text for text in texts.values() if text.strip())
    if len(text) > MOST_LETTERS:
        raise wrong(where, f"a text of at most {MOST_LETTERS:,} characters", "context_length_exceeded")
    images = [parts[number]._replace(name=name) for number, name in zip(shown, names)]  # type: ignore[union-attr]
    return Spoken(system, "messages[0].content", text, where, images, list(dict.fromkeys(notes)))


def _part(part: Any, where: str, notes: list[str]) -> str | ImagePart:
    if not isinstance(part, Mapping):
        raise wrong(where, "an object with a type")
    kind = part.get("type")
    if kind == "text":
        text = _inside(part, where, "text")
        if not isinstance(text, str):
            raise wrong(f"{where}.text", "a text")
        return text
    if kind == "image_url":
        return _image(_inside(part, where, "image_url"), f"{where}.image_url", notes)
    if isinstance(kind, str):
        raise wrong(
            f"{where}.type", f"cannot be taken; {near_names(kind[:50], ('text', 'image_url'))}", "unsupported_value"
        )
    raise wrong(f"{where}.type", "missing; text or image_url")


def _inside(part: Mapping[str, Any], where: str, name: str) -> Any:
    unknown = [key for key, value in part.items() if key not in ("type", name) and value is not None]
    if unknown:
        raise wrong(
            f"{where}.{unknown[0][:50]}", f"cannot be taken; such a part has type and {name}", "unsupported_value"
        )
    return part.get(name)


def _image(value: Any, where: str, notes: list[str]) -> ImagePart:
    if not isinstance(value, Mapping):
        raise wrong(where, 'an object: {"url": "data:image/png;base64,..."}')
    unknown = [key for key, given in value.items() if key not in ("url", "detail") and given is not None]
    if unknown:
        raise wrong(f"{where}.{unknown[0][:50]}", "cannot be taken; it has a url", "unsupported_value")
    detail = value.get("detail")
    if detail not in (None, *_DETAILS):
        raise wrong(f"{where}.detail", f"one of {', '.join(_DETAILS)}")
    if detail in _DETAILS[1:]:
        notes.append(f"detail {detail!r} changes nothing: every image is seen in one size")
    url = value.get("url")
    if not isinstance(url, str) or not url:
        raise wrong(f"{where}.url", "a text: data:image/png;base64,...")
    return ImagePart("", url, f"{where}.url")


def require_number(images: int, most: int, task: str, where: str) -> None:
    """A checkpoint takes as many images as its prompts had in training.

    Raises:
        ApiFault: 400; there are more.
    """
    if images > most:
        raise wrong(where, f"{images} images; this checkpoint has learnt {task} prompts of {most}", "unsupported_value")


__all__ = ["ApiFault", "ImagePart", "Spoken", "read_messages", "require_number"]
