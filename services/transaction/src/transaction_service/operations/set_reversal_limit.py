"""Say how much of a payment may be given back without a second person."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.proposals.proposal import Proposal, author_of, id_of
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.reversal import ReversalLimit
from transaction_service.persistence import reversal_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReversalLimit:
    """The command; `amount_minor` None is no limit."""

    client_id: str
    currency: str
    amount_minor: int | None
    reason: str
    origin: Origin
    proposal: Proposal | None = None


async def set_reversal_limit(
    connection: AsyncConnection, command: SetReversalLimit, *, clock: Clock
) -> ReversalLimit:
    """Put the limit in force; the one in force again is no change. Returns what is in force."""
    await reversal_limits.take_turn(connection, command.client_id)
    standing = await reversal_limits.in_force(connection, command.client_id, currency=command.currency)
    if standing and standing[0].amount_minor == command.amount_minor:
        return standing[0]
    limit = ReversalLimit(
        command.currency,
        command.amount_minor,
        command.reason,
        author_of(command.origin, command.proposal),
        clock.now(),
        id_of(command.proposal),
    )
    await reversal_limits.save(connection, command.client_id, limit)
    before = standing[0].amount_minor if standing else None
    entry = Entry(
        action="reversal-limit.set",
        subject_type="reversal-limit",
        subject=limit.currency,
        before={"amount_minor": before},
        after={"amount_minor": limit.amount_minor, "proposal_id": limit.proposal_id},
        reason=command.reason,
    )
    await record(connection, command.origin, entry, at=limit.changed_at)
    return limit
