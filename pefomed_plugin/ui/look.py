"""The chat's theme: ``reporting/assets/look.css`` under gradio's names. Knows no colour itself."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..reporting.look import DARK, LIGHT, read_look

_OF_GRADIO: Mapping[str, tuple[str, ...]] = {
    "paper": ("body_background_fill", "background_fill_secondary", "panel_background_fill"),
    "card": (
        "background_fill_primary",
        "block_background_fill",
        "block_label_background_fill",
        "block_title_background_fill",
        "input_background_fill",
        "input_background_fill_focus",
        "checkbox_background_color",
        "checkbox_background_color_focus",
        "checkbox_background_color_hover",
        "checkbox_label_background_fill",
        "checkbox_label_background_fill_hover",
        "table_even_background_fill",
        "table_odd_background_fill",
        "button_secondary_background_fill",
        "button_cancel_background_fill",
        "code_background_fill",
    ),
    "ink": (
        "body_text_color",
        "block_title_text_color",
        "button_secondary_text_color",
        "button_secondary_text_color_hover",
        "button_cancel_text_color",
        "button_cancel_text_color_hover",
        "checkbox_label_text_color",
        "checkbox_label_text_color_selected",
        "table_text_color",
    ),
    "soft": ("body_text_color_subdued", "block_info_text_color", "block_label_text_color", "input_placeholder_color"),
    "line": (
        "border_color_primary",
        "block_border_color",
        "block_label_border_color",
        "panel_border_color",
        "checkbox_label_border_color",
        "table_border_color",
    ),
    "edge": (
        "input_border_color",
        "checkbox_border_color",
        "button_secondary_border_color",
        "button_cancel_border_color",
    ),
    "accent": (
        "color_accent",
        "border_color_accent",
        "input_border_color_focus",
        "input_border_color_hover",
        "checkbox_background_color_selected",
        "checkbox_border_color_focus",
        "checkbox_border_color_hover",
        "checkbox_border_color_selected",
        "checkbox_label_border_color_selected",
        "button_primary_background_fill",
        "button_primary_background_fill_hover",
        "button_primary_border_color",
        "button_secondary_border_color_hover",
        "button_cancel_border_color_hover",
        "link_text_color",
        "link_text_color_active",
        "link_text_color_hover",
        "link_text_color_visited",
        "loader_color",
        "slider_color",
    ),
    "on-accent": ("button_primary_text_color", "button_primary_text_color_hover"),
    "tint": (
        "color_accent_soft",
        "border_color_accent_subdued",
        "checkbox_label_background_fill_selected",
        "button_secondary_background_fill_hover",
        "button_cancel_background_fill_hover",
        "table_row_focus",
    ),
    "mark": ("stat_background_fill",),
}
"""Our name of a colour -> gradio's of what has it."""
_LINES = {"input_border_width": "1px", "button_border_width": "1px"}
CLEAR_NAMES = """() => {
    const name = () => {
        for (const box of document.querySelectorAll(".empty[aria-label]:not([role])")) box.setAttribute("role", "img");
        for (const button of document.querySelectorAll(".upload-container[aria-label]"))
            button.removeAttribute("aria-label");
        const images = "#image button:not([aria-label]), #map button:not([aria-label])";
        for (const button of document.querySelectorAll(images))
            if (button.innerText.trim() === "") button.setAttribute("aria-label", "Image");
        for (const group of document.querySelectorAll("fieldset")) {
            const choices = group.querySelectorAll("input[type=radio]");
            for (const choice of choices) if (choice.name !== choices[0].name) choice.name = choices[0].name;
        }
    };
    name();
    new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
}"""
"""gradio names the places where no image is yet, which screen readers pass over without a role; and the button that
takes a file otherwise than it reads, so that who speaks to a computer cannot say it. An image that is there is a button
without a name, and choices have a name each, so that arrow keys would not go from one to the next."""


def make_theme() -> Any:
    """A gradio theme of our palette and type, light and dark, which loads no font."""
    import gradio  # late: optional

    theme = gradio.themes.Base(font=(_family("sans"),), font_mono=(_family("mono"),))
    known = inspect.signature(theme.set).parameters  # an older gradio has fewer
    values = {
        name + ending: read_look(scheme)[ours]
        for scheme, ending in ((LIGHT, ""), (DARK, "_dark"))
        for ours, names in _OF_GRADIO.items()
        for name in names
        if name + ending in known
    }
    return theme.set(**values, **{name: width for name, width in _LINES.items() if name in known})


_STYLE = """
.warning {border-radius: 0.5em; padding: 0.6em 1em; margin: 0.4em 0} .warning p {margin: 0}
h1, h2 {font-family: SERIF; font-weight: 600} h2 {margin: 0.6em 0 0}
.quiet, .reference, .history li {overflow-wrap: anywhere}
#examples .grid-wrap {height: auto; min-height: 0; max-height: none}
#examples .grid-container {grid-template-columns: repeat(auto-fill, minmax(6.5em, 1fr))}
#examples .caption-label {max-width: none; left: 0; right: 0; bottom: 0; font-size: 0.7em; white-space: normal}
#offers .wrap {max-height: 20em; overflow-y: auto}
#offers label {max-width: 100%} #offers label span {white-space: normal}
.history {margin: 0; padding-left: 2em; list-style: decimal} .history li {padding: 0.5em 0 0.5em 0.4em}
.history dl, .history dd {margin: 0} .history dt {font-size: 0.85em; margin-top: 0.3em}
#image .image-container, #map .image-container {padding-top: 2.2em}
#image img, #map img {max-height: 70vh; object-fit: contain}
#prompts textarea {font-family: MONO}
@media (max-width: 46rem) {#image .image-container, #map .image-container {padding-top: 3.6em}}
@media (forced-colors: active) {input[type=radio] {appearance: auto; -webkit-appearance: auto}}
"""
_COLOURS = {
    ".warning": "background: MARK",
    ".quiet": "color: SOFT",
    ".history dt": "color: SOFT",
    ".history li + li": "border-top: 1px solid LINE",
}
"""One selector each: of a list gradio brings only the first into its dark scheme."""


def page_style() -> str:
    """What gradio has no name for: the warning, headings, history."""
    light = " ".join(f"{place} {{{rule}}}" for place, rule in _COLOURS.items())
    dark = " ".join(f".dark {place} {{{rule}}}" for place, rule in _COLOURS.items())
    return " ".join([_filled(_STYLE + light, LIGHT), _filled(dark, DARK)])


def _filled(style: str, scheme: str) -> str:
    look = read_look(scheme)
    for name in ("serif", "mono", "mark", "soft", "line"):
        style = style.replace(name.upper(), look[name])
    return style


def _family(name: str) -> Any:
    """A list of fonts as one, for gradio quotes each of its own."""
    import gradio  # late: optional

    class Families(gradio.themes.utils.fonts.Font):  # type: ignore[misc, name-defined]
        def __str__(self) -> str:
            return str(self.name)

    return Families(read_look()[name])
