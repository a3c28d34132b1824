"""Issue a key in the place of another, which goes on for a while."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.api_key import (
    ApiKey,
    KeyChange,
    KeyEnded,
    KeyNotFound,
    KeyState,
    prefix_of,
    write_key,
)
from identity_service.domain.client import ClientNotFound
from identity_service.operations.issue_key import KeyMaker, keep_new_key, key_facts
from identity_service.persistence import api_keys, clients


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKey:
    """Which key is to be replaced, and for how long the old one still opens."""

    client_id: str
    key_id: UUID
    overlap: timedelta
    origin: Origin


async def rotate_key(
    connection: AsyncConnection, command: RotateKey, *, maker: KeyMaker, clock: Clock
) -> tuple[ApiKey, str, ApiKey]:
    """The new key, which may do what the old one may, its text, and the old key with its end.

    Raises ClientNotFound, ClientSuspended, KeyNotFound, KeyEnded.
    """
    client = await clients.load_for_update(connection, command.client_id)
    if client is None:
        raise ClientNotFound(command.client_id)
    client.require_active()
    old = await api_keys.load(connection, command.key_id, client_id=client.id)
    if old is None:
        raise KeyNotFound(command.key_id)
    at = clock.now()
    if old.state(at) is not KeyState.ACTIVE or await api_keys.is_replaced(connection, old.id):
        raise KeyEnded(old.prefix)
    written = write_key(maker.random_bytes)
    # The new one lasts as long as was said of the old one, from now on.
    lasts = None if old.not_after is None else at + (old.not_after - old.issued_at)
    key = replace(
        old,
        id=maker.new_id(),
        prefix=prefix_of(written),
        issued_at=at,
        not_after=lasts,
        replaces=old.id,
        last_used_at=None,
    )
    ending = old.ending(at + command.overlap)
    await keep_new_key(connection, key, written, maker=maker, author=command.origin.actor)
    await api_keys.save_end(connection, ending)
    await api_keys.record_change(
        connection,
        change_id=maker.new_id(),
        key_id=old.id,
        change=KeyChange.REPLACED,
        reason=None,
        author=command.origin.actor,
        at=at,
    )
    entry = Entry(
        action="key.rotated",
        subject_type="key",
        subject=str(old.id),
        before=key_facts(old),
        after={"expires_at": ending.not_after, "key_id": key.id, **key_facts(key)},
        client_id=client.id,
    )
    await record(connection, command.origin, entry, at=at)
    return key, written, ending
