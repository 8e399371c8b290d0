"""The paper's figures: 3 to 6 as bars side by side, 1 as boxes, 2, 7 and 8 as text; each as SVG and PNG.

A figure for which there are no answers says so in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from ...scoring.breakdown import NOT_GIVEN, places_of_groups
from ...vision_encoders import VisionEncoder
from ..breakdowns import break_down_answers, title_of_axis
from ..look import colour
from ..plots import plot_side_by_side, save_figure
from .cells import EVALUATIONS, VQA_SETS
from .material import Material, Place
from .notes import notice_of, trained_parameters, words_of
from .texts import text_figures

BREAKDOWNS: Mapping[int, tuple[str, str]] = {
    3: ("vqa_rad", "question_type"),
    4: ("path_vqa", "question_type"),
    5: ("slake", "question_type"),
    6: ("slake", "organ"),
}
"""Figure of the paper -> data set and axis."""
ENDINGS = (".svg", ".png")
_WIDTH_LETTERS, _LINE_INCHES = 100, 0.19
_INK, _TRAINED, _FROZEN, _PLAIN = map(colour, ("ink", "layer-3", "layer-0", "card"))


def draw_figures(material: Material, folder: Path) -> list[tuple[int, str, Path]]:
    """Every figure of the paper into ``folder``: number, caption, and its PNG.

    Raises:
        ConfigError: matplotlib is not installed.
        DataError: a file cannot be written.
    """
    captions = {1: _draw_model(material, _paths(folder, 1))}
    for number, (title, lines) in text_figures().items():
        draw_text(title, lines, _paths(folder, number))
        captions[number] = title
    for number, (dataset, axis) in BREAKDOWNS.items():
        captions[number] = _draw_breakdown(material, number, dataset, axis, _paths(folder, number))
    return [(number, captions[number], folder / f"figure_{number}.png") for number in sorted(captions)]


def draw_text(title: str, lines: Sequence[str], paths: Sequence[Path]) -> None:
    """Lines of text as a figure, wrapped."""
    from matplotlib.figure import Figure  # late: optional

    wrapped = [part for line in lines for part in (wrap(line, _WIDTH_LETTERS) or [""])]
    figure = Figure(figsize=(7.6, _LINE_INCHES * (len(wrapped) + 3)))
    figure.text(0.02, 1 - 1.4 * _LINE_INCHES / figure.get_figheight(), title, fontsize=10, color=_INK, va="center")
    figure.text(
        0.02,
        1 - 2.4 * _LINE_INCHES / figure.get_figheight(),
        "\n".join(wrapped).replace("$", r"\$"),
        fontsize=8,
        family="monospace",
        color=_INK,
        va="top",
        linespacing=_LINE_INCHES * 72 / 8 / 1.17,
    )
    save_figure(figure, paths)


def _draw_breakdown(material: Material, number: int, dataset: str, axis: str, paths: Sequence[Path]) -> str:
    place = material.row(dataset)
    title = f"Figure {number}: {VQA_SETS[dataset]} by {title_of_axis(axis, dataset)}"
    answered = place.answered
    if answered is None:
        draw_text(title, [f"not drawn: {place.reason} ({place.folder or 'no folder in the plan'})"], paths)
        return title
    if list(places_of_groups(answered.predictions, axis)) == [NOT_GIVEN]:
        material.missing.add(
            f"figure {number}", f"the answers of {place.folder} say nothing of {axis}; read them again"
        )
        draw_text(title, [f"not drawn: none of the answers has a value for {axis}"], paths)
        return title
    specs = {of: place.scorer(of) for of in EVALUATIONS}
    breakdowns = [break_down_answers(answered, spec.name, axis) for spec in specs.values() if spec is not None]
    absent = [of for of in EVALUATIONS if specs[of] is None]
    lacking = [f"{words_of(of, [place])} ({place.why_not(of, material.missing)})" for of in absent]
    notes = [f"Not there: {', '.join(lacking)}."] if lacking else []
    if not breakdowns:
        draw_text(title, ["not drawn: nothing is scored", *notes], paths)
        return title
    plot_side_by_side([(title, breakdowns)], paths, [*notes, *notice_of([place])])
    return title


def _draw_model(material: Material, paths: Sequence[Path]) -> str:
    """Figure 1: what the model is made of, with the sizes of our run with both stages where there is one."""
    from matplotlib.figure import Figure  # late: optional
    from matplotlib.patches import FancyBboxPatch  # late: optional

    place = next((row for row in map(material.row, ("vqa_rad", "slake", "path_vqa", "iu_xray")) if row.run), None)
    boxes = _boxes(place)
    figure = Figure(figsize=(8.6, 2.6))
    panel = figure.add_axes((0.01, 0.02, 0.98, 0.82))
    panel.set_xlim(0, len(boxes) * 2.0)
    panel.set_ylim(0, 2)
    panel.axis("off")
    for at, (text, color) in enumerate(boxes):
        panel.add_patch(FancyBboxPatch((2 * at + 0.12, 0.35), 1.56, 1.3, "round,pad=0.06", fc=color, ec=_INK, lw=0.8))
        panel.text(2 * at + 0.9, 1.0, text, ha="center", va="center", fontsize=8.5, color=_INK)
        if at:
            arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": _INK, "lw": 1.0}
            panel.annotate("", (2 * at + 0.05, 1.0), (2 * at - 0.24, 1.0), arrowprops=arrow)
    title = "Figure 1: the model; orange is trained, grey is frozen"
    sizes = "sizes of our run" if place else "no run of both stages: sizes not known"
    figure.text(0.02, 0.93, f"{title} ({sizes})", fontsize=10, color=_INK, va="center")
    save_figure(figure, paths)
    return title


def _boxes(place: Place | None) -> list[tuple[str, str]]:
    model = (place.run.config.get("model") or {}) if place and place.run else {}
    trained = trained_parameters(place.run) if place and place.run else None
    group = (model.get("vit") or {}).get("group") or VisionEncoder.group
    side, rank = model.get("image_size"), model.get("lora_r")
    numbers = f"\n{trained:,} numbers\ntrained in all" if trained is not None else ""
    return [
        ("image" + (f"\n{side} x {side}" if side else ""), _PLAIN),
        (f"vision encoder\n{model.get('vit_model', 'EVA ViT-g')}", _FROZEN),
        (f"{group} neighbours\nbecome 1", _PLAIN),
        ("linear\nprojection", _TRAINED),
        ("language model\nwith LoRA" + (f"\nof rank {rank}" if rank else "") + numbers, _TRAINED),
        ("answer\nor report", _PLAIN),
    ]


def _paths(folder: Path, number: int) -> list[Path]:
    return [folder / f"figure_{number}{ending}" for ending in ENDINGS]
