"""Revoke an API key."""

from dataclasses import dataclass
from uuid import UUID

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.api_key import ApiKey, KeyChange, KeyNotFound
from identity_service.domain.revocation import RevocationKind, all_tokens_of
from identity_service.operations.issue_key import key_facts
from identity_service.persistence import api_keys, clients, revocations


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeKey:
    """Which key is to open nothing from now on, and why."""

    client_id: str
    key_id: UUID
    reason: str
    origin: Origin


async def revoke_key(
    connection: AsyncConnection, command: RevokeKey, *, clock: Clock, new_id: IdFactory
) -> ApiKey:
    """The key, revoked; one that was already stays as it was. Raises KeyNotFound.

    Tokens do not tell with which of its keys a client got them: all that it has end too, and it gets new ones
    with its other keys.
    """
    await clients.load_for_update(connection, command.client_id)
    key = await api_keys.load(connection, command.key_id, client_id=command.client_id)
    if key is None:
        raise KeyNotFound(command.key_id)
    if key.revoked_at is not None:
        return key
    at = clock.now()
    revoked = key.revoked(at)
    await api_keys.save_end(connection, revoked)
    await api_keys.record_change(
        connection,
        change_id=new_id(),
        key_id=key.id,
        change=KeyChange.REVOKED,
        reason=command.reason,
        author=command.origin.actor,
        at=at,
    )
    revocation = all_tokens_of(
        RevocationKind.CLIENT, key.client_id, author=command.origin.actor, at=at, revocation_id=new_id()
    )
    await revocations.add(connection, revocation)
    entry = Entry(
        action="key.revoked",
        subject_type="key",
        subject=str(key.id),
        before=key_facts(key),
        reason=command.reason,
        client_id=key.client_id,
    )
    await record(connection, command.origin, entry, at=at)
    return revoked
