"""The workflow of knowing a customer: submit, then approve or reject; each move with its author kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.vault import Vault
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.customer import CustomerNotFound, KycEvent
from account_service.domain.kyc import Kyc, KycLevel
from account_service.persistence.customer_accounts import save_level
from account_service.persistence.customers import lock_customer, save_kyc
from account_service.persistence.kyc_events import record_kyc_event


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeKyc:
    """The command; the author is who asks or decides."""

    client_id: str
    customer_id: UUID
    move: Literal["submit", "approve", "reject"]
    level: KycLevel
    reason: str | None
    origin: Origin


async def change_kyc(
    connection: AsyncConnection,
    command: ChangeKyc,
    *,
    vault: Vault,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> None:
    """Make the move; the same one again changes nothing, so that a retry is safe.

    Raises CustomerNotFound and IllegalKycMove.
    """
    sealed = await lock_customer(connection, vault, command.client_id, command.customer_id)
    if sealed is None:
        raise CustomerNotFound
    before = sealed.customer.kyc
    after = _moved(before, command)
    if after == before:
        return
    at = clock.now()
    await save_kyc(connection, command.customer_id, after, at=at)
    event = KycEvent(
        id=new_id(),
        customer_id=command.customer_id,
        state=after.state,
        level=command.level,
        reason=command.reason,
        author=command.origin.actor,
        at=at,
    )
    await record_kyc_event(connection, sealed.key, event)
    # The reason may tell of the person: it stands in the event, under the person's own key.
    entry = Entry(
        action=f"kyc.{after.state}",
        subject_type="customer",
        subject=str(command.customer_id),
        before={"level": before.level, "state": before.state, "requested_level": before.asked},
        after={"level": after.level, "state": after.state, "requested_level": after.asked},
    )
    await record(connection, command.origin, entry, at=at)
    if after.level is not before.level:
        await save_level(connection, command.customer_id, after.level, at=at)


def _moved(kyc: Kyc, command: ChangeKyc) -> Kyc:
    match command.move:
        case "submit":
            return kyc.submit(command.level)
        case "approve":
            return kyc.approve(command.level)
        case "reject":
            return kyc.reject(command.level)
