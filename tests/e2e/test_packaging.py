"""The wheel in an environment of its own, in a folder without the repository: what somebody has after ``pip install``.

Needs setuptools (70.1 or later builds wheels itself) and pip; nothing is downloaded. The packages that ours needs are
those of this environment, lent by one line of a ``.pth`` file, which does not lend the editable installation.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from pefomed_plugin import __version__, environment
from pefomed_plugin.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "projects" / "pefomed"
QUICK_START = (
    re.search(
        r"with the package alone:\n\n```\n(.*?)```",
        (ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    .group(1)
    .splitlines()
)  # type: ignore[union-attr]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "pefomed_plugin")
pytestmark = pytest.mark.slow


def run(command: list[str], cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command with none of the ``PEFOMED_`` variables, and no path into the repository."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in (*environment.VARIABLES, "PEFOMED_SAMPLE", "PYTHONPATH", "PEFOMED_TOOLKIT")
    }
    done = subprocess.run(
        command,
        cwd=str(cwd),
        text=True,
        capture_output=True,
        check=False,
        env={**kept, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **environ},
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.is_file():
            shutil.copy(path, source / name)
    run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--quiet",
            "-w",
            str(folder),
            str(source),
        ],
        folder,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of the environment's programs, and an empty folder to work in."""
    folder = tmp_path_factory.mktemp("installed")
    home = folder / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    inside = json.loads(
        run([str(python), "-c", "import json, sysconfig; print(json.dumps(sysconfig.get_paths()))"], folder).stdout
    )
    lent = sorted({sysconfig.get_paths()[name] for name in ("purelib", "platlib")})
    (Path(inside["purelib"]) / "lent.pth").write_text("\n".join(lent) + "\n")
    run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "--no-deps",
            "--no-index",
            "--quiet",
            "--force-reinstall",
            str(wheel),
        ],
        folder,
    )
    work = folder / "work"
    work.mkdir()
    return home / "bin", work


def files_of(folder: Path) -> set[str]:
    """Also those behind symbolic links, which the shipped YAMLs are."""
    return {
        os.path.relpath(os.path.join(place, name), folder.parent)
        for place, _, names in os.walk(folder, followlinks=True)
        if "__pycache__" not in place
        for name in names
    }


def test_the_wheel_carries_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}
    drivers = {f"pefomed_plugin/configs/runs/projects/pefomed/{path.name}" for path in PROJECT.glob("*.py")}
    assert carried == files_of(ROOT / "pefomed_plugin") - drivers, (
        "of the project its YAMLs, not what runs it in a clone"
    )


def test_the_metadata_says_what_setup_says(metadata: Message) -> None:
    assert metadata["Name"].replace("-", "_") == "pefomed_plugin" and metadata["Version"] == __version__
    pythons = SpecifierSet(metadata["Requires-Python"])
    assert all(each in pythons for each in ("3.9", *PYTHONS)) and "3.8" not in pythons


def requirements(metadata: Message, extra: str, python: str) -> list[Requirement]:
    """What ``pip install 'pefomed_plugin[extra]'`` asks for on Linux with that Python."""
    found = [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]
    surroundings = {"extra": extra, "python_version": python, "python_full_version": python + ".0"}
    return [each for each in found if each.marker is None or Marker(str(each.marker)).evaluate(surroundings)]


@pytest.mark.parametrize("python", PYTHONS)
def test_every_extra_asks_for_something_that_can_be_met(metadata: Message, python: str) -> None:
    extras = metadata.get_all("Provides-Extra", [])
    assert {"bundled", "judge", "meteor", "dicom", "ui", "quant", "dev", "docs"} <= set(extras)
    core = {str(requirement) for requirement in requirements(metadata, "", python)}
    for extra in extras:
        asked = [requirement for requirement in requirements(metadata, extra, python) if str(requirement) not in core]
        assert asked or (extra, python) == ("clinical", "3.10"), f"{extra} is empty on Python {python}"


@pytest.mark.parametrize("python", PYTHONS)
def test_all_extras_together_do_not_contradict_each_other(metadata: Message, python: str) -> None:
    together: dict[str, Any] = {}
    for extra in ["", *metadata.get_all("Provides-Extra", [])]:
        for requirement in requirements(metadata, extra, python):
            assert requirement.url is None, f"{requirement} is an address, not a package"
            together.setdefault(requirement.name.lower(), set()).add(requirement.specifier)
    assert len(together) > 20
    for name, specifiers in together.items():
        has_only_lower_bounds = {part.operator for specifier in specifiers for part in specifier} <= {">="}
        assert has_only_lower_bounds or len(specifiers) == 1, f"{name} {specifiers} may contradict each other"


def test_the_extras_that_the_code_and_the_pages_name_exist(metadata: Message) -> None:
    texts = [*(ROOT / "pefomed_plugin").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    named = {
        extra
        for path in texts
        for found in re.findall(
            r"(?:pefomed_plugin|\.)\[([\w,]+)\]['\"]?\)?",
            path.read_text(encoding="utf-8")
            if path.suffix == ".md"
            else "\n".join(re.findall(r"pip install.*", path.read_text(encoding="utf-8"))),
        )
        for extra in found.split(",")
    }
    assert {"bundled", "metrics"} <= named
    assert named <= set(metadata.get_all("Provides-Extra", []))


def test_the_first_minute_without_the_repository(installed: tuple[Path, Path], sample: Path) -> None:
    programs, work = installed
    pefomed = str(programs / "pefomed")
    place = run([str(programs / "python"), "-c", "import pefomed_plugin; print(pefomed_plugin.__file__)"], work).stdout
    assert Path(place.strip()).is_relative_to(programs.parent)  # not the repository's

    shown = run([pefomed, "--help"], work).stdout
    assert [name for name in COMMANDS if f"\n  {name} " not in shown and f"\n  {name}\n" not in shown] == []
    run([pefomed, "sample", "--no-model", "--out", "sample"], work)  # the model, slow to make, is the shared one's
    assert (work / "sample" / "iu_xray" / "annotation.json").is_file()
    install, *lines = QUICK_START
    assert install.startswith("pip install ") and len(lines) == 5
    said = ""
    for name, *arguments in map(shlex.split, lines):
        if name == "cd":
            work = work / arguments[0]
            continue
        said += run([str(programs / name), *arguments], work, PEFOMED_SAMPLE=str(sample)).stdout
    assert re.search("^ready: ", said, re.MULTILINE)  # the doctor
    assert "Not a result: " in said and "toolkit: bundled" in said
    run_folder = work / "output" / "try" / "stage2"
    assert (run_folder / "checkpoint_last.pth").is_file()
    losses = [json.loads(line)["loss"] for line in (run_folder / "log.jsonl").read_text().splitlines()]
    assert losses and all(0 < loss < 20 for loss in losses)
    assert "<html" in (work / "output" / "report.html").read_text(encoding="utf-8")  # its assets are in the wheel
