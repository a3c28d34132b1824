"""Sealing entries: a worker puts them at the end of the service's chain, off the way of whoever writes them.

Writing an entry takes no lock that others wait for; who seals takes one, and any number may try.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

import structlog
from messaging.failures import is_infrastructure
from messaging.waiting import wait_for_event
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service_kit.audit import chain
from service_kit.audit.chain import Head
from service_kit.clock import Clock
from service_kit.telemetry import gauge

BATCH = 1_000
_EVERY_S = 1.0
_TOLD_EVERY = timedelta(hours=1)

# Of this schema, until the transaction ends. No idempotency key reads so: it has a line break.
_TAKE_TURN = text(
    "SELECT pg_try_advisory_xact_lock(hashtextextended('audit' || chr(10) || current_schema(), 0))"
)
_HEAD = text("SELECT position, hash FROM audit_seals ORDER BY position DESC LIMIT 1")
_UNSEALED = text(
    f"""
    SELECT {chain.COLUMNS} FROM audit_unsealed u JOIN audit_entries e ON e.id = u.entry_id
    ORDER BY e.id LIMIT :limit
    """  # noqa: S608
)
_SEAL = text(
    """
    WITH sealed AS (
        INSERT INTO audit_seals (position, entry_id, hash, sealed_at)
        SELECT n.position, n.entry_id, n.hash, CAST(:at AS timestamptz)
        FROM unnest(CAST(:positions AS bigint[]), CAST(:entry_ids AS bigint[]), CAST(:hashes AS bytea[]))
            AS n (position, entry_id, hash)
        RETURNING entry_id)
    DELETE FROM audit_unsealed USING sealed WHERE audit_unsealed.entry_id = sealed.entry_id
    """
)

_POSITION = gauge(
    "audit_position", "Where the chain of the audit log ends, as this process last saw it.", ("service",)
)

_log = structlog.stdlib.get_logger(__name__)


async def seal(connection: AsyncConnection, service: str, *, at: datetime, limit: int = BATCH) -> int:
    """Put up to `limit` unsealed entries, the oldest first, at the end of the chain; returns how many.

    Nothing is done while another transaction seals.
    """
    if not (await connection.execute(_TAKE_TURN)).scalar_one():
        return 0
    rows = (await connection.execute(_UNSEALED, {"limit": limit})).mappings().all()
    if not rows:
        return 0
    last = await head(connection, service)
    forms: list[dict[str, Any]] = [chain.form_of(row) for row in rows]
    heads = list(accumulate(forms, chain.following, initial=last))[1:]
    parameters = {
        "positions": [one.position for one in heads],
        "entry_ids": [form["id"] for form in forms],
        "hashes": [one.hash for one in heads],
        "at": at,
    }
    await connection.execute(_SEAL, parameters)
    return len(forms)


async def head(connection: AsyncConnection, service: str) -> Head:
    """Where the service's chain ends now."""
    row = (await connection.execute(_HEAD)).one_or_none()
    return chain.beginning(service) if row is None else Head(row.position, bytes(row.hash))


class AuditSealer:
    """Runs until stopped, beside any number of others. An outage of the database is waited out.

    Tells the head in the log each hour, so that it is kept where the database's owner cannot alter it: a
    chain whose end was cut off is whole in itself.
    """

    def __init__(
        self,
        service: str,
        *,
        transaction: Callable[[], AbstractAsyncContextManager[AsyncConnection]],
        clock: Clock,
    ) -> None:
        self._service = service
        self._transaction = transaction
        self._clock = clock
        self._stopped = asyncio.Event()
        self._told: tuple[Head, datetime] | None = None

    def stop(self) -> None:
        """Take no further round."""
        self._stopped.set()

    async def run(self) -> None:
        """One round after the other; a pause when there is nothing left to seal. The last round comes after
        the stop, for what was written until then."""
        while True:
            stopping = self._stopped.is_set()
            sealed = 0
            try:
                sealed = await self.round()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                _log.warning("sealing of the audit log waits", error=type(error).__name__)
            if stopping:
                return
            await wait_for_event(self._stopped, 0.0 if sealed == BATCH else _EVERY_S)

    async def round(self) -> int:
        """Seal one batch; returns how many entries."""
        now = self._clock.now()
        async with self._transaction() as connection:
            sealed = await seal(connection, self._service, at=now)
            last = await head(connection, self._service)
        # Not before it is known: a 0 from the start would look like a log that is gone.
        _POSITION.labels(self._service).set(last.position)
        self._tell(last, now)
        return sealed

    def _tell(self, last: Head, now: datetime) -> None:
        if self._told is not None:
            told, at = self._told
            if told == last or now - at < _TOLD_EVERY:
                return
        self._told = (last, now)
        _log.info("audit head", position=last.position, hash=last.hash.hex())
