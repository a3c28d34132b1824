"""Invitations: found by the digest of what was handed out, open until used, replaced or expired."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.person import Invitation, Purpose

_CLOSE = text("UPDATE invitations SET closed_at = :at WHERE person_id = :person AND closed_at IS NULL")
_INSERT = text(
    """
    INSERT INTO invitations (id, person_id, digest, purpose, issued_by, issued_at, expires_at)
    VALUES (:id, :person, :digest, :purpose, :issued_by, :issued_at, :expires_at)
    """
)
_FIND = text(
    """
    SELECT id, person_id, purpose, issued_by, issued_at, expires_at FROM invitations
    WHERE digest = :digest AND closed_at IS NULL
    """
)


async def issue_invitation(connection: AsyncConnection, invitation: Invitation, digest: bytes) -> None:
    """Write it in place of whichever is open for the person."""
    await close_invitations(connection, invitation.person_id, at=invitation.issued_at)
    parameters = {
        "id": invitation.id,
        "person": invitation.person_id,
        "digest": digest,
        "purpose": invitation.purpose.value,
        "issued_by": invitation.issued_by,
        "issued_at": invitation.issued_at,
        "expires_at": invitation.expires_at,
    }
    await connection.execute(_INSERT, parameters)


async def find_invitation(connection: AsyncConnection, digest: bytes) -> Invitation | None:
    """The open invitation with this digest; it may have expired. It stays open while its person is locked."""
    row = (await connection.execute(_FIND, {"digest": digest})).one_or_none()
    if row is None:
        return None
    return Invitation(
        id=row.id,
        person_id=row.person_id,
        purpose=Purpose(row.purpose),
        issued_by=row.issued_by,
        issued_at=row.issued_at,
        expires_at=row.expires_at,
    )


async def close_invitations(connection: AsyncConnection, person: UUID, *, at: datetime) -> None:
    """Nothing opens for the person any more until the next is issued."""
    await connection.execute(_CLOSE, {"person": person, "at": at})
