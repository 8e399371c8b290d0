"""Which films of a study a sample shows, in which order and under which names: the options ``views`` and
``missing_views``. What a film shows is what the release says; it is never guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import quoted
from ..records import Sample, numbered_images
from .layouts import Release
from .spec import Option

FIRST, ALL = "first", "all"
FRONTAL, LATERAL, CURRENT, PRIOR = "frontal", "lateral", "current", "prior"
SHOW, SKIP = "show", "skip"
NOT_SHOWN = "image(s) are not among the views that are shown"


class Film(NamedTuple):
    """One image of a study."""

    image: str
    """Path below the image root."""
    view: str = ""
    """``frontal``, ``lateral``, another name in lower case; empty where the release does not say."""


def view_options(parts: tuple[str, ...], studies: str) -> tuple[Option, ...]:
    """``per``, ``views`` and ``missing_views`` of a data set whose views are called ``parts``."""
    return (
        Option("per", "image", ("image", "study"), f"image is what the paper uses; study gives one sample {studies}"),
        Option(
            "views",
            FIRST,
            (FIRST, ALL),
            f"of per: study: its first image, all of them, or a list of {', '.join(parts)} in that order",
            parts,
        ),
        Option(
            "missing_views",
            SHOW,
            (SHOW, SKIP),
            "a study that lacks a view (with all: that has one image) is shown with those it has, or left out",
        ),
    )


def view_problems(options: Mapping[str, Any]) -> list[str]:
    """What cannot be together in these options."""
    views, problems = options["views"], []
    if views != FIRST and options["per"] != "study":
        problems.append("views needs per: study, as a sample of per: image shows that image")
    if views == FIRST and options["missing_views"] != SHOW:
        problems.append(f"missing_views: {options['missing_views']} needs views: all or a list")
    if CURRENT in views and FRONTAL in views:
        problems.append("views: current shows the frontal film of the study; leave one of current and frontal out")
    if isinstance(views, list) and PRIOR in views and len(views) == 1:
        problems.append("views: prior alone would show another study than the report's; add current")
    return problems


def most_images(options: Mapping[str, Any]) -> int:
    """Images that a sample shows, by these options; with ``all`` two, as few studies have more."""
    views = options["views"]
    return len(views) if isinstance(views, list) else 2 if views == ALL else 1


def all_films(films: Iterable[Film]) -> list[Film]:
    """Every film under a name of its own: frontal ones first, then lateral, others, and those of which nobody knows."""
    order = {FRONTAL: 0, LATERAL: 1, "": 3}
    seen: Counter[str] = Counter()
    named = []
    for place, (image, view) in enumerate(sorted(films, key=lambda film: order.get(film.view, 2)), 1):
        seen[view] += 1
        name = view if seen[view] == 1 else f"{view} {seen[view]}"
        named.append(Film(image, name if view else f"image {place}"))
    return named


def choose_films(release: Release, where: str, films: Sequence[Film], wanted: Any, missing: str) -> list[Film]:
    """The films that a study is shown with, each named.

    Args:
        wanted: ``all``, or a list of views; of several films of one view the first is taken.
        missing: what becomes of a study that lacks one.

    Returns:
        none where the study is left out; it is among the skips of ``release`` then.
    """
    if wanted == ALL:
        chosen, lacking = all_films(films), ["second"] if len(films) == 1 else []
    else:
        first = {film.view: film for film in reversed(films)}
        chosen = [first[view] for view in wanted if view in first]
        lacking = [view for view in wanted if view not in first]
    if not chosen or (lacking and missing == SKIP):
        release.skip(where, f"no {' and no '.join(lacking)} image")
        return []
    return chosen


def note_unshown(release: Release, images: Sequence[str], chosen: Sequence[str]) -> None:
    """Count the images of a study that its sample does not show."""
    release.notes[NOT_SHOWN] += len(set(images) - set(chosen))


def shown(films: Sequence[Film]) -> dict[str, Any]:
    """``images`` and ``views`` of the sample that shows films; one by itself, and those without any name, have none."""
    names = tuple(film.view for film in films)
    is_named = len(films) > 1 and names != numbered_images(len(films))
    return {"images": tuple(film.image for film in films), "views": names if is_named else ()}


def named_images(value: Any) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Several images as somebody wrote them: paths, what they are called, and what is wrong, if anything.

    Args:
        value: an object name -> path, a list of paths, or a text: ``frontal=a.png; lateral=b.png``, ``a.png; b.png``.

    Returns:
        no names where nobody says them.
    """
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(";") if part.strip()]
        named = [part.partition("=") for part in parts if "=" in part]
        if 0 < len(named) < len(parts):
            return (), (), f"images: name all of them or none; found {quoted(value)}"
        value = {name.strip(): path.strip() for name, _, path in named} if named else parts
        if len(value) < len(parts):
            return (), (), "images: a name occurs twice; give each image another"
    names = tuple(value) if isinstance(value, dict) else ()
    paths = list(value.values()) if isinstance(value, dict) else value
    wrong = (
        not isinstance(paths, list) or not paths or not all(isinstance(path, str) and path.strip() for path in paths)
    )
    if wrong or not all(name.strip() for name in names):
        return (), (), 'images must be {"frontal": "a.png", "lateral": "b.png"}, or a list of paths'
    if len(set(paths)) < len(paths):
        return (), (), "images: the same image twice; name each once"
    return tuple(path.strip() for path in paths), names, ""


def count_views(samples: Iterable[Sample]) -> dict[str, int]:
    """``frontal + lateral`` -> how many samples show that; empty where every sample shows one image."""
    counts = Counter(sample.image_names if len(sample.images) > 1 else () for sample in samples)
    if set(counts) <= {()}:
        return {}
    return {" + ".join(names) or "one image": count for names, count in counts.most_common()}


def views_in_words(counts: Mapping[str, int]) -> str:
    """``samples by what they show: 1,903 frontal + lateral, 166 one image``."""
    said = ", ".join(f"{count:,} {views}" for views, count in counts.items())
    return f"samples by what they show: {said}" if said else ""
