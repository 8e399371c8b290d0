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
    };
    name();
    new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
}"""
"""gradio names the places where no image is yet, which screen readers pass over without a role; and the button that
takes a file otherwise than it reads, so that who speaks to a computer cannot say it."""


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


def page_style() -> str:
    """What gradio has no name for: the warning, and headings."""
    light, dark = read_look(LIGHT), read_look(DARK)
    return (
        f".warning {{background: {light['mark']}; border-radius: 0.5em; padding: 0.6em 1em; margin: 0.4em 0}} "
        f".dark .warning {{background: {dark['mark']}}} .warning p {{margin: 0}} "
        f"h1 {{font-family: {light['serif']}; font-weight: 600}}"
    )


def _family(name: str) -> Any:
    """A list of fonts as one, for gradio quotes each of its own."""
    import gradio  # late: optional

    class Families(gradio.themes.utils.fonts.Font):  # type: ignore[misc, name-defined]
        def __str__(self) -> str:
            return str(self.name)

    return Families(read_look()[name])
