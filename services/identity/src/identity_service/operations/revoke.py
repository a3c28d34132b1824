"""Refuse all tokens that a person was given until now."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.revocation import RevocationKind, all_tokens_of
from identity_service.operations.door import Door
from identity_service.persistence import revocations


async def revoke_person(connection: AsyncConnection, door: Door, person: UUID, *, author: str) -> None:
    """Every service refuses them within seconds of the commit."""
    revocation = all_tokens_of(
        RevocationKind.PERSON,
        str(person),
        author=author,
        at=door.clock.now(),
        revocation_id=door.new_id(),
    )
    await revocations.add(connection, revocation)
