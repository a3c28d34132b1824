"""The private halves of signing keys at rest: AES-256-GCM under a key-encryption key, bound to the name.

Format: 12 bytes of nonce, then ciphertext and tag.
"""

import os
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from service_kit.key_encryption_keys import KeyEncryptionKeys

from identity_service.domain.signing_key import SigningKey

_NONCE_BYTES = 12
_LABEL = b"florin.signing-key.v1\0"


class SigningKeySealBroken(Exception):
    """What is kept of a signing key is not what was sealed: altered, moved, or of another key."""


class KeySeal:
    """Seals and opens private keys with the key-encryption keys of this process."""

    def __init__(self, keys: KeyEncryptionKeys) -> None:
        self._keys = keys

    @property
    def active_key_id(self) -> str:
        """The id of the key-encryption key that seals at present."""
        return self._keys.active().id

    def resealed(self, key: SigningKey) -> SigningKey:
        """The same key, sealed under the active key-encryption key; raises as `open` does."""
        sealed, wrapping = self.seal(self.open(key), key.kid)
        return replace(key, sealed=sealed, key_encryption_key=wrapping)

    def seal(self, private_key: Ed25519PrivateKey, kid: str) -> tuple[bytes, str]:
        """The private key so that only its own row opens it, and the id of the key-encryption key."""
        wrapping = self._keys.active()
        nonce = os.urandom(_NONCE_BYTES)
        plain = private_key.private_bytes_raw()
        return nonce + wrapping.cipher.encrypt(nonce, plain, _bound(kid, wrapping.id)), wrapping.id

    def open(self, key: SigningKey) -> Ed25519PrivateKey:
        """The private key; raises UnknownKeyEncryptionKey or SigningKeySealBroken."""
        wrapping = self._keys.find(key.key_encryption_key)
        nonce, content = key.sealed[:_NONCE_BYTES], key.sealed[_NONCE_BYTES:]
        try:
            plain = wrapping.cipher.decrypt(nonce, content, _bound(key.kid, wrapping.id))
        except (InvalidTag, ValueError):
            raise SigningKeySealBroken(key.kid) from None
        return Ed25519PrivateKey.from_private_bytes(plain)


def _bound(kid: str, wrapping_id: str) -> bytes:
    return _LABEL + kid.encode() + b"\0" + wrapping_id.encode()
