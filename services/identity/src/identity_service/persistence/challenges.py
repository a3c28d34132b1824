"""Between the two steps of a sign-in: who has shown the password, known by a text that is kept nowhere."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from identity_service.persistence.short_memory import ShortMemory

LIFE = timedelta(minutes=5)
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Challenge:
    """The person whose password was shown, and the login by which attempts are noted."""

    person_id: UUID
    client_id: str
    login: str


class Challenges:
    """Each lasts five minutes and leads to one session at most."""

    def __init__(self, memory: ShortMemory) -> None:
        self._memory = memory

    async def put(self, challenge: Challenge) -> str:
        """The text that stands for it. Raises SignInUnavailable."""
        text = secrets.token_urlsafe(_BYTES)
        content = [str(challenge.person_id), challenge.client_id, challenge.login]
        await self._memory.keep(_key(text), json.dumps(content), seconds=int(LIFE.total_seconds()))
        return text

    async def find(self, text: str) -> Challenge | None:
        """What the text stands for. Raises SignInUnavailable."""
        content = await self._memory.get(_key(text))
        if content is None:
            return None
        person, client, login = json.loads(content)
        return Challenge(UUID(person), client, login)

    async def take(self, text: str) -> bool:
        """Whether it stood until now. Raises SignInUnavailable."""
        return await self._memory.forget(_key(text))


def _key(text: str) -> str:
    return f"challenge:{hashlib.sha256(text.encode()).hexdigest()}"
