"""What only the database can tell: times from the lifecycles, and how many postings there are."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from florin.demo.tally import Times
from florin.environment import Surroundings
from florin.provision import AUDITOR
from florin.verification.report import snapshot

# Reviewed and authorised payments waited for somebody: their time says nothing of the system.
_TIMES = """
    SELECT count(*) AS payments, percentile_disc(0.5) WITHIN GROUP (ORDER BY took) AS p50,
           percentile_disc(0.99) WITHIN GROUP (ORDER BY took) AS p99
    FROM (SELECT extract(epoch FROM settled.occurred_at - pending.occurred_at) * 1000 AS took
          FROM transaction.payment_events settled
          JOIN transaction.payment_events pending
              ON pending.payment_id = settled.payment_id AND pending.sequence = 1
          JOIN transaction.payments p ON p.id = settled.payment_id
          WHERE settled.status = 'SETTLED' AND settled.sequence = 3
            AND p.capture = 'immediate' AND p.client_id = 'demo' AND p.created_at >= $1
            AND (p.id = ANY($2::uuid[])) = $3) lives
"""


async def server_time(surroundings: Surroundings) -> datetime:
    """The database's clock."""
    async with snapshot(surroundings.role_url(AUDITOR)) as connection:
        moment: datetime = await connection.fetchval("SELECT now()")
        return moment


async def posting_count(surroundings: Surroundings) -> int:
    """How many postings the ledger holds."""
    async with snapshot(surroundings.role_url(AUDITOR)) as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM account.postings")
        return count


async def times_to_settlement(
    surroundings: Surroundings, *, since: datetime, singles: Iterable[UUID], of_singles: bool
) -> Times | None:
    """Of the demo's payments since then: those sent one by one, or all others; None when there are none."""
    async with snapshot(surroundings.role_url(AUDITOR)) as connection:
        row = await connection.fetchrow(_TIMES, since, list(singles), of_singles)
    assert row is not None, "an aggregate has a row"
    return Times(row["payments"], float(row["p50"]), float(row["p99"])) if row["payments"] else None
