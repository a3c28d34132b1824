"""What a transaction leaves to be done once it has committed: events to send, a waiter to tell.

Notes are kept on the transaction's connection. Whoever begins a transaction drops what an earlier one, rolled
back, has left there: a note must never tell of what did not happen.
"""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

_NOTES = "florin.notes"


def of(connection: AsyncConnection) -> dict[str, Any]:
    """The notes of the transaction on `connection`, by the name of who reads them."""
    notes: dict[str, Any] = connection.info.setdefault(_NOTES, {})
    return notes


def drop(connection: AsyncConnection) -> None:
    """Forget what an earlier transaction has left."""
    connection.info.pop(_NOTES, None)
