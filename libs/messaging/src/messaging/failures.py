"""Failures of handling a message, classified and never guessed.

Infrastructure: the database is away or overloaded; nothing is wrong with the message, so hold it and wait.
Permanent: this event can never be handled; park it. Anything else is unknown: try a few times, then park.
"""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# SQLSTATE classes that speak of the server, not of the statement: connection, transaction rollback
# (serialization, deadlock), insufficient resources, operator intervention, system error, invalid transaction
# state (a lost or timed-out session).
_INFRASTRUCTURE_CLASSES = frozenset({"08", "40", "53", "57", "58", "25"})
_LOCK_NOT_AVAILABLE = "55P03"


class PermanentFailure(Exception):
    """This event can never be handled, however often it is tried. `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class MalformedFrame(Exception):
    """The frame cannot be trusted or read as a whole. `code` is stable; the frame goes to quarantine."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class BrokerUnavailable(Exception):
    """The broker is away, or it did not confirm in time: what was published may or may not have arrived."""


class TopologyMissing(Exception):
    """The broker has not the exchanges and queues that this service needs: run `florin topology apply`."""


def is_infrastructure(error: BaseException) -> bool:
    """Say whether `error` tells of a part that is away, so that the same work may succeed later."""
    if isinstance(error, DBAPIError):
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        return (
            error.connection_invalidated
            or sqlstate[:2] in _INFRASTRUCTURE_CLASSES
            or sqlstate == _LOCK_NOT_AVAILABLE
            or _is_lost_connection(error.orig)
        )
    if isinstance(error, PoolTimeout | OSError | TimeoutError | EOFError):
        return True
    if isinstance(error, SQLAlchemyError):
        return False
    return error.__cause__ is not None and is_infrastructure(error.__cause__)


def _is_lost_connection(original: BaseException | None) -> bool:
    # asyncpg reports a dead socket without a SQLSTATE, as an InterfaceError whose cause is the network's.
    seen = 0
    while original is not None and seen < 5:
        if isinstance(original, OSError | TimeoutError | EOFError):
            return True
        if type(original).__name__ in {"InterfaceError", "ConnectionDoesNotExistError"}:
            return True
        original, seen = original.__cause__, seen + 1
    return False
