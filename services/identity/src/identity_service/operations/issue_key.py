"""Issue an API key."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service_kit.audit import Entry, Origin, record
from service_kit.auth import key_digest
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.api_key import ApiKey, ExpiryPassed, KeyChange, prefix_of, write_key
from identity_service.domain.client import ClientNotFound
from identity_service.persistence import api_keys, clients


@dataclass(frozen=True, slots=True)
class KeyMaker:
    """What new keys are made from, and the pepper under which only their digests are kept."""

    pepper: bytes
    random_bytes: Callable[[int], bytes]
    new_id: IdFactory


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueKey:
    """For whom and to do what; None of `scopes` stands for all that the client may do."""

    client_id: str
    label: str
    scopes: frozenset[str] | None
    not_after: datetime | None
    origin: Origin


async def issue_key(
    connection: AsyncConnection, command: IssueKey, *, maker: KeyMaker, clock: Clock
) -> tuple[ApiKey, str]:
    """The key and its text, which nobody can read again.

    Raises ClientNotFound, ClientSuspended, ScopesNotGranted, ExpiryPassed.
    """
    client = await clients.load_for_update(connection, command.client_id)
    if client is None:
        raise ClientNotFound(command.client_id)
    client.require_active()
    scopes = client.scopes if command.scopes is None else command.scopes
    client.require_scopes(scopes)
    at = clock.now()
    if command.not_after is not None and command.not_after <= at:
        raise ExpiryPassed
    written = write_key(maker.random_bytes)
    key = ApiKey(
        id=maker.new_id(),
        prefix=prefix_of(written),
        client_id=client.id,
        label=command.label,
        scopes=scopes,
        issued_at=at,
        not_after=command.not_after,
    )
    await keep_new_key(connection, key, written, maker=maker, author=command.origin.actor)
    entry = Entry(
        action="key.issued",
        subject_type="key",
        subject=str(key.id),
        after=key_facts(key),
        client_id=client.id,
    )
    await record(connection, command.origin, entry, at=at)
    return key, written


def key_facts(key: ApiKey) -> dict[str, Any]:
    """What the audit log tells of a key."""
    return {"prefix": key.prefix, "label": key.label, "scopes": key.scopes, "not_after": key.not_after}


async def keep_new_key(
    connection: AsyncConnection, key: ApiKey, written: str, *, maker: KeyMaker, author: str
) -> None:
    """Keep the key's digest, and write down who issued it."""
    await api_keys.insert(connection, key, digest=key_digest(written, maker.pepper))
    await api_keys.record_change(
        connection,
        change_id=maker.new_id(),
        key_id=key.id,
        change=KeyChange.ISSUED,
        reason=None,
        author=author,
        at=key.issued_at,
    )
