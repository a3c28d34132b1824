"""Identifiers that sort by the time they were made, in the driver's own type.

The driver's UUID is a `uuid.UUID` written in C: it is made, read, compared and told ten times as fast, and
a batch of a thousand payments does each of these thousands of times.
"""

from uuid import UUID

from asyncpg.pgproto import pgproto
from uuid_utils import uuid7 as _uuid7


def uuid7() -> UUID:
    """A new UUIDv7 (RFC 9562): unique everywhere, and later ones of one process sort after earlier ones."""
    made: UUID = pgproto.UUID(_uuid7().bytes)
    return made


def read_uuid(text: str) -> UUID:
    """Read 32 hexadecimal digits, with or without dashes; raises ValueError, or TypeError for no text."""
    read: UUID = pgproto.UUID(text)
    return read
