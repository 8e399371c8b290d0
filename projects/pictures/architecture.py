"""Draws ``docs/pictures/architecture.svg``, its narrow form for phones, and the site's icon, in our palette.

    python -m projects.pictures.architecture

A drawing has the width of the column it stands in, so that its letters are those of the text; it turns dark with the
page around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import wrap

from pefomed_plugin.reporting.look import DARK, LIGHT, colour

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
LAYERS: Sequence[tuple[int, str, Sequence[str]]] = (
    (6, "pefomed COMMAND, one file each: arguments, exit codes", ("cli",)),
    (5, "a run put together", ("registration", "launch", "loading", "doctor", "linked", "ui")),
    (4, "for the registry; to be looked at; the sample", ("adapters/", "reporting/", "embedded/")),
    (3, "the seam: our own model, or your checkout unchanged", ("toolkit/",)),
    (2, "outside world: images, shards, judges, rating, memory", ("services/",)),
    (
        1,
        "text and numbers",
        ("readers/", "scoring/", "prompts", "rubrics", "config", "origins", "provenance", "families/", "storage"),
    ),
    (0, "standard library only", ("records", "text", "errors", "digests", "requirements", "locks")),
)
"""Number, what it is about, rooms; the rest of the rooms is in the table below the picture."""
WAY: Sequence[tuple[str, str, int | None]] = (
    ("release", "as published", None),
    ("reader", "rows", 1),
    ("Sample", "a record", 0),
    ("adapter", "pixels, tokens", 4),
    ("model", "either toolkit", 3),
    ("Prediction", "a record", 0),
    ("scorer", "pure function", 1),
    ("report", "tables, page", 4),
)
"""Station, what it makes or is, the layer whose colour it has."""
_LETTER, _ROOM_HEIGHT, _LINE = 8.6, 27.0, 34.0
_MARGIN, _NUMBER = 12.0, 26.0


@dataclass(frozen=True)
class Form:
    """One width of the drawing."""

    name: str
    width: int
    stations_a_row: int


FORMS = (Form("architecture.svg", 780, 8), Form("architecture_narrow.svg", 390, 4))


def draw(form: Form) -> str:
    """The SVG text."""
    parts, bottom = _draw_way(form, _MARGIN)
    bottom += 16
    for number, about, rooms in LAYERS:
        drawn, bottom = _draw_layer(form, number, about, rooms, bottom)
        parts += drawn
    words = ["Imports point down only; colours are those of the layers,", "rounded stations are records."]
    lines = [" ".join(words)] if form.width > 500 else words
    parts += [_text(_MARGIN, bottom + 16 + 19 * at, line, "s") for at, line in enumerate(lines)]
    height = round(bottom + 12 + 19 * len(lines))
    title = "The way of a sample from release to report, and below it the seven layers of pefomed_plugin"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {form.width} {height}" '
            f'width="{form.width}" height="{height}" role="img">',
            f"<title>{title}</title>",
            f"<style>{_style()}</style>",
            f'<rect class="g" width="{form.width}" height="{height}" rx="8"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def icon() -> str:
    """The site's icon."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<rect width="32" height="32" rx="6" fill="{colour("accent")}"/>'
        '<path d="M6 22V10h12v12zm3-3h6l-2-3-1.5 2L10 16zM21 12h5v2h-5zm0 4h5v2h-5zm0 4h3v2h-3z" '
        f'fill="{colour("on-accent")}"/></svg>\n'
    )


def _style() -> str:
    def colours(scheme: str) -> str:
        layers = "".join(f".l{number}{{fill:{colour(f'layer-{number}', scheme)}}}" for number in range(7))
        ink, soft, card, paper = (colour(name, scheme) for name in ("ink", "soft", "card", "paper"))
        return (
            f"text{{fill:{ink}}}.s{{fill:{soft}}}.b{{fill:{card}}}.g{{fill:{paper}}}"
            f".e{{stroke:{colour('edge', scheme)}}}{layers}"
        )

    fonts = "text{font:13.5px system-ui,sans-serif}.t{font-weight:600}.s,.n{font-size:12.5px}.m{text-anchor:middle}"
    mono = ".c{font-family:ui-monospace,monospace;font-size:14px}"
    return f"{fonts}{mono}{colours(LIGHT)}@media(prefers-color-scheme:dark){{{colours(DARK)}}}"


def _draw_way(form: Form, top: float) -> tuple[list[str], float]:
    pitch = (form.width - 2 * _MARGIN + 14) / form.stations_a_row
    width, height, parts = pitch - 14, 48.0, []
    for place, (name, about, layer) in enumerate(WAY):
        row, column = divmod(place, form.stations_a_row)
        x, y = _MARGIN + column * pitch, top + row * (height + 16)
        shape = f'rx="{24 if layer == 0 else 6}" class="e {"b" if layer is None else f"l{layer}"}"'
        parts.append(_box(x, y, width, height, shape))
        parts.append(_text(x + width / 2, y + 21, name, "t m", _fitting(name, width, 8.4)))
        parts.append(_text(x + width / 2, y + 37, about, "m n", _fitting(about, width, 6.4)))
        if column:
            parts.append(f'<path class="e" fill="none" d="M{x - 13:g} {y + 24:g}h11m-4-4l4 4l-4 4"/>')
        elif row:
            back = (form.stations_a_row - 1) * pitch  # from the end of the row above
            middle = x + width / 2
            parts.append(f'<path class="e" fill="none" d="M{middle + back:g} {y - 16:g}v7h{-back:g}v7m-4-4l4 4l4-4"/>')
    return parts, top + -(-len(WAY) // form.stations_a_row) * (height + 16) - 16


def _draw_layer(form: Form, number: int, about: str, rooms: Sequence[str], top: float) -> tuple[list[str], float]:
    left, right = _MARGIN + _NUMBER, form.width - _MARGIN
    parts: list[str] = []
    lines = wrap(about, int((right - left - 16) / 6.9))
    x, y = left + 10, top + 12 + 18 * len(lines)
    for room in rooms:
        width = _LETTER * len(room) + 14
        if x + width > right - 8:
            x, y = left + 10, y + _LINE
        parts.append(_box(x, y, width, _ROOM_HEIGHT, 'rx="5" class="e b"'))
        parts.append(_text(x + width / 2, y + 18, room, "c m"))
        x += width + 8
    bottom = y + _ROOM_HEIGHT + 10
    ground = _box(left, top, right - left, bottom - top, f'rx="7" class="l{number}"')
    heads = [_text(left + 10, top + 20 + 18 * at, line, "") for at, line in enumerate(lines)]
    return [ground, _text(_MARGIN + 8, (top + bottom) / 2 + 5, str(number), "t m"), *heads, *parts], bottom + 8


def _box(x: float, y: float, width: float, height: float, rest: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" {rest}/>'


def _text(x: float, y: float, text: str, kind: str, more: str = "") -> str:
    kinds = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{kinds}{more}>{escape(text)}</text>'


def _fitting(text: str, width: float, letter: float) -> str:
    """Letters closer together where the words are wider than their box."""
    return f' textLength="{width - 10:g}" lengthAdjust="spacingAndGlyphs"' if letter * len(text) > width - 8 else ""


def main() -> None:
    """Write the pictures."""
    for form in FORMS:
        (PICTURES / form.name).write_text(draw(form), encoding="utf-8")
    (PICTURES / "favicon.svg").write_text(icon(), encoding="utf-8")


if __name__ == "__main__":
    main()
