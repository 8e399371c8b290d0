"""Started in a process of its own: call another project's scoring on given answers and write down what it says.

    python -I main.py DRIVER.py JOB.json RESULT.json

Nothing of that project is trusted: the process has no network, a folder of its own to be in, no keys in its environment
and a time limit (``harnesses.py`` sees to the last three). It still runs as the user, who can be read and written.
"""

from __future__ import annotations

import ctypes
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import socket
import sys
import traceback
import types
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from typing import Any, Callable

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000


class Missing(Exception):
    """Something was called that belongs to a package which is not installed."""


class Placeholder:
    """Stands for whatever a missing package would give while modules are imported; calling it later is an error."""

    sealed = False

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Placeholder(self._name + "." + name)

    def __call__(self, *_: Any, **__: Any) -> Any:
        if Placeholder.sealed:
            raise Missing(self._name)
        return Placeholder(self._name + "()")

    def __mro_entries__(self, _: Any) -> tuple[type, ...]:
        return (object,)

    def __or__(self, _: Any) -> Any:
        return self

    __ror__ = __or__

    def __getitem__(self, _: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        return None


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Placeholder(self.__name__ + "." + name)


class _StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Last of all finders: a module for packages that files of the harness import and nobody else finds."""

    def __init__(self, root: str) -> None:
        self.names: set[str] = set()
        self._root = root

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """A spec of ours, or None."""
        top = name.partition(".")[0]
        if top not in self.names:
            # A part that lacks in a package which is there is a mistake of that package, or the wrong version.
            if "." in name or Placeholder.sealed or not self._is_asked_by_harness():
                return None
            self.names.add(top)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def _is_asked_by_harness(self) -> bool:
        frame: Any = sys._getframe(2)
        while frame is not None and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        return frame is not None and os.path.realpath(frame.f_code.co_filename).startswith(self._root + os.sep)

    def create_module(self, spec: ModuleSpec) -> Any:
        """Empty."""
        module: Any = _Module(spec.name)
        module.__path__ = []
        module.__all__ = []
        return module

    def exec_module(self, module: Any) -> None:
        """Nothing to do."""
        return None


class Tools:
    """What drivers may use."""

    def __init__(self, job: Any) -> None:
        self.checkout = job["checkout"]
        """Folder of the checkout; empty: it is installed."""
        self.stood_in = _StandIns(os.path.realpath(self.checkout or _folder_of(job["module"])))

    def begin(self, *folders: str) -> None:
        """Let imports find the checkout; packages that are missing are stood in for until ``seal``."""
        for folder in reversed(folders or ("",)):
            if self.checkout:
                sys.path.insert(0, os.path.join(self.checkout, folder).rstrip(os.sep))
        sys.meta_path.append(self.stood_in)

    def seal(self) -> None:
        """From now on a missing package is an error."""
        Placeholder.sealed = True

    def load_file(self, path: str, name: str) -> Any:
        """A module of the checkout by its path alone, without its package."""
        return load(os.path.join(self.checkout, path), name)

    def cases(self, job: Any, judged: bool = False) -> Iterator[Any]:
        """Case, judge (``""``: none), rows and answers of everything to be tried; judges with perfect answers only."""
        for case in job["cases"]:
            rows = [job["rows"][place] for place in case["places"]]
            for judge in ("", "right", "wrong") if judged and case["name"] == "perfect" else ("",):
                yield case["name"], judge, rows, case["answers"]

    @staticmethod
    def attempt(count: Callable[[], Any]) -> Any:
        """What ``count()`` gives; or, where their code fails on these answers, the reason in place of figures."""
        try:
            return count()
        except Missing:
            raise
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            return {
                "failed": f"{type(error).__name__}: {error} ({os.path.basename(where.filename)}, line {where.lineno})"
            }


def load(path: str, name: str) -> Any:
    """A module by the path of its file."""
    spec: Any = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _folder_of(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{module} is not installed for {sys.executable}")
    return next(iter(spec.submodule_search_locations))


def cut_off_network() -> str:
    """How this process was cut off from the network."""
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER | _NEW_NETWORK) == 0:
            return "no network (a namespace of its own)"
    except (AttributeError, OSError, TypeError):
        pass

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no network in an audit")

    for name in ("connect", "connect_ex", "sendto", "bind"):
        setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo"):
        setattr(socket, name, refuse)
    return "no network as far as Python's own sockets go"


def main() -> None:
    """Run one job; whatever happens is in the result."""
    driver_path, job_path, result_path = map(os.path.abspath, sys.argv[1:4])  # their code may go elsewhere
    with open(job_path, encoding="utf-8") as file:
        job = json.load(file)
    result: dict[str, Any] = {
        "network": cut_off_network(),
        "python": sys.version.split()[0],
        "figures": [],
        "stood_in": [],
    }
    tools: Tools | None = None
    try:
        tools = Tools(job)
        driver = load(driver_path, "audited_by_pefomed")
        for probe, judge, figures in driver.run(job, tools):
            result["figures"].append({"probe": probe, "judge": judge, "figures": figures})
    except Missing as error:
        result["error"] = "needs the package " + str(error).partition(".")[0] + f" ({error})"
    except BaseException as error:  # their code may do anything
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{os.path.basename(where.filename)}, line {where.lineno}"
        result["error"] = f"{type(error).__name__}: {error} ({place})"
    result["stood_in"] = sorted(tools.stood_in.names) if tools else []
    with open(result_path, "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
