"""Accept up to a thousand payments in one request, each with an outcome of its own.

The batch has a key, which guards the request as a whole; each item has one too, which guards its payment,
so that an item may be retried alone or in another batch and still is paid once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.payment import PaymentOrder
from transaction_service.operations.accept_payments import Outcome, PaymentRequest, accept_payments
from transaction_service.operations.name_parties import AskedPayment, Refused, write_orders
from transaction_service.persistence import batches


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an item was not accepted. It stays refused under this batch key, whatever the rules become."""

    code: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One item: what it asks for or why it cannot, and a 32-byte hash of it as it was sent."""

    asked: PaymentOrder | AskedPayment | Refusal
    hash: bytes


@dataclass(frozen=True, slots=True)
class AcceptBatch:
    """The command."""

    client_id: str
    idempotency_key: str
    items: Sequence[BatchItem]
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class BatchAccepted:
    """One outcome for each item, in order; `replayed` if this very batch had been sent before."""

    outcomes: list[Outcome | Refusal]
    replayed: bool


class BatchKeyReused(Exception):
    """The key belongs to a batch that differs in the items at `positions` (or in their number)."""

    def __init__(self, positions: list[int]) -> None:
        super().__init__(f"the batch differs at {positions[:10]}")
        self.positions = positions


async def accept_batch(
    connection: AsyncConnection, command: AcceptBatch, *, at: datetime, new_id: Callable[[], UUID]
) -> BatchAccepted:
    """Accept what can be accepted. Raises `BatchKeyReused`, having done nothing."""
    hashes = [item.hash for item in command.items]
    asked = await _written(connection, command, at)
    refused = {i: item for i, item in enumerate(asked) if isinstance(item, Refusal)}
    is_new = await batches.save_new(
        connection,
        client_id=command.client_id,
        key=command.idempotency_key,
        item_hashes=hashes,
        refused={i: (why.code, why.field, why.message) for i, why in refused.items()},
        at=at,
    )
    if not is_new:
        earlier = await batches.load(connection, client_id=command.client_id, key=command.idempotency_key)
        if earlier.item_hashes != hashes:
            raise BatchKeyReused(_differences(earlier.item_hashes, hashes))
        refused = {i: Refusal(*why) for i, why in earlier.refused.items()}
    orders = [
        (i, item) for i, item in enumerate(asked) if i not in refused and isinstance(item, PaymentOrder)
    ]
    accepted = await accept_payments(
        connection,
        [PaymentRequest(order, command.traceparent) for _, order in orders],
        at=at,
        new_id=new_id,
    )
    by_position: dict[int, Outcome | Refusal] = dict(refused)
    by_position.update(zip((i for i, _ in orders), accepted, strict=True))
    # An item refused now but not then (a rule has changed since) has no outcome of its first sending.
    by_position.update(
        {i: item for i, item in enumerate(asked) if i not in by_position and isinstance(item, Refusal)}
    )
    return BatchAccepted([by_position[i] for i in range(len(command.items))], replayed=not is_new)


async def _written(
    connection: AsyncConnection, command: AcceptBatch, at: datetime
) -> list[PaymentOrder | Refusal]:
    """The items as orders or refusals, the parties of all that name any looked up in one statement."""
    asked = [item.asked for item in command.items if isinstance(item.asked, AskedPayment)]
    if not asked:
        return [item.asked for item in command.items if not isinstance(item.asked, AskedPayment)]
    written = iter(await write_orders(connection, asked, client_id=command.client_id, at=at))
    return [
        _told(next(written)) if isinstance(item.asked, AskedPayment) else item.asked for item in command.items
    ]


def _told(order: PaymentOrder | Refused) -> PaymentOrder | Refusal:
    if isinstance(order, PaymentOrder):
        return order
    return Refusal(order.code, order.field, order.message)


def _differences(first: Sequence[bytes], second: Sequence[bytes]) -> list[int]:
    both = min(len(first), len(second))
    changed = [i for i in range(both) if first[i] != second[i]]
    return changed + list(range(both, max(len(first), len(second))))
