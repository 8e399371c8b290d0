"""Which toolkit, and versions against what it needs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pefomed_plugin import requirements
from pefomed_plugin.doctor import packages
from pefomed_plugin.doctor.findings import ERROR, NOTE, OK, WARNING
from pefomed_plugin.requirements import Requirement, package_of, read_requirements, release

NEEDED = [
    Requirement("numpy", "1.22", ""),
    Requirement("torch", "2.4", "bundled"),
    Requirement("openai", "2", "judge"),
    Requirement("openpyxl", "3.1", "judge"),
]


def with_versions(monkeypatch, **versions):
    monkeypatch.setattr(packages, "installed_version", versions.get)
    return {check_package.what: check_package for check_package in packages.check_packages(NEEDED)}


def test_everything_is_there(monkeypatch):
    found = with_versions(monkeypatch, numpy="2.0", torch="2.10.0+cpu", openai="2.1", openpyxl="3.1.5")
    assert [(name, each.state) for name, each in found.items()] == [("packages", OK)]


def test_missing_and_old_packages_say_what_to_install(monkeypatch):
    found = with_versions(monkeypatch, numpy="1.9", openai="1.0")
    assert {name: each.state for name, each in found.items()} == {
        "numpy": ERROR,
        "torch": ERROR,
        "openai": WARNING,
        "extra judge": NOTE,
    }
    assert found["torch"].remedy == "pip install 'torch>=2.4'"
    assert found["numpy"].found == "1.9, older than 1.22" and found["numpy"].remedy == "pip install 'numpy>=1.22'"
    assert found["extra judge"].remedy == "pip install openpyxl"


def test_a_package_that_is_only_on_the_path():
    assert packages.check_packages([])[0].state == WARNING


def test_what_a_checkouts_environment_lacks_is_one_line_to_install(monkeypatch):
    monkeypatch.setattr(packages, "installed_version", {"rich": "15.0"}.get)
    (found,) = packages.check_additions()
    assert (found.what, found.state, found.remedy) == ("pycocoevalcap", ERROR, "pip install 'pycocoevalcap>=1.2'")
    monkeypatch.setattr(packages, "installed_version", lambda name: None)
    assert {each.remedy for each in packages.check_additions()} == {"pip install 'rich>=12' 'pycocoevalcap>=1.2'"}


def test_that_line_asks_for_what_setup_py_does():
    declared = {requirement.name: requirement.least for requirement in read_requirements()}
    assert all(declared[spec.partition(">=")[0]] == spec.partition(">=")[2] for spec in requirements.CHECKOUT_ADDS)


def test_a_checkout_that_is_only_on_the_path_is_compared_with_its_pins(monkeypatch, tmp_path):
    """In a linked checkout no variable says where it is."""
    (tmp_path / "minigpt4").mkdir()
    (tmp_path / "minigpt4" / "__init__.py").write_text("")
    (tmp_path / "environment.yml").write_text("dependencies: [{pip: [peft==0.2.0]}]\n")
    monkeypatch.delenv("MINIGPT4_HOME", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(packages, "installed_version", {"peft": "0.3", "rich": "13", "pycocoevalcap": "1.2"}.get)
    assert [found.found for found in packages._checkout_pins()] == ["0.3, the checkout pins 0.2.0"]


@pytest.mark.parametrize(("older", "newer"), [("2.9", "2.10"), ("1.0.12", "1.0.31"), ("4.30.0", "5.0"), ("2", "2.0.1")])
def test_versions_are_compared_as_numbers(older, newer):
    assert release(older) < release(newer)
    assert release("2.15.0+cpu") == (2, 15, 0)


def test_requirements_are_those_of_the_installed_package():
    found = {requirement.name: requirement for requirement in read_requirements()}
    assert found["torch"] == Requirement("torch", "2.4", "bundled")
    assert found["omegaconf"].extra == ""
    assert "pytest" not in found


def test_a_missing_module_is_told_with_its_extra(monkeypatch):
    assert package_of("torch.nn") == "torch"
    assert package_of("no_such_module") == ""
    monkeypatch.setattr(requirements, "read_requirements", lambda: [])
    assert package_of("torch") == ""


PINS = "dependencies:\n  - python=3.9\n  - pip:\n    - torch==2.0.0\n    - transformers==4.30.0\n    - wandb==0.15\n"


def test_a_checkouts_pins(tmp_path, monkeypatch):
    (tmp_path / "environment.yml").write_text(PINS)
    monkeypatch.setattr(packages, "installed_version", {"torch": "2.0.0+cu117"}.get)
    (found,) = packages.check_pins(tmp_path / "environment.yml")
    assert (found.what, found.state, found.remedy) == ("transformers", ERROR, "pip install transformers==4.30.0")
    monkeypatch.setattr(packages, "installed_version", {"torch": "2.1.0", "transformers": "4.30.0"}.get)
    (found,) = packages.check_pins(tmp_path / "environment.yml")
    assert (found.state, found.found) == (WARNING, "2.1.0, the checkout pins 2.0.0")
    monkeypatch.setattr(packages, "installed_version", {"torch": "2.0.0", "transformers": "4.30.0"}.get)
    assert packages.check_pins(tmp_path / "environment.yml")[0].state == OK


@pytest.mark.parametrize("text", [None, "- a list", "name: x", ": : :"])
def test_an_environment_file_that_cannot_be_read(tmp_path, text):
    path = tmp_path / "environment.yml"
    if text is not None:
        path.write_text(text)
    assert packages.check_pins(path)[0].state == WARNING


def test_a_wrong_setting_of_the_toolkit_is_an_error():
    """In a process of its own: the toolkit is chosen once in each."""
    done = subprocess.run(
        [sys.executable, "-c", "from pefomed_plugin.doctor.packages import *; print(check_toolkit())"],
        text=True,
        capture_output=True,
        check=True,
        env={**os.environ, "PEFOMED_TOOLKIT": "", "MINIGPT4_HOME": "nowhere"},
    )
    assert "state='error'" in done.stdout and "no package minigpt4 there" in done.stdout
