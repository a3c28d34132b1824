"""Drop velocity counters that no payment's window can reach any more."""

from datetime import timedelta

from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.persistence import velocity

# How late a payment may be screened and still find its whole window counted: a long outage, and some.
LATE_PAYMENTS = timedelta(days=7)
TRIM_LIMIT = 10_000


async def trim_velocity(connection: AsyncConnection, *, clock: Clock) -> int:
    """Delete up to `TRIM_LIMIT` counters; returns how many."""
    return await velocity.trim(connection, before=clock.now() - LATE_PAYMENTS, limit=TRIM_LIMIT)
