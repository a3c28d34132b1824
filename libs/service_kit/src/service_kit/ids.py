"""Identifiers that sort by the time they were made."""

from collections.abc import Callable
from uuid import UUID

from messaging.ids import uuid7

IdFactory = Callable[[], UUID]

__all__ = ["IdFactory", "uuid7"]
