"""One palette and one type: where they stand, that nothing else holds a colour, and that all of it can be read."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pefomed_plugin.reporting.look import DARK, LIGHT, LOOK, colour, contrast, read_look, series
from projects.pictures.architecture import FORMS, draw, icon

ROOT = Path(__file__).resolve().parents[3]
SCHEMES = (LIGHT, DARK)
COLOURS = re.compile(
    r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})\b|\b(?:rgba?|hsla?|oklch|lab)\(", re.IGNORECASE
)
SHOWN = ("pefomed_plugin/reporting/", "pefomed_plugin/ui/", "docs/", "projects/", "mkdocs.yml", "README.md")
"""What is drawn or says how something is drawn."""
MADE = ("docs/pictures/",)
"""Pictures that scripts make, of these colours; checked apart."""
TEXTS_ON = [
    *((text, ground) for text in ("ink", "soft", "accent", "right", "wrong") for ground in ("paper", "card")),
    ("ink", "tint"),
    ("ink", "mark"),
    ("on-accent", "accent"),
    ("on-film", "film"),
    *((f"on-level-{number}", f"level-{number}") for number in range(5)),
    *(("ink", f"layer-{number}") for number in range(7)),
]
"""Texts and what they stand on: AA wants 4.5. Lines of plots, frames of controls: 3."""
LINES_ON = [*((f"series-{number}", "card") for number in range(6)), ("wrong", "tint"), ("edge", "card")]


def tracked() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *SHOWN]
    try:
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git here")
    return [ROOT / name for name in said.splitlines() if (ROOT / name).is_file()]


def colours_in(path: Path) -> list[str]:
    """Colours of a file; the anchors of links and numbers of issues are none."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    if path.suffix in (".md", ".ipynb"):
        text = re.sub(r"[\w./-]*#[\w-]*[g-z_-][\w-]*|\w#\w+|\(#[\w-]+\)|&#\w+;", "", text)
    text = re.sub(r"&#\w+;|\bid\(|[\w.]+\.(?:md|html|parquet|tar|jsonl)#\w+", "", text)
    return COLOURS.findall(text)


def test_no_other_file_holds_a_colour() -> None:
    files = [path for path in tracked() if path != LOOK and not str(path.relative_to(ROOT)).startswith(MADE)]
    assert len(files) > 100 and LOOK.is_file()
    assert {str(path.relative_to(ROOT)): found for path in files if (found := colours_in(path))} == {}


def test_a_colour_is_found(tmp_path: Path) -> None:
    for number, text in enumerate(("a { color: #abc; }", 'x = "#1f2933"', "fill: rgb(0 0 0 / .5)", "see #a1b2c3d4")):
        (tmp_path / f"{number}.css").write_text(text)
        assert colours_in(tmp_path / f"{number}.css"), text
    (tmp_path / "x.md").write_text("[a](data.md#added-here) and [b](#face) &#8217;")
    assert colours_in(tmp_path / "x.md") == []


@pytest.mark.parametrize("name", ["architecture.svg", "architecture_narrow.svg", "favicon.svg"])
def test_pictures_are_those_that_the_script_draws_in_these_colours(name: str) -> None:
    drawn = {form.name: draw(form) for form in FORMS} | {"favicon.svg": icon()}
    assert (ROOT / "docs" / "pictures" / name).read_text(encoding="utf-8") == drawn[name], (
        "python -m projects.pictures.architecture"
    )
    known = {value for scheme in SCHEMES for value in read_look(scheme).values()}
    assert set(COLOURS.findall(drawn[name])) <= known


def test_the_drawings_have_the_width_of_a_column_and_of_a_phone() -> None:
    for name, most in (("architecture.svg", 800), ("architecture_narrow.svg", 390)):
        text = (ROOT / "docs" / "pictures" / name).read_text(encoding="utf-8")
        width, right = re.search(r'viewBox="0 0 (\d+)', text), []
        for x, size in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', text):
            right.append(float(x) + float(size))
        assert width is not None and max(right) <= int(width.group(1)) <= most


@pytest.mark.parametrize("scheme", SCHEMES)
def test_texts_and_lines_can_be_told_from_their_ground(scheme: str) -> None:
    weak = {
        (text, ground): round(found, 2)
        for least, pairs in ((4.5, TEXTS_ON), (3.0, LINES_ON))
        for text, ground in pairs
        if (found := contrast(colour(text, scheme), colour(ground, scheme))) < least
    }
    assert weak == {}


def test_dark_has_what_light_has() -> None:
    assert read_look(LIGHT).keys() == read_look(DARK).keys()
    assert {name for name in read_look() if read_look(LIGHT)[name] != read_look(DARK)[name]} > {
        "paper",
        "ink",
        "accent",
    }
    assert len(series()) == len(set(series())) == 6
    assert round(contrast("#000000", "#ffffff")) == 21
    with pytest.raises(KeyError, match="no opaque colour"):
        colour("sans")
