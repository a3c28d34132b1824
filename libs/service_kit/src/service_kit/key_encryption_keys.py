"""The key-encryption keys: under them each person's own key is kept, so that a copy of the database tells
nothing of anybody.

They are rotated by writing their file: a process reads it again when it has changed.
"""

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET_BYTES = 32

_log = structlog.get_logger(__name__)


class KeyEncryptionKeysError(ValueError):
    """The file of key-encryption keys cannot be used; the message says why and quotes no key."""


class UnknownKeyEncryptionKey(LookupError):
    """A person's key is kept under a key-encryption key that this process does not have."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the key-encryption key {key_id!r} is not in the file of keys: put it back")
        self.key_id = key_id


@dataclass(frozen=True, slots=True)
class KeyEncryptionKey:
    """One key of 256 bits. The active one wraps; every one unwraps."""

    id: str
    secret: bytes = field(repr=False)
    active: bool
    cipher: AESGCM = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cipher", AESGCM(self.secret))


class KeyEncryptionKeys:
    """The keys that this process has, by id; those of a file are kept as the file has them now."""

    def __init__(self, keys: Iterable[KeyEncryptionKey]) -> None:
        self._by_id, self._active = _checked(keys)
        self._path: Path | None = None
        self._read_at: tuple[int, ...] | None = None

    @classmethod
    def load(cls, path: Path) -> "KeyEncryptionKeys":
        """Read `{"keys": [{"id", "secret": base64 of 32 bytes, "active": bool}]}`, one of them active.

        Raises KeyEncryptionKeysError.
        """
        # Looked at before it is read: a change in between is then seen the next time, and never missed.
        read_at = _version(path)
        keys = cls(_read(path))
        keys._path, keys._read_at = path, read_at
        return keys

    def active(self) -> KeyEncryptionKey:
        """The key to wrap with."""
        self._follow()
        return self._active

    def find(self, key_id: str) -> KeyEncryptionKey:
        """The key of this id; raises UnknownKeyEncryptionKey."""
        key = self._by_id.get(key_id)
        if key is None:
            self._follow()
            key = self._by_id.get(key_id)
        if key is None:
            raise UnknownKeyEncryptionKey(key_id)
        return key

    def _follow(self) -> None:
        """Take over what the file says now. One that cannot be used changes nothing: the keys known so far
        stay in use."""
        if self._path is None or (now := _version(self._path)) == self._read_at:
            return
        self._read_at = now
        try:
            self._by_id, self._active = _checked(_read(self._path))
        except KeyEncryptionKeysError as error:
            _log.error("the file of key-encryption keys cannot be used; kept the old ones", error=str(error))
        else:
            _log.info("key-encryption keys read again", keys=len(self._by_id), active=self._active.id)


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        stat = os.stat(path)  # noqa: PTH116  on every wrapped key, and pathlib costs four times as much
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def _read(path: Path) -> list[KeyEncryptionKey]:
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise KeyEncryptionKeysError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise KeyEncryptionKeysError(f"{path} is not JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise KeyEncryptionKeysError(f'{path} must be an object with "keys"')
    return [_key(number, entry) for number, entry in enumerate(entries)]


def _key(number: int, entry: Any) -> KeyEncryptionKey:
    try:
        key_id, active = entry["id"], entry["active"]
        secret = base64.b64decode(entry["secret"], validate=True)
    except (TypeError, KeyError, ValueError):
        raise KeyEncryptionKeysError(
            f'key {number} must have "id", "secret" in base64 and "active"'
        ) from None
    if not isinstance(key_id, str) or not 0 < len(key_id) <= 64 or not isinstance(active, bool):
        raise KeyEncryptionKeysError(
            f"key {number} must have an id of 1 to 64 characters and a true or false"
        )
    if len(secret) != SECRET_BYTES:
        raise KeyEncryptionKeysError(f"key {number} must have a secret of {SECRET_BYTES} bytes")
    return KeyEncryptionKey(key_id, secret, active)


def _checked(
    keys: Iterable[KeyEncryptionKey],
) -> tuple[Mapping[str, KeyEncryptionKey], KeyEncryptionKey]:
    listed = list(keys)
    by_id = {key.id: key for key in listed}
    active = [key for key in listed if key.active]
    if len(by_id) != len(listed):
        raise KeyEncryptionKeysError("two keys have the same id")
    if len(active) != 1:
        raise KeyEncryptionKeysError(f"one key must be active, not {len(active)}")
    return by_id, active[0]
