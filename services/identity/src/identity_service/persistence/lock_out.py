"""Attempts, counted before anything is looked at: by account and by address, in one step for both."""

import json
from datetime import datetime

from identity_service.domain.sign_in import BY_ACCOUNT, BY_ADDRESS, SignInLocked, counted_address
from identity_service.persistence.short_memory import ShortMemory

# KEYS: account, address. ARGV: now (ms), and for each key its pauses (JSON, s) and how long it is kept (ms).
# Replies with the milliseconds to wait, 0 when the attempt may be made, which is then counted.
_ENTER = """
local now = tonumber(ARGV[1])
local wait = 0
for _, key in ipairs(KEYS) do
    wait = math.max(wait, tonumber(redis.call('HGET', key, 'until') or '0') - now)
end
if wait > 0 then return wait end
for i, key in ipairs(KEYS) do
    local pauses = cjson.decode(ARGV[2 * i])
    local attempts = redis.call('HINCRBY', key, 'attempts', 1)
    redis.call('HSET', key, 'until', now + 1000 * pauses[math.min(attempts, #pauses)])
    redis.call('PEXPIRE', key, ARGV[2 * i + 1])
end
return 0
"""
# The account starts anew; of the address only this attempt is taken back, or one's own account would open
# the way to all others.
_SUCCEED = """
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 1 then
    local pauses = cjson.decode(ARGV[1])
    local attempts = redis.call('HINCRBY', KEYS[2], 'attempts', -1)
    if attempts < 1 or pauses[math.min(attempts, #pauses)] == 0 then
        redis.call('HSET', KEYS[2], 'until', 0)
    end
end
return 0
"""


class LockOut:
    """Who has tried too often waits, whether what they try is right or wrong."""

    def __init__(self, memory: ShortMemory) -> None:
        self._enter = memory.script(_ENTER)
        self._succeed = memory.script(_SUCCEED)

    async def enter(self, account: str, address: str, *, now: datetime) -> None:
        """Count an attempt at `account`, any name for what is tried.

        Raises SignInLocked, and then it does not count, and SignInUnavailable.
        """
        arguments: list[str | int] = [int(now.timestamp() * 1000)]
        for pacing in (BY_ACCOUNT, BY_ADDRESS):
            arguments += [json.dumps(pacing.pauses_s), int(pacing.memory.total_seconds() * 1000)]
        wait_ms = int(await self._enter(_keys(account, address), arguments))
        if wait_ms > 0:
            raise SignInLocked(-(-wait_ms // 1000))

    async def succeeded(self, account: str, address: str) -> None:
        """The attempt was a success. Raises SignInUnavailable."""
        await self._succeed(_keys(account, address), [json.dumps(BY_ADDRESS.pauses_s)])


def _keys(account: str, address: str) -> list[str]:
    return [f"attempts:{account}", f"attempts:address:{counted_address(address)}"]
