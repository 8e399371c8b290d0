"""Patients and studies under names that say nothing: a keyed digest, whose key (salt) stays with the user.

Who has the salt and a list of patients can find each again, so the salt is as private as the list; who has the prepared
data alone cannot.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from pathlib import Path

from ...errors import ConfigError, DataError, why
from ...input_files import refuse_special

SALT = Path(".pefomed-salt")
"""Default file, in the folder that the command is run in; ``pefomed init`` keeps it out of version control."""
_LENGTH = 16
"""Hexadecimal digits kept: among a million patients two are one with a chance of 1 in 37 million."""
_SALT_BYTES = 32
_NAME = re.compile(rf"\b[a-z]-[0-9a-f]{{{_LENGTH}}}\b")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


class Pseudonyms:
    """Names for patients and studies, by one salt."""

    def __init__(self, path: Path = SALT) -> None:
        """The salt of ``path``, which is made where it is not there yet.

        Raises:
            ConfigError: the file holds no salt, or cannot be read or written.
        """
        self.path = Path(path)
        self._values: dict[str, str] = {}
        self.is_new = not self.path.exists()
        try:
            if self.is_new:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.touch(mode=0o600, exist_ok=False)
                self.path.write_text(secrets.token_hex(_SALT_BYTES) + "\n", encoding="ascii")
            refuse_special(self.path)
            text = self.path.read_text(encoding="ascii").strip()
            self._salt = bytes.fromhex(text)
        except ValueError:
            text, self._salt = "", b""
        except DataError as error:
            raise ConfigError(f"--salt: {error}") from error
        except OSError as error:
            raise ConfigError(f"--salt {self.path}: {why(error)}") from error
        if len(self._salt) < _SALT_BYTES // 2:
            raise ConfigError(f"--salt {self.path}: holds no salt; name the file that this command made, or a new one")

    def name(self, kind: str, value: str) -> str:
        """``p-3f9c...`` of a patient, ``s-...`` of a study: the same for the same value, blanks around it ignored."""
        content = f"{kind}:{value.strip()}".encode("utf-8", "replace")
        name = f"{kind[0]}-{hmac.new(self._salt, content, hashlib.sha256).hexdigest()[:_LENGTH]}"
        self._values[name] = value.strip()
        return name

    def in_clear(self, text: str) -> str:
        """A text with the names that were given here replaced by what they stand for: never to be written."""
        return _NAME.sub(lambda found: self._values.get(found.group(), found.group()), text)

    def alike(self, kind: str) -> int:
        """How many of the values are another one but for case, blanks, leading zeros, ``.0`` at the end, or signs that
        nobody sees or that can be written in two ways."""
        values = {value for name, value in self._values.items() if name[0] == kind[0]}
        return len(values) - len(set(map(_plain, values)))

    @property
    def said(self) -> str:
        """What a user must know of it."""
        made = "a new salt" if self.is_new else "the salt"
        alike = self.alike("patient")
        doubt = (
            f"; {alike:,} patient id(s) differ from another one in case, blanks or leading zeros alone, and are taken "
            "for other patients: if they are not, write them one way"
        )
        return (
            f"patients and studies stand under names made with {made} in {self.path}: keep it private and keep it, as "
            f"another one gives other names{doubt if alike else ''}"
        )


def _plain(value: str) -> str:
    composed = unicodedata.normalize("NFKC", value).casefold()
    seen = "".join(sign for sign in composed if unicodedata.category(sign) != "Cf")
    return _ZEROS.sub("", re.sub(r"\s|[.,]0+$", "", seen))
