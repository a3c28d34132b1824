"""What is known of a person, as it is kept: under the person's own key, and readable in its own place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """The one cell in which a sealed text belongs: moved to another it does not open."""

    table: str
    column: str
    row: str

    def bound(self) -> bytes:
        """The place as bytes, each part with its length in front, so that no two places read alike."""
        parts = [part.encode() for part in (self.table, self.column, self.row)]
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A person's key as it is kept: under the key-encryption key of this id."""

    key_encryption_key: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class SealedText:
    """A text, the place it belongs to, and the wrapped key of the person it tells of."""

    place: Place
    key: WrappedKey
    content: bytes
