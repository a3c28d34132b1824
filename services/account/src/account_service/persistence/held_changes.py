"""What was held of an account after each change; the database's own triggers write it."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.persistence.entries import LOOK_BACK

# The highest of the latest, as with entries: the clocks of two processes may differ by a little.
_HELD_BEFORE = text(
    """
    SELECT h.held_after_minor FROM held_changes h
    WHERE h.account_id = :account_id AND h.change_number = (
        SELECT max(latest.change_number) FROM (
            SELECT c.change_number FROM held_changes c
            WHERE c.account_id = :account_id AND c.changed_at < :moment
            ORDER BY c.changed_at DESC, c.change_number DESC LIMIT :look_back) AS latest)
    """
)


async def held_before(connection: AsyncConnection, account_id: int, moment: datetime) -> int:
    """How much was held of the account's money, in minor units, when that moment came."""
    parameters = {"account_id": account_id, "moment": moment, "look_back": LOOK_BACK}
    return (await connection.execute(_HELD_BEFORE, parameters)).scalar_one_or_none() or 0
