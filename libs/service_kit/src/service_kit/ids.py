"""Identifiers that sort by the time they were made."""

from collections.abc import Callable
from uuid import UUID

from uuid_utils.compat import uuid7 as _uuid7

IdFactory = Callable[[], UUID]


def uuid7() -> UUID:
    """A new UUIDv7 (RFC 9562): unique everywhere, and later ones of one process sort after earlier ones."""
    return _uuid7()
