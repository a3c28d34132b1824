"""Passwords at rest: argon2id, a few at a time, off the event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# RFC 9106's second recommendation: 64 MiB and three passes.
STANDARD = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
T = TypeVar("T")

AT_ONCE = 4
MAX_WAITING = 64


class TooManyPasswords(Exception):
    """More passwords wait to be checked than there is time for."""


class Passwords:
    """Hashes and checks. Each takes tens of megabytes and milliseconds, so that few run and some may wait."""

    def __init__(self, hasher: PasswordHasher = STANDARD, *, at_once: int = AT_ONCE) -> None:
        self._hasher = hasher
        self._turns = asyncio.Semaphore(at_once)
        self._waiting = 0
        # Of nobody: checked in place of a password that there is not, so that the time tells nothing.
        self._nobodys = hasher.hash("nobody has this password")

    async def hashed(self, password: str) -> str:
        """The hash to keep of a normalised password. Raises TooManyPasswords."""
        return await self._in_turn(self._hasher.hash, password)

    async def verified(self, kept: str | None, password: str) -> bool:
        """Whether this is the password; False, as slowly, where none is kept. Raises TooManyPasswords."""
        matches = await self._in_turn(self._matches, kept or self._nobodys, password)
        return matches and kept is not None

    def outdated(self, kept: str) -> bool:
        """Whether it was hashed with less effort than is asked for now."""
        return self._hasher.check_needs_rehash(kept)

    def _matches(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[..., T], *arguments: str) -> T:
        if self._waiting >= MAX_WAITING:
            raise TooManyPasswords
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *arguments)
        finally:
            self._waiting -= 1
