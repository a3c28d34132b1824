"""Say what becomes of reversals when the payee has spent the money."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.reversals import ReversalPolicy, ReversalPolicyChange
from account_service.persistence.request_keys import take_turn
from account_service.persistence.reversal_policies import list_policy_changes, record_policy

# No idempotency key, of 1 to 255 characters, reads so: it has a line break.
_TURN = "reversal policy\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReversalPolicy:
    """The command."""

    client_id: str
    policy: ReversalPolicy
    reason: str
    origin: Origin


async def set_reversal_policy(
    connection: AsyncConnection, command: SetReversalPolicy, *, clock: Clock
) -> ReversalPolicyChange:
    """Put the policy in force; the one in force again is no change. Returns what is in force."""
    # One change at a time, so that the newest has the greatest number.
    await take_turn(connection, client_id=command.client_id, key=_TURN)
    standing = await list_policy_changes(connection, command.client_id)
    if standing and standing[0][1].policy is command.policy:
        return standing[0][1]
    change = ReversalPolicyChange(command.policy, command.reason, command.origin.actor, clock.now())
    await record_policy(connection, command.client_id, change)
    entry = Entry(
        action="reversal-policy.set",
        subject_type="client",
        subject=command.client_id,
        before={"policy": standing[0][1].policy} if standing else None,
        after={"policy": command.policy},
        reason=command.reason,
    )
    await record(connection, command.origin, entry, at=change.changed_at)
    return change
