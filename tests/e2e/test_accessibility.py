"""axe-core finds no fault on our pages: report, image, training, rating page, chat and docs, light and dark."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from pefomed_plugin.reporting.agreement import measure_agreement, write_agreement
from pefomed_plugin.reporting.page.explorer import write_report
from pefomed_plugin.reporting.results import read_run
from pefomed_plugin.reporting.training.curves import read_training
from pefomed_plugin.reporting.training.page import write_training_page
from pefomed_plugin.services.images.decoding import DEFAULT_POLICY

from ..unit.reporting.made import answers, make_images, make_run, rate
from ..unit.reporting.training.test_training import log
from .browsing import expect

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="axe-playwright-python is not installed"),
]
ROOT = Path(__file__).resolve().parents[2]
SCHEMES = ("light", "dark")
MATERIALS_OWN = ["[data-md-component=search]", ".md-search"]
"""Parts of the docs that are the theme's, drawn before its search is there."""
GRADIOS_OWN = ["#examples img", "footer"]
"""An alternative text that is the caption once more: of thumbnails, of its own settings."""


def faults(page: Any, leave_out: list[str] = []) -> list[str]:  # noqa: B006
    """What axe finds, from minor to critical: rule, number of places, the first of them."""
    from axe_playwright_python.base import AXE_SCRIPT  # late: of the extra "test"

    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("out => axe.run({exclude: out}, {resultTypes: ['violations']})", leave_out)
    assert found["testEngine"]["name"] == "axe-core"
    return [
        f"{fault['id']} ({fault['impact']}) {len(fault['nodes'])}: {fault['nodes'][0]['html'][:120]}"
        for fault in found["violations"]
    ]


def test_a_fault_is_found(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    (tmp_path / "bad.html").write_text("<title>x</title><body><img src='data:,'><button></button>", encoding="utf-8")
    assert {fault.split(" ")[0] for fault in faults(open_page((tmp_path / "bad.html").as_uri(), complains=True))} >= {
        "image-alt",
        "button-name",
        "html-has-lang",
    }


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    right = [number % 4 != 2 for number in range(60)]
    rows = answers(right)
    results = make_run(folder / "both", rows, ["exact_match", "token_recall"]) / "results/vqa_rad-test"
    log(folder / "both", 40)
    values = [1.0 if each else 0.0 for each in right]
    rate(results, rows, "judge/vqa/gpt-4o", [values, values])
    rate(results, rows, "human/vqa", [values, values[::-1]])
    write_agreement(rows, results, measure_agreement(rows, results))
    runs = [read_run(folder / "both"), read_run(make_run(folder / "none", answers([False] * 60)))]
    root = make_images(folder / "images", rows)
    write_report(runs[:1], folder / "one.html", {"vqa_rad": root}, full_images="embedded")
    write_report(runs, folder / "several.html", {"vqa_rad": root}, full_images="linked")
    return folder


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["one.html", "several.html"])
def test_the_report_with_all_that_opens(reports: Path, open_page: Callable[..., Any], name: str, scheme: str) -> None:
    page = open_page((reports / name).as_uri(), color_scheme=scheme)
    expect(page.locator(".card").first).to_be_visible()
    expect(page.locator("#training .curve").first).to_be_visible()
    assert faults(page) == []
    page.keyboard.press("t")
    assert faults(page) == []
    page.locator("tr.answer").first.click()
    expect(page.locator("#detail")).to_be_visible()
    assert faults(page) == []
    if name == "one.html":
        page.get_by_role("button", name="Image in full").click()
        expect(page.locator("#full .facts")).to_contain_text("bits")
        assert faults(page) == []
        page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert faults(page) == []


@pytest.mark.parametrize("kind", ["no references", "phone"])
def test_reports_of_other_kinds(reports: Path, tmp_path: Path, open_page: Callable[..., Any], kind: str) -> None:
    name = reports / "several.html"
    if kind == "no references":
        name = tmp_path / "page.html"
        rows = [replace(row, answer="") for row in answers([True] * 4)]
        write_report([read_run(make_run(tmp_path / "run", rows, []), references=False)], name, {})
    page = open_page(name.as_uri(), viewport={"width": 390, "height": 800})
    expect(page.locator(".card").first).to_be_visible()
    assert faults(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_image_of_its_own(reports: Path, open_page: Callable[..., Any], scheme: str) -> None:
    page = open_page((reports / "several_images" / "00000.html").as_uri(), color_scheme=scheme)
    expect(page.locator(".facts")).to_contain_text("bits")
    assert faults(page) == []


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_curves_of_training(tmp_path: Path, open_page: Callable[..., Any], scheme: str, width: int) -> None:
    names = ["run", "another_run_with_a_name_that_is_long", "third", "fourth"]
    runs = [read_training(log(tmp_path / name, 40)) for name in names]
    write_training_page(runs, tmp_path / "page.html", refresh_s=600)
    page = open_page((tmp_path / "page.html").as_uri(), color_scheme=scheme, viewport={"width": width, "height": 800})
    expect(page.locator(".curve").first).to_be_visible()
    assert faults(page) == [] and page.evaluate("document.documentElement.scrollWidth") <= width
    heights = page.evaluate(
        "[...document.querySelectorAll('.tick')].map((text) => text.getBoundingClientRect().height)"
    )
    assert min(heights) >= 10, "labels can be read on a phone too"
    broken = "[...document.querySelectorAll('td.number')].filter((cell) => cell.getClientRects()[0].height > 60).length"
    assert page.evaluate(broken) == 0, "a figure stays on its line, the table scrolls"
    assert page.locator(".scrolls").is_visible() == (width == 360), "and says that it scrolls"


def test_the_curves_are_drawn_anew_until_the_reader_pauses(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    run = log(tmp_path / "run", 10)
    write_training_page([read_training(run)], tmp_path / "page.html", refresh_s=1)
    page = open_page((tmp_path / "page.html").as_uri())
    expect(page.locator(".run")).to_contain_text("iteration 10 of 100")
    write_training_page([read_training(log(run, 20))], tmp_path / "page.html", refresh_s=1)
    expect(page.locator(".run")).to_contain_text("iteration 20 of 100")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()


@pytest.mark.skipif(find_spec("gradio") is None, reason="gradio (extra ui) is not installed")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_chat(tmp_path: Path, open_page: Callable[..., Any], scheme: str) -> None:
    from pefomed_plugin.ui.desk import Desk
    from pefomed_plugin.ui.examples import draw_examples
    from pefomed_plugin.ui.page import build_page, launch

    def made(name: str) -> Any:
        return SimpleNamespace(
            facts={"checkpoint": name, "checkpoint_sha256": "0" * 64, "version": "1"},
            policy=DEFAULT_POLICY,
            stream=lambda request, limit: iter(["yes"]),
            prompt=lambda request: f"[INST] {request.question} [/INST]",
            confidences=lambda requests, answers: [0.5],
        )

    gallery = draw_examples(tmp_path)
    page = build_page(Desk(made("one.pth"), against=made("other.pth")), gallery)
    address = launch(page, "127.0.0.1", folders=gallery.folders)
    try:
        tab = open_page(f"{address}?__theme={scheme}", color_scheme=scheme)
        expect(tab.locator("#examples button")).to_have_count(3)
        expect(tab.locator("#image .empty")).to_have_attribute("role", "img")
        assert faults(tab, GRADIOS_OWN) == []
        tab.locator("#examples button").first.click()
        expect(tab.locator("#image img").first).to_be_visible()
        tab.locator("#ask").click()
        expect(tab.locator("#history li")).to_have_count(1)
        tab.locator("#show-reference").click()
        expect(tab.locator("#reference strong")).to_be_visible()
        tab.locator("#prompts button").first.click()
        expect(tab.locator("#prompt-2 textarea, #prompt-2 input")).to_be_visible()
        assert faults(tab, GRADIOS_OWN) == []
        tab.goto("about:blank")  # closes what it holds open of the page, which ends next
    finally:
        page.close(verbose=False)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["index.html", "architecture.html"])
def test_the_docs(docs: Path, open_page: Callable[..., Any], name: str, scheme: str) -> None:
    # From the disk Material's search script is not allowed to start; mkdocs serve has it.
    page = open_page((docs / name).as_uri(), complains=True, color_scheme=scheme)
    wanted = {"light": "default", "dark": "slate"}[scheme]
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", wanted)
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    picture = page.locator(".picture img").bounding_box()
    column = page.locator("article").bounding_box()
    assert picture["width"] <= column["width"] and page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.evaluate("getComputedStyle(document.body).getPropertyValue('--paper')") != ""
    assert faults(page, MATERIALS_OWN) == []


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home and architecture as mkdocs makes them; the API's pages, which take long, are left out."""
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed (extra docs)")
    folder = tmp_path_factory.mktemp("docs")
    (folder / "mkdocs.yml").write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: {ROOT / 'docs'}\nsite_dir: {folder / 'site'}\n"
        f"hooks: [{ROOT / 'projects/pictures/mkdocs_look.py'}]\nplugins: [search]\n"
        "nav: [{Home: index.md}, {Architecture: architecture.md}]\n"
    )
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--config-file", str(folder / "mkdocs.yml")]
    subprocess.run(command, check=True, capture_output=True, env={"NO_MKDOCS_2_WARNING": "1", "PATH": ""}, cwd=folder)
    return folder / "site"
