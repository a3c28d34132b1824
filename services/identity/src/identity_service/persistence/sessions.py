"""Sessions in Redis: found by the hash of what the browser holds, listed and ended by their ids.

Every change is one step there, so that a session that was ended meanwhile does not come back.
"""

import hashlib
import json
import secrets
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from identity_service.domain.session import IDLE, LIFE, Session
from identity_service.persistence.short_memory import ShortMemory

_BYTES = 32
_IDLE_S, _LIFE_S = int(IDLE.total_seconds()), int(LIFE.total_seconds())

# KEYS: session, index of the person. ARGV: id, content, idle (s), life (s).
_BEGIN = """
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], KEYS[1])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 1
"""
# KEYS: session, index, the session's key from now on. ARGV as above. Replies 0 where there is none any more.
_ROTATE = """
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[3])
redis.call('HSET', KEYS[2], ARGV[1], KEYS[3])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 1
"""
_TOUCH = "return redis.call('SET', KEYS[1], ARGV[1], 'XX', 'EX', ARGV[2]) and 1 or 0"
# KEYS: index. ARGV: id.
_END = """
local session = redis.call('HGET', KEYS[1], ARGV[1])
if not session then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('DEL', session)
"""
_END_ALL = """
local ended = 0
for _, session in ipairs(redis.call('HVALS', KEYS[1])) do ended = ended + redis.call('DEL', session) end
redis.call('DEL', KEYS[1])
return ended
"""
# Replies with what stands, and forgets what has run out.
_LIST = """
local found = {}
local index = redis.call('HGETALL', KEYS[1])
for i = 1, #index, 2 do
    local content = redis.call('GET', index[i + 1])
    if content then table.insert(found, content) else redis.call('HDEL', KEYS[1], index[i]) end
end
return found
"""


class Sessions:
    """The text that opens a session is told once, to its browser. All raise SignInUnavailable."""

    def __init__(self, memory: ShortMemory) -> None:
        self._memory = memory
        self._begin, self._rotate = memory.script(_BEGIN), memory.script(_ROTATE)
        self._touch, self._list = memory.script(_TOUCH), memory.script(_LIST)
        self._end, self._end_all = memory.script(_END), memory.script(_END_ALL)

    async def begin(self, session: Session) -> str:
        """Keep a new session; returns the text that opens it."""
        text = secrets.token_urlsafe(_BYTES)
        await self._begin([_key(text), _index(session.person_id)], _told(session))
        return text

    async def find(self, text: str) -> Session | None:
        """The session that this text opens, whether or not it has ended by the clock."""
        content = await self._memory.get(_key(text))
        return None if content is None else _read(content)

    async def touch(self, text: str, session: Session) -> bool:
        """Keep that it was used; whether it still stood."""
        return bool(await self._touch([_key(text)], [_content(session), _IDLE_S]))

    async def rotate(self, text: str, session: Session) -> str | None:
        """Keep the session under a new text; the old one opens nothing any more. None where it had ended."""
        renewed = secrets.token_urlsafe(_BYTES)
        keys = [_key(text), _index(session.person_id), _key(renewed)]
        return renewed if await self._rotate(keys, _told(session)) else None

    async def end(self, person: UUID, session: UUID) -> bool:
        """End one of the person's sessions; whether there was one."""
        return bool(await self._end([_index(person)], [str(session)]))

    async def end_all(self, person: UUID) -> int:
        """End them all; how many there were."""
        return int(await self._end_all([_index(person)], []))

    async def of(self, person: UUID, *, now: datetime) -> list[Session]:
        """The person's sessions, the newest first."""
        found = [_read(content) for content in await self._list([_index(person)], [])]
        standing = [session for session in found if not session.ended(now=now)]
        return sorted(standing, key=lambda session: session.begun_at, reverse=True)


def _key(text: str) -> str:
    return f"session:{hashlib.sha256(text.encode()).hexdigest()}"


def _index(person: UUID) -> str:
    return f"sessions-of:{person}"


def _told(session: Session) -> list[str | int]:
    return [str(session.id), _content(session), _IDLE_S, _LIFE_S]


def _content(session: Session) -> str:
    return json.dumps(asdict(session), default=str)


def _read(content: str) -> Session:
    facts = json.loads(content)
    instants = {
        name: datetime.fromisoformat(facts[name]) for name in ("begun_at", "second_factor_at", "seen_at")
    }
    ids = {name: UUID(facts[name]) for name in ("id", "person_id")}
    return Session(**{**facts, **instants, **ids})
