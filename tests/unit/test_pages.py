"""The pages of ``docs/``: links, navigation, commands and names are those that exist. What ``mkdocs build --strict``
checks and what it cannot; needs no mkdocs."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from pefomed_plugin.cli import COMMANDS, make_parser
from pefomed_plugin.readers import DATASETS
from tests.test_layers import LAYERS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PLACEHOLDERS = re.compile(r"\.\.\.|\b(COMMAND|ACTION|RUN)\b")
"""What stands in a command that is a pattern, not one to type."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def each_text() -> Any:
    return pytest.mark.parametrize("page", TEXTS, ids=name_of)


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as mkdocs makes them."""
    found: list[str] = []
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        slug = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
        found.append(slug if slug not in found else f"{slug}_{found.count(slug)}")
    return set(found)


def links(page: Path) -> list[tuple[str, str]]:
    """Path and anchor of each link that is no address."""
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8")))
    return [(path, anchor) for path, _, anchor in (target.partition("#") for target in targets if "://" not in target)]


@each_text()
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{name_of(page)}: {path} is not there"
        assert not anchor or anchor in anchors(target), f"{name_of(page)}: {path} has no heading {anchor}"
        assert page not in PAGES or DOCS in target.parents, f"{name_of(page)}: {path} is not in the site"


def test_a_heading_becomes_an_anchor(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# `A` b, c's\n\n## Twice\n\n## Twice\n\n```\n# no heading\n```\n", encoding="utf-8")
    assert anchors(page) == {"a-b-cs", "twice", "twice_1"}


def site() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def nav_pages(entries: Any) -> Iterator[str]:
    for entry in entries:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else nav_pages(value)


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(nav_pages(site()["nav"])) == sorted(str(page.relative_to(DOCS)) for page in PAGES)


def test_the_site_is_strict_and_fetches_nothing() -> None:
    config = site()
    assert config["theme"]["font"] is False
    assert [each if isinstance(each, str) else next(iter(each)) for each in config["plugins"]] == [
        "search",
        "mkdocstrings",
    ]
    assert {value for each in config["validation"].values() for value in each.values()} == {"warn"}
    for path in [config["theme"]["favicon"], *config["extra_css"]]:
        assert (DOCS / path).is_file()


def commands(page: Path) -> list[str]:
    """The ``pefomed`` commands of a page, in code blocks and within lines."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines() + re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    return [line.strip().lstrip("$ ") for line in lines if re.match(r"\s*(\$ )?pefomed [a-z]", line)]


@each_text()
def test_commands_can_be_typed(page: Path) -> None:
    for line in commands(page):
        words = shlex.split(re.split(r" [|>] ", line)[0], comments=True)[1:]
        assert words[0] in COMMANDS, f"{name_of(page)}: {line}"
        if len(words) == 1 or PLACEHOLDERS.search(line):  # the name of a command, or a pattern
            continue
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                make_parser([words[0]]).parse_args(words)
        except SystemExit:
            complaint = said.getvalue().strip().splitlines()[-1]
            named = "`" + line + "`" in page.read_text(encoding="utf-8")  # `pefomed score --data` names an option
            assert named and re.search("required|expected one argument", complaint), (
                f"{name_of(page)}: {line}\n{complaint}"
            )


def test_the_commands_are_found() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 80
    assert "pefomed prepare vqa_rad --source data/vqa_rad --out prepared/vqa_rad" in commands(DOCS / "quick-start.md")


@each_text()
def test_files_of_the_repository_that_are_named_exist(page: Path) -> None:
    named = re.findall(
        r"\b(?:pefomed_plugin|train_configs|eval_configs|projects|tests|docs)/[\w./-]*\w(?![\w*])",
        page.read_text(encoding="utf-8"),
    )
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_the_reference_names_what_there_is() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    entries = re.findall(r"^::: ([\w.]+)\n(?:    options: \{members: \[([^]]*)\]\})?", text, re.MULTILINE)
    assert len(entries) > 10
    for module, members in entries:
        path = ROOT / (module.replace(".", "/") + ".py")
        path = path if path.is_file() else path.with_suffix("") / "__init__.py"
        body = ast.parse(path.read_text(encoding="utf-8")).body
        names = (
            {getattr(node, "name", "") for node in body}
            | {alias.asname or alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
            | {
                target.id
                for node in body
                if isinstance(node, (ast.Assign, ast.AnnAssign))
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                if isinstance(target, ast.Name)
            }
        )
        assert set(filter(None, members.split(", "))) <= names, module


@pytest.mark.parametrize("dataset", sorted(name for name, spec in DATASETS.own.items() if spec.url))
def test_a_data_set_has_its_page(dataset: str) -> None:
    text = (DOCS / "data" / (dataset + ".md")).read_text(encoding="utf-8")
    parts = ["- **Get it:**", "- **Licence:**", "- **Options:**", "| layout |", "## What prepare says", "## Quirks"]
    assert [part for part in parts if text.count(part) != 1] == []
    assert DATASETS[dataset].url in text


def test_architecture_shows_the_layers_that_are_tested() -> None:
    rows = re.findall(r"^\| (\d) \| (.+?) \|", (DOCS / "architecture.md").read_text(encoding="utf-8"), re.MULTILINE)
    shown = {name: int(layer) for layer, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert shown == {name: layer for name, layer in LAYERS.items() if not name.startswith("__")}


def test_the_image_shows_rooms_that_exist() -> None:
    texts = ElementTree.parse(DOCS / "pictures" / "architecture.svg").getroot().iter("{http://www.w3.org/2000/svg}text")
    rooms = [(text.text or "").rstrip("/") for text in texts if text.get("class") == "c m"]
    rooms = [room for room in rooms if " " not in room]
    assert len(rooms) > 15 and set(rooms) <= set(LAYERS)


@pytest.mark.parametrize(("heading", "last"), [("Tables", 12), ("Figures", 8)])
def test_reproducing_leaves_out_no_table_and_no_figure(heading: str, last: int) -> None:
    text = (DOCS / "reproducing.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    numbers = [int(n) for cell in re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE) for n in cell.split(", ")]
    assert numbers == list(range(1, last + 1))
