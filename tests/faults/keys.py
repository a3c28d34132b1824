"""Faults of keys: rotated under load, again and again."""

import asyncio
import json
from datetime import datetime
from typing import Any

from contracts.catalogue import CATALOGUE
from florin.credentials import keyring_file, new_signing_key, write_private
from florin.services import SERVICES
from testkit.waiting import eventually

from .arena import Arena
from .forging import Heard, tapped
from .registry import fault

ROUNDS = 3
SIGNED_S = 15.0
ARRIVED_S = 30.0
# From a frame's sealing until the broker has it.
ON_ITS_WAY_S = 1.0


@fault(timeout_s=120)
async def keys_rotated(arena: Arena) -> None:
    """Every service's signing key is replaced, several times within seconds, and the old ones are taken out
    as soon as nothing is on its way that they signed: nothing is refused."""
    file = keyring_file(arena.stack.run_dir)
    before = await _quarantined(arena)
    for _ in range(ROUNDS * arena.pace.moments):
        keys: list[dict[str, Any]] = json.loads(file.read_text())["keys"]
        number = max(int(key["id"].rpartition("-")[2]) for key in keys) + 1
        fresh = [new_signing_key(service, number=number) for service in SERVICES]
        async with tapped(arena.stack) as heard:
            write_private(file, {"keys": [*({**key, "active": False} for key in keys), *fresh]})
            # Notification publishes nothing.
            signing = {f"{service}-{number}" for service in SERVICES if service != "notification"}
            await _heard_from(signing, heard)
        arena.fired(len(signing))
        await asyncio.sleep(ON_ITS_WAY_S)
        await _all_arrived(arena)
        write_private(file, {"keys": fresh})
    if refused := await _quarantined(arena) - before:
        arena.wrong(f"{refused} frames were refused while keys were rotated")


async def _heard_from(keys: set[str], heard: Heard) -> None:
    """Returns once each of these keys has signed something."""
    await eventually(lambda: keys <= {frame.key_id for frame in heard.frames}, timeout_s=SIGNED_S)


async def _all_arrived(arena: Arena) -> None:
    """Returns once all that was written until now has been handled by everyone who must hear it."""
    async with arena.auditor() as connection:
        until: datetime = await connection.fetchval("SELECT now()")

        async def none_missing() -> bool:
            for entry in CATALOGUE:
                for consumer in entry.consumers:
                    missing = await connection.fetchval(
                        f"SELECT count(*) FROM {entry.producer}.outbox o WHERE o.type = $1 "
                        "AND o.created_at < $2 AND o.created_at > $2::timestamptz - interval '5 minutes' "
                        "AND NOT EXISTS "
                        f"(SELECT FROM {consumer}.inbox i WHERE i.event_id = o.event_id)",
                        entry.name,
                        until,
                    )
                    assert not missing, f"{missing} {entry.name} have not reached {consumer}"
            return True

        await eventually(none_missing, timeout_s=ARRIVED_S, every_s=0.2)


async def _quarantined(arena: Arena) -> int:
    async with arena.auditor() as connection:
        counts = [await connection.fetchval(f"SELECT count(*) FROM {one}.quarantine") for one in SERVICES]
    return sum(counts)
