"""One batch of answers about payments, worked off in order against locked standings.

The decision for each answer is a pure function of the payment and where it stands; what it wants done is
gathered here and saved set-based.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from contracts.messages import Payload
from messaging import outbox
from messaging.event import Event
from messaging.failures import PermanentFailure
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.hold import HoldEnd
from transaction_service.domain.lifecycle import UNSUCCESSFUL, IllegalMove, LifecycleEvent, Standing
from transaction_service.domain.payment import Payment
from transaction_service.operations import figures
from transaction_service.persistence import holds, payments
from transaction_service.persistence.holds import Refusal

P = TypeVar("P", bound=Payload)


@dataclass(slots=True)
class Step:
    """What one answer leads to: moves of the payment, events to send, and what is kept beside the moves."""

    moves: list[LifecycleEvent] = field(default_factory=list)
    standing: Standing | None = None
    events: list[Event[Any]] = field(default_factory=list)
    ends: list[HoldEnd] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


Decide = Callable[[Event[P], Payment, Standing], Step]


async def advance(
    connection: AsyncConnection,
    answers: Sequence[Event[P]],
    *,
    payment_id: Callable[[P], UUID],
    decide: Decide[P],
) -> None:
    """Apply answers in order. Raises `PermanentFailure` for an unknown payment or an illegal move."""
    locked = await payments.lock(connection, (payment_id(answer.data) for answer in answers))
    moves: list[LifecycleEvent] = []
    events: list[Event[Any]] = []
    released: list[tuple[UUID, int]] = []
    ends: list[HoldEnd] = []
    refusals: list[Refusal] = []
    for answer in answers:
        found = locked.get(payment_id(answer.data))
        if found is None:
            raise PermanentFailure("unknown_payment", f"there is no payment {payment_id(answer.data)}")
        payment, standing = found
        try:
            step = decide(answer, payment, standing)
        except IllegalMove as error:
            raise PermanentFailure("illegal_move", str(error)) from error
        figures.note_moves(connection, payment, standing, step.moves)
        moves += step.moves
        events += step.events
        ends += step.ends
        refusals += step.refusals
        if step.standing is not None:
            locked[payment.id] = (payment, step.standing)
            if step.standing.status in UNSUCCESSFUL and payment.order.reverses is not None:
                # What this reversal had reserved of its original may be reversed by another.
                released.append((payment.order.reverses, -payment.order.amount_minor))
    await payments.save_moves(connection, moves)
    await payments.add_reversed(connection, released)
    await holds.save_ends(connection, ends)
    await holds.save_refusals(connection, refusals)
    await outbox.add(connection, events)
