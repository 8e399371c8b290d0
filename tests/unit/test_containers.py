"""Recipes of containers: what they copy exists, what they install is ours, and they run offline and not as root."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKER = (ROOT / "Dockerfile").read_text(encoding="utf-8")
APPTAINER = (ROOT / "apptainer.def").read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "containers-and-clusters.md").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
OFFLINE = ("HF_HUB_OFFLINE=1", "TRANSFORMERS_OFFLINE=1", "PEFOMED_OFFLINE=1")
COPIED = [name for line in re.findall(r"^COPY (.+) \S+$", DOCKER, re.MULTILINE) for name in line.split()]
FILES = re.findall(r"^    (\S+) (/opt/pefomed/\S+)$", APPTAINER, re.MULTILINE)


@pytest.fixture(scope="module")
def extras():
    """Names of ``setup.py``'s extras, as setuptools is given them."""
    code = (
        "import setuptools\nsetuptools.setup = lambda **given: print(*given['extras_require'])\n"
        "exec(open('setup.py').read(), {'__file__': 'setup.py', '__name__': 'setup'})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_what_is_copied_exists_and_is_let_through():
    assert len(COPIED) > 6
    for name in COPIED:
        assert (ROOT / name).exists(), name
        assert "!" + name in IGNORED, name
    assert IGNORED[1] == "*" and [line[1:] for line in IGNORED if line[:1] == "!"] == COPIED


def test_both_recipes_copy_the_same_and_install_the_same(extras):
    assert [name for name, _ in FILES] == COPIED
    assert all(place == f"/opt/pefomed/{name}" for name, place in FILES)
    named = {name for line in re.findall(r'"\.\[([\w,]+)\]"', DOCKER + APPTAINER) for name in line.split(",")}
    default = set(re.search(r"^ARG EXTRAS=(.+)$", DOCKER, re.MULTILINE).group(1).split(","))
    assert named | default <= extras and default <= named and "quant" in named


def test_the_packages_of_setup_find_what_they_read_there():
    assert {"setup.py", "pyproject.toml", "README.md", "pefomed_plugin"} <= set(COPIED)
    linked = [path for path in (ROOT / "pefomed_plugin").rglob("*") if path.is_symlink()]
    for path in linked:  # YAMLs of runs lie beside the package
        place = path.resolve().relative_to(ROOT).parts[0]
        assert place in COPIED, f"{path} leads to {place}"


def test_a_container_is_offline_and_not_root():
    assert all(setting in DOCKER and setting in APPTAINER for setting in OFFLINE)
    assert DOCKER.index("\nUSER pefomed") > DOCKER.rindex("\nRUN useradd") and "\nUSER root" not in DOCKER
    assert DOCKER.index("\nENV HF_HUB_OFFLINE") > DOCKER.rindex("pip install"), "the build may fetch, a run may not"
    assert re.search(r'^ENTRYPOINT \["pefomed"\]$', DOCKER, re.MULTILINE) and 'exec pefomed "$@"' in APPTAINER


def test_recipes_and_docs_name_the_same_folders_of_a_container():
    """Those that are made are those that docs and comments mount, and the one that a run works in takes its output."""
    made = set(re.search(r"mkdir -p (.+?) &&", DOCKER).group(1).split())
    (works_in,) = re.findall(r"^WORKDIR (\S+)$", DOCKER[DOCKER.index("mkdir -p") :], re.MULTILINE)
    mounted = set(re.findall(r'\$PWD/\w+:(/[^:,"\s]+)', DOCS))
    mounted |= set(re.search(r"--bind (\S+) pefomed\.sif", APPTAINER).group(1).split(","))
    assert mounted == made - {works_in} | {f"{works_in}/output"} and works_in == "/pefomed"


def test_a_variant_that_there_is_not_is_refused():
    checks = re.findall(r'case "[^"]+" in (cpu\|cuda\)) ;; \*\) echo "[^"]+"; exit 2;; esac', DOCKER + APPTAINER)
    assert len(checks) == 2


def test_no_registry_is_named():
    assert not re.search(r"https?://|pypi|download\.pytorch", DOCKER + APPTAINER)


def test_what_docs_say_was_not_built_is_said():
    assert "No image was built here" in DOCS
