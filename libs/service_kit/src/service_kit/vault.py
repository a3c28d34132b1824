"""Personal data at rest: AES-256-GCM, a key of its own for every person, wrapped by a key-encryption key.

What is sealed is bound to its table, column and row: taken to another cell it does not open, and altered in
its own neither. Format of both texts and wrapped keys: 12 bytes of nonce, then ciphertext and tag.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass

from contracts.sealed import Place, SealedText, WrappedKey
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service_kit.key_encryption_keys import KeyEncryptionKeys

_NONCE_BYTES = 12
_KEY_BITS = 256
_KEY_COLUMN = "data_key"
_FIELD_LABEL, _KEY_LABEL = b"florin.sealed.v1\0", b"florin.data-key.v1\0"
_DIGEST_LABEL = b"florin.field-digests.v1"


class SealBroken(Exception):
    """What is kept in a cell is not what was sealed there: altered, moved, or of another key."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"what {place.table}.{place.column} holds for {place.row} cannot be opened")
        self.place = place


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """One person's key, for as long as it is needed in memory."""

    cipher: AESGCM

    def seal(self, text: str, place: Place) -> bytes:
        """The text so that only this key opens it, and only in this place."""
        return _encrypt(self.cipher, text.encode(), _FIELD_LABEL + place.bound())

    def open(self, content: bytes, place: Place) -> str:
        """The text that was sealed; raises SealBroken."""
        return _decrypt(self.cipher, content, _FIELD_LABEL + place.bound(), place).decode()


class Vault:
    """Makes, wraps and unwraps people's keys."""

    def __init__(self, keys: KeyEncryptionKeys, *, handle_key: bytes) -> None:
        self._keys = keys
        self.handle_key = handle_key
        # Derived, so that digests of what clients sent and the handles of people are under different keys.
        self.digest_key = hmac.digest(handle_key, _DIGEST_LABEL, hashlib.sha256)

    @property
    def active_key_id(self) -> str:
        """The id of the key-encryption key that wraps at present."""
        return self._keys.active().id

    def new_key(self, table: str, row: str) -> tuple[DataKey, WrappedKey]:
        """A person's key, and how it is kept in the row that it belongs to."""
        secret = AESGCM.generate_key(_KEY_BITS)
        return DataKey(AESGCM(secret)), self._wrap(secret, Place(table, _KEY_COLUMN, row))

    def key(self, wrapped: WrappedKey, table: str, row: str) -> DataKey:
        """The key that a row keeps; raises UnknownKeyEncryptionKey or SealBroken."""
        return DataKey(AESGCM(self._unwrap(wrapped, Place(table, _KEY_COLUMN, row))))

    def rewrap(self, wrapped: WrappedKey, table: str, row: str) -> WrappedKey:
        """The same key under the active key-encryption key."""
        place = Place(table, _KEY_COLUMN, row)
        return self._wrap(self._unwrap(wrapped, place), place)

    def reveal(self, text: str | SealedText) -> str:
        """The text as people read it; one that never was sealed (of the books' own accounts) as it stands."""
        if isinstance(text, str):
            return text
        return self.key(text.key, text.place.table, text.place.row).open(text.content, text.place)

    def _wrap(self, secret: bytes, place: Place) -> WrappedKey:
        wrapping = self._keys.active()
        return WrappedKey(wrapping.id, _encrypt(wrapping.cipher, secret, _wrapping(wrapping.id, place)))

    def _unwrap(self, wrapped: WrappedKey, place: Place) -> bytes:
        wrapping = self._keys.find(wrapped.key_encryption_key)
        return _decrypt(wrapping.cipher, wrapped.wrapped, _wrapping(wrapping.id, place), place)


def _wrapping(key_id: str, place: Place) -> bytes:
    return _KEY_LABEL + key_id.encode() + b"\0" + place.bound()


def _encrypt(cipher: AESGCM, plain: bytes, bound: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, bound)


def _decrypt(cipher: AESGCM, content: bytes, bound: bytes, place: Place) -> bytes:
    try:
        return cipher.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise SealBroken(place) from None
