"""Which toolkit is underneath, whether the packages are the versions it needs, and what other packages add."""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import PefomedError, PluginError, ToolkitError
from ..plugins import Registry, find_entry_points
from ..readers import DATASETS
from ..readers.textfiles import read_text
from ..requirements import (
    CHECKOUT_ADDS,
    Requirement,
    install_line,
    installed_version,
    read_requirements,
    release,
)
from ..scoring import SCORERS
from .findings import ERROR, NOTE, OK, WARNING, Finding

_PINNED = ("torch", "torchvision", "transformers", "peft", "timm", "omegaconf", "accelerate", "sentencepiece")
"""Of a checkout's ``environment.yml``: the packages whose version changes results or the keys of a checkpoint."""
_EXTRA_FOR = {
    "metrics": "report metrics (BLEU, ROUGE, CIDEr)",
    "meteor": "METEOR without a Java of the system",
    "parquet": "Hugging Face copies of the data sets",
    "dicom": "DICOM images",
    "judge": "judging by API",
    "report": "plots and rating sheets",
    "completion": "pefomed completion",
}


def check_toolkit() -> list[Finding]:
    """Which toolkit and why, Python, and every package against what this toolkit needs."""
    python = Finding("toolkit", "Python", OK, f"{platform.python_version()}, {sys.executable}")
    try:
        from ..toolkit import NAME, WHY  # late: loads torch
        from ..toolkit.choice import BUNDLED
    except ToolkitError as error:
        return [
            Finding("toolkit", "toolkit", ERROR, str(error), "docs/troubleshooting.md#the-toolkit"),
            python,
            *_checkout_pins(),
        ]
    except ModuleNotFoundError as error:
        return [
            Finding(
                "toolkit",
                "toolkit",
                ERROR,
                f"does not import: no package {error.name}",
                "pip install -e '.[bundled]' in a clone of pefomed_plugin",
            ),
            python,
            *check_packages(read_requirements()),
        ]
    return [
        Finding("toolkit", "toolkit", OK, f"{NAME}: {WHY}"),
        python,
        *(check_packages(read_requirements()) if NAME == BUNDLED else _checkout_pins()),
    ]


def check_packages(requirements: list[Requirement]) -> list[Finding]:
    """Installed versions against ``setup.py``; extras other than ``bundled`` are only noted, one line each."""
    if not requirements:
        return [
            Finding(
                "toolkit",
                "packages",
                WARNING,
                "pefomed_plugin is on the path, but not installed: versions are not checked",
                "pip install -e '.[bundled]'",
            )
        ]
    findings: list[Finding] = []
    absent: dict[str, list[str]] = {}
    for requirement in requirements:
        version, needed = installed_version(requirement.name), requirement.extra in ("", "bundled")
        remedy = f"pip install '{requirement.name}>={requirement.least}'"
        if version is None and not needed:
            absent.setdefault(requirement.extra, []).append(requirement.name)
        elif version is None:
            findings.append(Finding("toolkit", requirement.name, ERROR, "not installed", remedy))
        elif release(version) < release(requirement.least):
            findings.append(
                Finding(
                    "toolkit",
                    requirement.name,
                    ERROR if needed else WARNING,
                    f"{version}, older than {requirement.least}",
                    remedy,
                )
            )
    if not findings:
        shown = ("torch", "transformers", "peft", "timm", "accelerate")
        findings.append(
            Finding("toolkit", "packages", OK, ", ".join(f"{name} {installed_version(name)}" for name in shown))
        )
    return findings + [
        Finding(
            "toolkit",
            "extra " + extra,
            NOTE,
            f"no {', '.join(names)}: {_EXTRA_FOR.get(extra, 'optional')}",
            f"pip install {' '.join(names)}",
        )
        for extra, names in absent.items()
    ]


def check_pins(environment: Path) -> list[Finding]:
    """Installed versions against the ``environment.yml`` of a checkout; another one is a warning, none an error."""
    pins = _read_pins(environment)
    if pins is None:
        return [
            Finding(
                "toolkit",
                "versions",
                WARNING,
                f"{environment} cannot be read: versions are not compared",
                "docs/troubleshooting.md",
            )
        ]
    findings = []
    for name, pinned in pins.items():
        version = installed_version(name)
        if version is None:
            findings.append(
                Finding(
                    "toolkit",
                    name,
                    ERROR,
                    f"not installed, the checkout pins {pinned}",
                    f"pip install {name}=={pinned}",
                )
            )
        elif release(version) != release(pinned):
            findings.append(
                Finding(
                    "toolkit", name, WARNING, f"{version}, the checkout pins {pinned}", f"pip install {name}=={pinned}"
                )
            )
    return findings or [
        Finding(
            "toolkit",
            "packages",
            OK,
            "as the checkout pins them: " + ", ".join(f"{name} {version}" for name, version in pins.items()),
        )
    ]


def check_plugins() -> list[Finding]:
    """One finding for each data set, scorer and task of another package; none where there are none."""
    findings: list[Finding] = []
    tasks: Registry[type] = Registry("task", object, {}, classes=True)  # its base class would load torch
    for registry in (DATASETS, SCORERS, tasks):
        for point in find_entry_points(registry.kind):
            what = f"{registry.kind} {point.name}"
            try:
                registry[point.name]
            except PluginError as error:
                findings.append(Finding("plugins", what, WARNING, error.summary, "docs/extending.md"))
            else:
                findings.append(Finding("plugins", what, OK, f"of {point.package}"))
    return findings


def check_additions() -> list[Finding]:
    """What we need and a checkout's own environment lacks; the remedy installs all that is missing."""
    versions = {spec: installed_version(re.split("[<>=]", spec)[0]) for spec in CHECKOUT_ADDS}
    remedy = install_line(spec for spec, version in versions.items() if version is None)
    what = {CHECKOUT_ADDS[0]: "train.py of the checkout needs it", CHECKOUT_ADDS[1]: "report metrics need it"}
    return [
        Finding("toolkit", re.split("[<>=]", spec)[0], ERROR, f"not installed: {what[spec]}", remedy)
        for spec, version in versions.items()
        if version is None
    ]


def _checkout_pins() -> list[Finding]:
    home = os.environ.get("MINIGPT4_HOME") or _checkout_on_path()
    return check_pins(Path(home) / "environment.yml") + check_additions() if home else check_additions()


def _checkout_on_path() -> str:
    """Folder of the checkout that is imported, as in a linked one; empty where there is none."""
    try:
        spec = find_spec("minigpt4")
    except (ImportError, ValueError):
        return ""
    return str(Path(spec.origin).parents[1]) if spec is not None and spec.origin else ""


def _read_pins(environment: Path) -> dict[str, str] | None:
    import yaml  # late: heavy

    try:
        content: Any = yaml.safe_load(read_text(environment))
        listed = content["dependencies"]
        lines = [line for item in listed for line in (item["pip"] if isinstance(item, dict) else [item])]
    except (yaml.YAMLError, TypeError, KeyError, PefomedError):
        return None
    pins = (str(line).replace("==", "=").split("=") for line in lines)
    return {name: rest[0] for name, *rest in pins if name in _PINNED and rest}
