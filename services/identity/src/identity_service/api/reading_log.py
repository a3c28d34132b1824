"""Who has looked at clients, keys, people and their sessions, for the audit log."""

from typing import Any
from uuid import UUID

from service_kit.audit import Entry, Origin, record

from identity_service.api.parts import IdentityParts


async def write_reading(
    parts: IdentityParts,
    origin: Origin,
    action: str,
    subject_type: str,
    subject: str | UUID,
    *,
    client_id: str | None = None,
    **told: Any,
) -> None:
    """Write it down, before it is told. `client_id` is whose it is, if not the caller's."""
    entry = Entry(
        action=action,
        subject_type=subject_type,
        subject=str(subject),
        after=told or None,
        client_id=client_id,
    )
    async with parts.database.transaction() as connection:
        await record(connection, origin, entry, at=parts.clock.now())
