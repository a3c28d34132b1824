"""The passwords that attackers try first, in a file: asking a service elsewhere would tell it of ours.

A few ten thousands are enough, since guesses are counted: SP 800-63B, section 3.1.1.2, advises against lists
of everything that was ever stolen. `scripts/breached_passwords.py` makes the file.
"""

import hashlib
from importlib.resources import files
from pathlib import Path

_FILE = "breached_passwords.bin"
_MARK_BYTES = 6


class BreachListError(ValueError):
    """The file is not a list of marks."""


class BreachList:
    """Knows a password, in `domain.password.folded` form, by its mark."""

    def __init__(self, content: bytes) -> None:
        if not content or len(content) % _MARK_BYTES:
            raise BreachListError(f"a list of breached passwords has marks of {_MARK_BYTES} bytes each")
        self._marks = frozenset(
            content[start : start + _MARK_BYTES] for start in range(0, len(content), _MARK_BYTES)
        )

    @classmethod
    def load(cls, path: Path | None = None) -> "BreachList":
        """The file's, or those that ship with the service. Raises BreachListError and OSError."""
        return cls((path or files(__package__).joinpath(_FILE)).read_bytes())

    def __contains__(self, password: object) -> bool:
        return isinstance(password, str) and mark(password) in self._marks

    def __len__(self) -> int:
        return len(self._marks)


def mark(password: str) -> bytes:
    """The first bytes of the hash: enough that of a million others not one is taken for a listed one."""
    return hashlib.sha256(password.encode()).digest()[:_MARK_BYTES]
