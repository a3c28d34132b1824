"""What was revoked, append-only."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.revocation import Revocation

_ADD = text(
    """
    INSERT INTO revocations (id, kind, subject, issued_until, told_until, author, revoked_at)
    VALUES (:id, :kind, :subject, :issued_until, :told_until, :author, :revoked_at)
    """
)


async def add(connection: AsyncConnection, revocation: Revocation) -> None:
    """Write it down; every service is told within seconds."""
    parameters = {
        "id": revocation.id,
        "kind": revocation.kind.value,
        "subject": revocation.subject,
        "issued_until": revocation.issued_until,
        "told_until": revocation.told_until,
        "author": revocation.author,
        "revoked_at": revocation.revoked_at,
    }
    await connection.execute(_ADD, parameters)
