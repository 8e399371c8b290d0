"""Images in full of a report: within it or beside it, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.reporting.page import full_images
from pefomed_plugin.reporting.page.explorer import write_report
from pefomed_plugin.reporting.results import Run, read_run

from ..made import answers, make_images, make_run

HOSTILE = "a<script>window.ran=1<!--.png"


@pytest.fixture
def run(tmp_path: Path) -> tuple[Run, dict[str, Path]]:
    rows = answers([True, True, False, False])
    return read_run(make_run(tmp_path / "run", rows)), {"vqa_rad": make_images(tmp_path / "images", rows)}


def test_embedded_images_are_blocks_of_the_page(tmp_path: Path, run: tuple[Run, dict[str, Path]]) -> None:
    shown, roots = run
    (roots["vqa_rad"] / "image1.png").unlink()
    assert len(write_report([shown], tmp_path / "page.html", roots, full_images="embedded")) == 1, "told once"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    blocks = dict(re.findall(r'<script type="application/json" id="full-(\d)">(.*?)</script>', page))
    assert list(blocks) == ["0"]
    full = json.loads(blocks["0"])
    assert (full["name"], full["media"], full["bits"], full["depth"]) == ("image0.png", "image/png", 8, None)


def test_linked_images_are_pages_beside_it_and_those_of_before_go(
    tmp_path: Path, run: tuple[Run, dict[str, Path]], capsys: pytest.CaptureFixture
) -> None:
    shown, roots = run
    folder = tmp_path / "page_images"
    folder.mkdir()
    (folder / "00017.html").write_text("of an earlier report")
    root = ["--image-root", str(roots["vqa_rad"])]
    command = ["report", str(shown.folder), "--out", str(tmp_path / "page.html"), *root, "--full-images", "linked"]
    assert main(command) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["00000.html", "00001.html"]
    assert f"images in full: {folder}, 2 (" in capsys.readouterr().out
    page = (folder / "00001.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page and '"name":"image1.png"' in page and "@" + "DATA@" not in page
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, run: tuple[Run, dict[str, Path]]) -> None:
    shown, roots = run
    (tmp_path / "page_images").mkdir()
    (tmp_path / "page_images" / "mine.png").write_text("mine")
    with pytest.raises(DataError, match="holds something else: move it away"):
        write_report([shown], tmp_path / "page.html", roots, full_images="linked")
    assert not (tmp_path / "page.html").exists() and (tmp_path / "page_images" / "mine.png").exists()


def test_too_much_for_one_page_names_the_other_way(
    tmp_path: Path, run: tuple[Run, dict[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, roots = run
    monkeypatch.setattr(full_images, "MOST_EMBEDDED_BYTES", 300)
    (tmp_path / "page.html").write_text("of before")
    with pytest.raises(DataError, match="give --full-images linked"):
        write_report([shown], tmp_path / "page.html", roots, full_images="embedded")
    assert (tmp_path / "page.html").read_text() == "of before"


def test_without_images_there_are_none_in_full(tmp_path: Path, run: tuple[Run, dict[str, Path]]) -> None:
    with pytest.raises(ConfigError, match="leave --no-images or --full-images out"):
        write_report([run[0]], tmp_path / "page.html", None, full_images="linked")


def test_a_hostile_name_stays_data() -> None:
    content = {"name": HOSTILE, "media": "image/png", "bits": 8, "depth": None, "note": "", "data": ""}
    page = "".join(full_images.viewer_pieces(content))
    assert page.count("</script>") == 2 and "<!--." not in page and HOSTILE not in page
