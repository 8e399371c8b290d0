"""Make ``libcuda.so.1``, the stand-in for CUDA under the installed torch.

``python tests/fake_gpu/build.py FOLDER``. What is written by hand in ``cuda/`` and, for every other function that
torch's libraries want of CUDA, cuBLAS, cuDNN, NCCL and their like (found with ``nm``), a stub that returns 0.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

SOURCES = Path(__file__).parent / "cuda"
_CUDA_NAMES = re.compile(
    r"^(__cuda|cuda[A-Z]|cublas|cudnn|cusparse|cusolver|curand|cufft|cuFile|nccl|cu[A-Z]|nvrtc|nvshmem)"
)
_REAL = re.compile(
    r"^(cudnnGet(Version|ErrorString|CudartVersion|Property|LastErrorString)"
    r"|ncclGet(Version|ErrorString)|cublasLtGetVersion|nvrtc\w+)$"
)
"""Answered by the libraries themselves, which need no card for it."""
# CUDA's headers include one of its compiler's, which is not in torch's packages
_COMPILER_HEADER = "#pragma once\n" + "".join(
    f"#define {name}\n"
    for name in (
        *("__device_builtin__", "__device_builtin_texture_type__", "__device_builtin_surface_type__"),
        *("__cudart_builtin__", "__host__", "__device__", "CUDARTAPI", "CUDARTAPI_CDECL"),
        *("__align__(n) __attribute__((aligned(n)))", "__builtin_align__(n) __align__(n)"),
    )
)


def why_not() -> str:
    """What is missing on this machine; empty where the library can be made."""
    import torch

    if sys.platform != "linux" or (torch.version.cuda or "").split(".")[0] != "13":
        return "needs torch for CUDA 13 (that of PyPI on Linux, 2.11 and later)"
    missing = [program for program in ("g++", "nm") if shutil.which(program) is None]
    if missing:
        return f"needs {' and '.join(missing)}"
    return "" if _headers() else "needs CUDA's headers (cuda.h), which come with torch"


def build(folder: Path) -> Path:
    """The library, made in ``folder`` in about 3 s. Raises CalledProcessError where it does not compile."""
    folder.mkdir(parents=True, exist_ok=True)
    headers = _headers()
    assert headers is not None
    sources = sorted(SOURCES.glob("*.cpp"))
    by_hand = {name for path in sources for name in re.findall(r"^API [\w ]+?[ *]+(\w+)\(", path.read_text(), re.M)}
    stubs = folder / "stubs.cpp"
    stubs.write_text(
        '#define STUB(name) extern "C" __attribute__((visibility("default"))) long name() { return 0; }\n'
        + "".join(
            f"STUB({name})\n"
            for name in sorted((_wanted_by_torch() | _driver_functions(headers)) - by_hand)
            if not _REAL.match(name)
        )
    )
    (folder / "crt").mkdir(exist_ok=True)
    (folder / "crt" / "host_defines.h").write_text(_COMPILER_HEADER)
    library = folder / "libcuda.so.1"
    flags = ("-std=c++17", "-O1", "-fPIC", "-shared", "-w", "-Wl,-soname,libcuda.so.1")
    subprocess.run(
        ["g++", *flags, f"-I{folder}", f"-I{headers}", "-o", library, *sources, stubs, "-ldl", "-lpthread"],
        check=True,
        capture_output=True,
        text=True,
    )
    return library


def _packages() -> Path:
    torch = find_spec("torch")
    assert torch is not None and torch.origin is not None
    return Path(torch.origin).parents[1]


def _headers() -> Path | None:
    """The folder of ``cuda.h`` and ``driver_types.h``."""
    found = [path.parent for path in _packages().glob("nvidia/*/include/cuda.h")]
    return next((folder for folder in found if (folder / "driver_types.h").is_file()), None)


def _wanted_by_torch() -> set[str]:
    wanted = set()
    for library in sorted((_packages() / "torch" / "lib").glob("lib*.so*")):
        listed = subprocess.run(
            ["nm", "-D", "--undefined-only", str(library)], check=False, capture_output=True, text=True
        )
        names = (line.split()[-1].split("@")[0] for line in listed.stdout.splitlines())
        wanted |= {name for name in names if _CUDA_NAMES.match(name)}
    return wanted


def _driver_functions(headers: Path) -> set[str]:
    """All functions of the driver, which torch looks up by name while it runs."""
    text = (headers / "cuda.h").read_text()
    versions = re.findall(r"#define\s+cu[A-Z]\w+\s+(?:__CUDA_API_\w+\()?(cu\w+_v\d+)", text)
    return {*re.findall(r"CUDAAPI\s+(cu[A-Z]\w+)\(", text), *versions}


if __name__ == "__main__":
    print(why_not() or build(Path(sys.argv[1])))
