"""Set what may leave accounts: by default, by KYC level, or one account's own."""

from dataclasses import dataclass

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.proposals.proposal import Proposal, author_of, id_of
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountKind, SystemAccountIsFixed
from account_service.domain.limits import LimitScope, LimitSet
from account_service.operations.read_accounts import AccountNotFound
from account_service.operations.read_limits import account_subject
from account_service.persistence import accounts, limit_sets
from account_service.persistence.limit_sets import LimitChange, LimitSubject
from account_service.persistence.request_keys import take_turn

# No idempotency key, of 1 to 255 characters, reads so: it has a line break.
_TURN = "limits\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLimits:
    """The command: the client's default for the currency, or, with `kyc_level`, what holds for that level."""

    client_id: str
    currency: str
    limits: LimitSet
    reason: str
    origin: Origin
    kyc_level: str | None = None
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAccountLimits:
    """The command: the account's own limits, in its currency."""

    client_id: str
    account: str
    limits: LimitSet
    reason: str
    origin: Origin
    proposal: Proposal | None = None


async def set_limits(connection: AsyncConnection, command: SetLimits, *, clock: Clock) -> LimitChange:
    """Put the set in place of the one before; the same set again is no change. Returns what is in force."""
    scope = LimitScope.CLIENT if command.kyc_level is None else LimitScope.KYC_LEVEL
    subject = LimitSubject(client_id=command.client_id, scope=scope, kyc_level=command.kyc_level)
    # One change of a client's limits at a time, so that the newest one has the greatest number.
    await take_turn(connection, client_id=command.client_id, key=_TURN)
    in_force, _ = await _replace(connection, subject, command.currency, command, clock)
    return in_force


async def set_account_limits(
    connection: AsyncConnection, command: SetAccountLimits, *, clock: Clock
) -> LimitChange:
    """Put the account's own set in place of the one before; the same again is no change.

    Returns what is in force. Raises AccountNotFound and SystemAccountIsFixed.
    """
    await take_turn(connection, client_id=command.client_id, key=_TURN)
    locked = await accounts.lock_accounts(connection, [(command.client_id, command.account)])
    if not locked:
        raise AccountNotFound(command.account)
    [account] = locked
    if account.kind is AccountKind.SYSTEM:
        raise SystemAccountIsFixed(account.reference)
    in_force, changed = await _replace(connection, account_subject(account), account.currency, command, clock)
    if changed:
        await limit_sets.save_limited(connection, account.id, limited=not command.limits.is_empty)
    return in_force


async def _replace(
    connection: AsyncConnection,
    subject: LimitSubject,
    currency: str,
    command: SetLimits | SetAccountLimits,
    clock: Clock,
) -> tuple[LimitChange, bool]:
    standing = await _in_force(connection, subject, currency)
    if standing is not None and standing.limits == command.limits:
        return standing, False
    at = clock.now()
    await limit_sets.save_limits(
        connection,
        subject,
        currency=currency,
        limits=command.limits,
        reason=command.reason,
        author=author_of(command.origin, command.proposal),
        at=at,
        proposal_id=id_of(command.proposal),
    )
    saved = await _in_force(connection, subject, currency)
    assert saved is not None, "what was just saved is there"
    before = None if standing is None else _told(currency, standing.limits)
    entry = Entry(
        action="limits.set",
        subject_type=subject.scope.value.replace("_", "-"),
        subject=_name(command),
        before=before,
        after=_told(currency, command.limits),
        reason=command.reason,
    )
    await record(connection, command.origin, entry, at=at)
    return saved, True


def _name(command: SetLimits | SetAccountLimits) -> str:
    if isinstance(command, SetAccountLimits):
        return command.account
    return command.kyc_level or command.client_id


def _told(currency: str, limits: LimitSet) -> dict[str, str | int | None]:
    return {"currency": currency, **{limit.value: figure for limit, figure in limits.figures().items()}}


async def _in_force(connection: AsyncConnection, subject: LimitSubject, currency: str) -> LimitChange | None:
    changes = await limit_sets.limits_in_force(connection, subject)
    return next((change for change in changes if change.currency == currency), None)
