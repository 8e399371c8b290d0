"""What a release needs: one version, files that name the same commands and commit, a changelog with its date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from pefomed_plugin import __version__

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text(encoding="utf-8"))


def test_the_version_stands_in_one_file():
    named = [
        path
        for path in (ROOT / name for name in ("setup.py", "pyproject.toml", "CITATION.cff", "README.md", "mkdocs.yml"))
        if re.search(rf"version\W+{re.escape(__version__)}\b", path.read_text(encoding="utf-8"))
    ]
    assert named == []


def test_the_changelog_has_a_dated_release_of_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", text, re.MULTILINE)
    assert __version__ in dict(releases)
    assert [date for _, date in releases] == sorted((date for _, date in releases), reverse=True)


def test_the_workflow_calls_the_commands_of_a_laptop():
    jobs = WORKFLOW["jobs"]
    runs = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert runs["bundled"] == ["bash .ci/run"]
    assert len(runs["checkout"]) == 1 and runs["checkout"][0].startswith("make test-checkout MINIGPT4_HOME=")
    assert jobs["bundled"]["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12", "3.13"]
    assert "\ntest-checkout:" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name)
def test_an_issue_template_is_a_form(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name == "config.yml":
        return
    assert {"name", "description", "body"} <= set(form)
    assert all(item["type"] == "markdown" or item["attributes"]["label"] for item in form["body"])


def test_the_citation_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0" and citation["license"] == "BSD-3-Clause" and citation["authors"]
    assert any(reference["title"].startswith("PeFoMed") for reference in citation["references"])


def test_the_pinned_checkout_environment_is_that_of_the_docs():
    pins = (ROOT / "tests/toolkit/requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {"torch==2.0.1", "transformers==4.30.0", "peft==0.2.0"} <= set(pins)
    commit = next(
        step["with"]["ref"] for step in WORKFLOW["jobs"]["checkout"]["steps"] if "ref" in step.get("with", {})
    )
    assert f"`{commit[:7]}`" in (ROOT / "docs/drop-in.md").read_text(encoding="utf-8")
