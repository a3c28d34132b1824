"""Velocity counters: a projection of the transfers screened, kept only for windows that enabled rules use."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from messaging.statement import Statement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.velocity import BucketRange, CounterKey, Tally

# WHERE false: no row is written, yet each is locked, in one order for everybody, present before or not.
_LOCK_DEBTORS = Statement(
    """
    INSERT INTO velocity_debtors AS known (client_id, debtor)
    SELECT client_id, debtor
    FROM unnest(CAST(:client_ids AS text[]), CAST(:debtors AS text[])) AS wanted (client_id, debtor)
    ORDER BY client_id, debtor
    ON CONFLICT (client_id, debtor) DO UPDATE SET debtor = known.debtor WHERE false
    """
)
_LOAD = Statement(
    """
    SELECT c.client_id, c.debtor, c.window_s, c.bucket, c.currency, c.payments, c.sum_minor
    FROM unnest(CAST(:client_ids AS text[]), CAST(:debtors AS text[]), CAST(:windows AS integer[]),
                CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[]))
         AS wanted (client_id, debtor, window_s, first, last)
    JOIN velocity_counters AS c USING (client_id, debtor, window_s)
    WHERE c.bucket BETWEEN wanted.first AND wanted.last
    """
)
_ADD = Statement(
    """
    INSERT INTO velocity_counters AS c (client_id, debtor, window_s, bucket, currency, payments, sum_minor)
    SELECT * FROM unnest(CAST(:client_ids AS text[]), CAST(:debtors AS text[]), CAST(:windows AS integer[]),
                         CAST(:buckets AS bigint[]), CAST(:currencies AS text[]), CAST(:payments AS bigint[]),
                         CAST(:sums AS numeric[]))
    ON CONFLICT (client_id, debtor, window_s, bucket, currency) DO UPDATE
    SET payments = c.payments + excluded.payments, sum_minor = c.sum_minor + excluded.sum_minor
    """
)
_FORGET = text("DELETE FROM velocity_counters WHERE window_s = ANY(CAST(:windows AS integer[]))")
_REBUILD = text(
    """
    INSERT INTO velocity_counters (client_id, debtor, window_s, bucket, currency, payments, sum_minor)
    SELECT client_id, debtor, CAST(:window_s AS integer),
           -- date_bin floors, before the epoch too, and is exact to the microsecond.
           extract(epoch FROM date_bin(make_interval(secs => :bucket_s), created_at, 'epoch'))::bigint
               / CAST(:bucket_s AS bigint) AS bucket,
           currency, count(*), sum(amount_minor)
    FROM decisions WHERE kind = 'transfer' AND created_at >= :since
    GROUP BY client_id, debtor, bucket, currency
    """
)
_TRIM = text(
    """
    DELETE FROM velocity_counters WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM velocity_counters
        WHERE bucket < floor(extract(epoch FROM CAST(:before AS timestamptz)) / (window_s / 60)) - 60
        LIMIT :limit FOR UPDATE SKIP LOCKED))
    """
)


async def lock_debtors(connection: AsyncConnection, debtors: Collection[tuple[str, str]]) -> None:
    """Let no other transaction measure or count these (client id, debtor) until this one ends.

    Locks in one order, so that two batches with the same debtors never wait for each other in a ring.
    """
    ordered = sorted(debtors)
    await _LOCK_DEBTORS.run(
        connection,
        {"client_ids": [client_id for client_id, _ in ordered], "debtors": [debtor for _, debtor in ordered]},
    )


async def load_counters(
    connection: AsyncConnection, ranges: Sequence[BucketRange]
) -> Mapping[CounterKey, Tally]:
    """What is counted so far in these ranges; the debtors must be locked already."""
    rows = await _LOAD.rows(
        connection,
        {
            "client_ids": [wanted.client_id for wanted in ranges],
            "debtors": [wanted.debtor for wanted in ranges],
            "windows": [wanted.window_s for wanted in ranges],
            "firsts": [wanted.first for wanted in ranges],
            "lasts": [wanted.last for wanted in ranges],
        },
    )
    return {
        CounterKey(client_id, debtor, window_s, bucket, currency): Tally(payments, int(sum_minor))
        for client_id, debtor, window_s, bucket, currency, payments, sum_minor in rows
    }


async def add_counts(connection: AsyncConnection, added: Mapping[CounterKey, Tally]) -> None:
    """Add what a batch counted; one row per debtor, window, bucket and currency, however many payments."""
    keys, tallies = list(added), list(added.values())
    await _ADD.run(
        connection,
        {
            "client_ids": [key.client_id for key in keys],
            "debtors": [key.debtor for key in keys],
            "windows": [key.window_s for key in keys],
            "buckets": [key.bucket for key in keys],
            "currencies": [key.currency for key in keys],
            "payments": [tally.payments for tally in tallies],
            "sums": [Decimal(tally.sum_minor) for tally in tallies],
        },
    )


async def forget_windows(connection: AsyncConnection, windows: Collection[int]) -> None:
    """Drop the counters of these window lengths."""
    await connection.execute(_FORGET, {"windows": sorted(windows)})


async def rebuild_window(
    connection: AsyncConnection, *, window_s: int, bucket_s: int, since: datetime
) -> None:
    """Count the transfers created since then from the decisions kept; the window must have been forgotten."""
    await connection.execute(_REBUILD, {"window_s": window_s, "bucket_s": bucket_s, "since": since})


async def trim(connection: AsyncConnection, *, before: datetime, limit: int) -> int:
    """Delete up to `limit` counters that no window ending at `before` or later reaches; returns how many."""
    result = await connection.execute(_TRIM, {"before": before, "limit": limit})
    return result.rowcount
