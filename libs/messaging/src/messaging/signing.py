"""HMAC-SHA256 over exactly what was sent, with one key per producer and a ring of them.

What is signed: seven byte strings, each preceded by its length as four bytes, big-endian: the label
`florin-frame-v1`, key id, frame id, routing key, content type, issued-at, body. The signature travels as
lower-case hex. Nothing is parsed before the signature is found right.

Keys are rotated by writing the key ring's file: a process reads it again when it has changed.
"""

import base64
import hmac
import os
import struct
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
import structlog

LABEL = b"florin-frame-v1"
_MIN_SECRET_BYTES = 32

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One producer's secret. An inactive key still verifies but no longer signs."""

    id: str
    producer: str
    secret: bytes
    active: bool


class KeyRingError(ValueError):
    """The key ring file cannot be used; the message says which entry and why."""


class KeyRing:
    """The keys that this process knows, by id; those of a file are kept as the file has them now."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._by_id: Mapping[str, Key] = {key.id: key for key in keys}
        self._path: Path | None = None
        self._read_at: tuple[int, ...] | None = None

    def age_s(self) -> float:
        """Since the file was last replaced, in seconds; 0 for keys that are not of a file."""
        self._follow()
        return time.time() - self._read_at[1] / 1e9 if self._read_at is not None else 0.0

    @classmethod
    def load(cls, path: Path) -> "KeyRing":
        """Read `{"keys": [{"id", "producer", "secret": base64 of >= 32 bytes, "active": bool}]}`."""
        # Looked at before it is read: a change in between is then seen the next time, and never missed.
        read_at = _version(path)
        ring = cls(_read(path))
        ring._path, ring._read_at = path, read_at
        return ring

    def find(self, key_id: str) -> Key | None:
        """Return the key of this id, active or not."""
        self._follow()
        return self._by_id.get(key_id)

    def signing_key(self, producer: str) -> Key:
        """Return the producer's newest active key (the last one listed)."""
        self._follow()
        key = self._newest_active(producer)
        if key is None:
            raise KeyRingError(f"the key ring has no active key for producer {producer!r}")
        return key

    def _newest_active(self, producer: str) -> Key | None:
        active = [key for key in self._by_id.values() if key.producer == producer and key.active]
        return active[-1] if active else None

    def _follow(self) -> None:
        """Take over what the file says now. One that cannot be used, or that leaves a producer without a key
        to sign with, changes nothing: the keys known so far stay in use."""
        if self._path is None or (now := _version(self._path)) == self._read_at:
            return
        self._read_at = now
        try:
            fresh = KeyRing(_read(self._path))
            for producer in {key.producer for key in self._by_id.values() if key.active}:
                fresh.signing_key(producer)
        except KeyRingError as error:
            _log.error("keyring_not_taken_over", why=str(error))
            return
        self._by_id = fresh._by_id
        _log.info("keyring_taken_over", keys=len(self._by_id))


def _version(path: Path) -> tuple[int, ...] | None:
    """Changes whenever the file is written or replaced; None while it cannot be reached."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a third of the cost, and asked for with every frame
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(path: Path) -> list[Key]:
    try:
        entries = orjson.loads(path.read_bytes())["keys"]
        keys = [
            Key(e["id"], e["producer"], base64.b64decode(e["secret"], validate=True), bool(e["active"]))
            for e in entries
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeyRingError(f"key ring {path}: {type(error).__name__}: {error}") from error
    for key in keys:
        if len(key.secret) < _MIN_SECRET_BYTES:
            raise KeyRingError(f"key ring {path}: the secret of {key.id!r} is shorter than 32 bytes")
    if len({key.id for key in keys}) != len(keys):
        raise KeyRingError(f"key ring {path}: a key id stands twice")
    return keys


def sign(key: Key, *, frame_id: str, routing_key: str, content_type: str, issued_at: str, body: bytes) -> str:
    """Return the signature as 64 lower-case hex digits."""
    mac = hmac.new(key.secret, digestmod="sha256")
    fields = (LABEL, key.id.encode(), frame_id.encode(), routing_key.encode())
    for field in (*fields, content_type.encode(), issued_at.encode(), body):
        mac.update(struct.pack(">I", len(field)))
        mac.update(field)
    return mac.hexdigest()
