"""HMAC-SHA256 over exactly what was sent, with one key per producer and a ring of them.

What is signed: seven byte strings, each preceded by its length as four bytes, big-endian: the label
`florin-frame-v1`, key id, frame id, routing key, content type, issued-at, body. The signature travels as
lower-case hex. Nothing is parsed before the signature is found right.
"""

import base64
import hmac
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

LABEL = b"florin-frame-v1"
_MIN_SECRET_BYTES = 32


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
    """The keys that this process knows, by id."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._by_id: Mapping[str, Key] = {key.id: key for key in keys}

    @classmethod
    def load(cls, path: Path) -> "KeyRing":
        """Read `{"keys": [{"id", "producer", "secret": base64 of >= 32 bytes, "active": bool}]}`."""
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
        return cls(keys)

    def find(self, key_id: str) -> Key | None:
        """Return the key of this id, active or not."""
        return self._by_id.get(key_id)

    def signing_key(self, producer: str) -> Key:
        """Return the producer's newest active key (the last one listed)."""
        active = [key for key in self._by_id.values() if key.producer == producer and key.active]
        if not active:
            raise KeyRingError(f"the key ring has no active key for producer {producer!r}")
        return active[-1]


def sign(key: Key, *, frame_id: str, routing_key: str, content_type: str, issued_at: str, body: bytes) -> str:
    """Return the signature as 64 lower-case hex digits."""
    mac = hmac.new(key.secret, digestmod="sha256")
    fields = (LABEL, key.id.encode(), frame_id.encode(), routing_key.encode())
    for field in (*fields, content_type.encode(), issued_at.encode(), body):
        mac.update(struct.pack(">I", len(field)))
        mac.update(field)
    return mac.hexdigest()
