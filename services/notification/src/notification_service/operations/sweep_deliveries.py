"""Put away deliveries that nobody will send, and measure what waits."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from notification_service.domain.retry import MAX_TRIES
from notification_service.persistence import queue

SWEEP_LIMIT: Final = 1_000
BACKLOG_LIMIT: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep put away, and what waits.

    `due` waits for us, up to a limit, the oldest for `oldest_age`; `held_back`, up to the same limit, for the
    circuits of receivers, of which `open_circuits` of the `active` endpoints' are not closed.
    """

    cancelled: int
    failed: int
    due: int
    oldest_age: timedelta
    active: int
    open_circuits: int
    held_back: int


async def sweep_deliveries(connection: AsyncConnection, *, clock: Clock) -> Swept:
    """Cancel deliveries to endpoints that are off, fail those whose worker died at the last try; bounded."""
    now = clock.now()
    cancelled, failed = await queue.sweep(connection, now=now, max_tries=MAX_TRIES, limit=SWEEP_LIMIT)
    due, oldest = await queue.backlog(connection, now=now, limit=BACKLOG_LIMIT)
    age = max(now - oldest, timedelta(0)) if oldest else timedelta(0)
    active, open_circuits, held_back = await queue.held_back(connection, now=now, limit=BACKLOG_LIMIT)
    return Swept(
        cancelled=cancelled,
        failed=failed,
        due=due,
        oldest_age=age,
        active=active,
        open_circuits=open_circuits,
        held_back=held_back,
    )
