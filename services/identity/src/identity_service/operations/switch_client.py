"""Suspend a client, and let it in again."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.ids import IdFactory
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.client import ClientChange, ClientNotFound, ClientStatus, RegisteredClient
from identity_service.domain.revocation import RevocationKind, all_tokens_of
from identity_service.persistence import clients, revocations


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchClient:
    """Who is to be let in or shut out, why, and who says so."""

    client_id: str
    status: ClientStatus
    reason: str
    origin: Origin


async def switch_client(
    connection: AsyncConnection, command: SwitchClient, *, clock: Clock, new_id: IdFactory
) -> RegisteredClient:
    """The client as it stands then; one that stands so already stays. Raises ClientNotFound.

    Suspended, its keys and every token issued until now open nothing within seconds.
    """
    client = await clients.load_for_update(connection, command.client_id)
    if client is None:
        raise ClientNotFound(command.client_id)
    if client.status is command.status:
        return client
    # After the lock: a token that was being made holds it, and bears an earlier time.
    at = clock.now()
    shut_out = command.status is ClientStatus.SUSPENDED
    switched = client.suspended(at) if shut_out else client.resumed(at)
    await clients.save_status(connection, switched)
    await clients.record_change(
        connection,
        change_id=new_id(),
        client_id=client.id,
        change=ClientChange.SUSPENDED if shut_out else ClientChange.RESUMED,
        reason=command.reason,
        author=command.origin.actor,
        at=at,
    )
    if shut_out:
        revocation = all_tokens_of(
            RevocationKind.CLIENT, client.id, author=command.origin.actor, at=at, revocation_id=new_id()
        )
        await revocations.add(connection, revocation)
    entry = Entry(
        action="client.suspended" if shut_out else "client.resumed",
        subject_type="client",
        subject=client.id,
        before={"status": client.status},
        after={"status": switched.status},
        reason=command.reason,
        client_id=client.id,
    )
    await record(connection, command.origin, entry, at=at)
    return switched
