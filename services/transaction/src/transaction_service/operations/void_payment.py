"""Give up what is still held: recorded, and asked of the ledger, which alone ends holds."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.messages import VoidRequested
from messaging import outbox
from messaging.event import new_event
from service_kit.audit import Entry, Origin, record
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.hold import open_hold
from transaction_service.operations.follow_up import UnknownPayment
from transaction_service.persistence import holds, payments
from transaction_service.persistence.holds import Void


@dataclass(frozen=True, slots=True)
class VoidPayment:
    """The command; the author is who asks."""

    payment_id: UUID
    client_id: str
    idempotency_key: str
    reason: str
    origin: Origin
    traceparent: str | None = None


class VoidKeyReused(Exception):
    """The key asked for another void before, which differs in `fields`; nothing was done."""

    def __init__(self, payment_id: UUID, fields: list[str]) -> None:
        super().__init__(f"the void differs in {fields}")
        self.payment_id = payment_id
        self.fields = fields


async def void_payment(connection: AsyncConnection, command: VoidPayment, *, at: datetime) -> bool:
    """Ask for the void; return whether this key had asked for it before.

    Raises `UnknownPayment`, `VoidKeyReused`, and `HoldRefused` where nothing is held.
    """
    found = await payments.lock_original(connection, command.payment_id, client_id=command.client_id)
    if found is None:
        raise UnknownPayment(command.payment_id)
    payment, standing, _ = found
    void = Void(
        client_id=command.client_id,
        idempotency_key=command.idempotency_key,
        payment_id=command.payment_id,
        reason=command.reason,
        author=command.origin.actor,
        requested_at=at,
    )
    if await _asked_before(connection, void):
        return True
    open_hold(payment, status=standing.status)
    if not await holds.save_void(connection, void):
        # The same key was sent for two payments at once, each of which is locked by its own request.
        return await _asked_before(connection, void)
    asked = VoidRequested(
        payment_id=payment.id, client_id=void.client_id, reason=void.reason, author=void.author
    )
    event = new_event(
        asked,
        subject=str(payment.id),
        sequence=standing.sequence,
        at=at,
        traceparent=command.traceparent,
    )
    await outbox.add(connection, [event])
    entry = Entry(
        action="payment.void-asked", subject_type="payment", subject=str(payment.id), reason=void.reason
    )
    await record(connection, command.origin, entry, at=at)
    return False


async def _asked_before(connection: AsyncConnection, void: Void) -> bool:
    earlier = await holds.load_void(connection, client_id=void.client_id, key=void.idempotency_key)
    if earlier is None:
        return False
    fields = [name for name in ("payment_id", "reason") if getattr(earlier, name) != getattr(void, name)]
    if fields:
        raise VoidKeyReused(earlier.payment_id, fields)
    return True
