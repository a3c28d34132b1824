"""Open a settlement account of a name: a place outside from which money comes and to which it goes."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountKind, AccountRecord
from account_service.domain.naming import settlement_reference
from account_service.operations.read_accounts import read_account
from account_service.operations.system_accounts import opening_changes
from account_service.persistence.accounts import NewAccount, insert_accounts
from account_service.persistence.state_changes import record_state_changes


@dataclass(frozen=True, slots=True)
class OpenSettlementAccount:
    """The command; the name is unique to the client and the currency."""

    client_id: str
    name: str
    currency: str
    origin: Origin


async def open_settlement_account(
    connection: AsyncConnection, command: OpenSettlementAccount, *, clock: Clock
) -> tuple[AccountRecord, bool]:
    """The account, and whether it was opened just now: its name is its key, so that a retry is safe."""
    reference = settlement_reference(command.name, command.currency)
    new = NewAccount(
        client_id=command.client_id,
        reference=reference,
        holder=f"Florin settlement {command.name}",
        currency=command.currency,
        kind=AccountKind.SYSTEM,
        overdraft_minor=None,
    )
    at = clock.now()
    opened = await insert_accounts(connection, [new], at=at)
    await record_state_changes(connection, opening_changes(opened.values(), command.origin.actor, at))
    if opened:
        entry = Entry(
            action="settlement-account.opened",
            subject_type="account",
            subject=reference,
            after={"currency": command.currency},
        )
        await record(connection, command.origin, entry, at=at)
    return await read_account(connection, command.client_id, reference), bool(opened)
