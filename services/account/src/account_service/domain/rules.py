"""The rules of a posting: who may pay whom, from which hold, in what currency, how much."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from contracts.money import MAX_BALANCE_MINOR

from account_service.domain.account import Account, AccountState, Way
from account_service.domain.hold import Hold, HoldState
from account_service.domain.naming import is_reserved
from account_service.domain.posting import PAYMENT_KINDS, PostingKind, PostingRequest


class DeclineCode(StrEnum):
    """Why a posting was declined: stable words that clients may build on."""

    DEBTOR_NOT_FOUND = "debtor_not_found"
    CREDITOR_NOT_FOUND = "creditor_not_found"
    SYSTEM_ACCOUNT_NOT_ALLOWED = "system_account_not_allowed"
    SAME_ACCOUNT = "same_account"
    DEBTOR_FROZEN = "debtor_frozen"
    DEBTOR_CLOSED = "debtor_closed"
    CREDITOR_FROZEN = "creditor_frozen"
    CREDITOR_CLOSED = "creditor_closed"
    CURRENCY_MISMATCH = "currency_mismatch"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"
    BALANCE_LIMIT_EXCEEDED = "balance_limit_exceeded"
    CONDITION_NOT_MET = "condition_not_met"
    HOLD_NOT_FOUND = "hold_not_found"
    HOLD_CAPTURED = "hold_captured"
    HOLD_VOIDED = "hold_voided"
    HOLD_EXPIRED = "hold_expired"
    PAYEE_HAS_SPENT_IT = "payee_has_spent_it"
    CAPTURE_EXCEEDS_HOLD = "capture_exceeds_hold"


@dataclass(frozen=True, slots=True)
class Declined:
    """No money has moved; `field` is the part of the request that stands in the way.

    `figures` are what the refusal turned on, where the request alone does not tell.
    """

    code: DeclineCode
    field: str
    figures: Mapping[str, int | str] | None = None


_ENDED: Mapping[HoldState, DeclineCode] = {
    HoldState.CAPTURED: DeclineCode.HOLD_CAPTURED,
    HoldState.VOIDED: DeclineCode.HOLD_VOIDED,
    HoldState.EXPIRED: DeclineCode.HOLD_EXPIRED,
}
_WAY_OUT: Mapping[PostingKind, Way] = {PostingKind.HOLD: Way.HOLD, PostingKind.CAPTURE: Way.CAPTURE}
_PAYS_THE_BOOKS = frozenset({PostingKind.WITHDRAWAL, PostingKind.COLLECTION, PostingKind.ADJUSTMENT})
_OVER = frozenset({AccountState.CLOSING, AccountState.CLOSED})


def decline_for(
    request: PostingRequest,
    *,
    debtor: Account | None,
    creditor: Account | None,
    hold: Hold | None,
    at: datetime,
    receivable: Account | None = None,
) -> Declined | None:
    """The first rule that the request breaks, or None when the money may move, or be held.

    `hold` is what a capture names, if it is there; `receivable` is the account that pays what a reversal's
    debtor has not, where the client has it so. The order is fixed (who, from which hold, whether at all,
    in what currency, on which condition, how much), so that the same request on the same books always meets
    the same rule.
    """
    # By name, not by what is found: the answer must not depend on whether the system account is open yet.
    if request.kind in PAYMENT_KINDS and is_reserved(request.debtor):
        return Declined(DeclineCode.SYSTEM_ACCOUNT_NOT_ALLOWED, "debtor")
    if request.kind not in _PAYS_THE_BOOKS and is_reserved(request.creditor):
        return Declined(DeclineCode.SYSTEM_ACCOUNT_NOT_ALLOWED, "creditor")
    if debtor is None:
        return Declined(DeclineCode.DEBTOR_NOT_FOUND, "debtor")
    if creditor is None:
        return Declined(DeclineCode.CREDITOR_NOT_FOUND, "creditor")
    if debtor.id == creditor.id:
        return Declined(DeclineCode.SAME_ACCOUNT, "creditor")
    return (
        _refuse_hold(request, hold, at)
        or _refuse_state(request, debtor, creditor)
        or _refuse_currency(request, debtor, creditor)
        or _refuse_condition(request, debtor)
        or _refuse_amount(request, debtor, creditor, hold, receivable)
    )


def _refuse_hold(request: PostingRequest, hold: Hold | None, at: datetime) -> Declined | None:
    if request.hold is not None and at >= request.hold.expires_at:
        return Declined(DeclineCode.HOLD_EXPIRED, "hold")
    if request.capture is None:
        return None
    # Between other parties there is no such hold, whatever its id: its account is not the one locked here.
    if hold is None or (hold.debtor, hold.creditor) != (request.debtor, request.creditor):
        return Declined(DeclineCode.HOLD_NOT_FOUND, "capture")
    if hold.end is not None:
        return Declined(_ENDED[hold.end.state], "capture")
    if hold.is_due(at):
        return Declined(DeclineCode.HOLD_EXPIRED, "capture")
    if hold.captured_minor + request.amount_minor > hold.limit_minor:
        figures = {"limit": hold.limit_minor, "used": hold.captured_minor, "asked": request.amount_minor}
        return Declined(DeclineCode.CAPTURE_EXCEEDS_HOLD, "amount_minor", figures)
    return None


def _refuse_state(request: PostingRequest, debtor: Account, creditor: Account) -> Declined | None:
    if debtor.state is AccountState.ACTIVE and creditor.state is AccountState.ACTIVE:
        return None  # as nearly always, and without a look into a table
    if not debtor.lets(_WAY_OUT.get(request.kind, Way.OUT)):
        over = debtor.state in _OVER
        return Declined(DeclineCode.DEBTOR_CLOSED if over else DeclineCode.DEBTOR_FROZEN, "debtor")
    if not creditor.lets(Way.IN):
        over = creditor.state in _OVER
        return Declined(DeclineCode.CREDITOR_CLOSED if over else DeclineCode.CREDITOR_FROZEN, "creditor")
    return None


def _refuse_currency(request: PostingRequest, debtor: Account, creditor: Account) -> Declined | None:
    if debtor.currency != request.currency:
        return Declined(DeclineCode.CURRENCY_MISMATCH, "debtor")
    if creditor.currency != request.currency:
        return Declined(DeclineCode.CURRENCY_MISMATCH, "creditor")
    return None


def _refuse_condition(request: PostingRequest, debtor: Account) -> Declined | None:
    asked = request.conditions
    if asked is None:
        return None
    if asked.version is not None and asked.version != debtor.version:
        figures = {"asked": asked.version, "version": debtor.version}
        return Declined(DeclineCode.CONDITION_NOT_MET, "conditions.version", figures)
    available_minor, least_minor = debtor.available_minor, asked.available_at_least_minor
    if least_minor is not None and available_minor is not None and available_minor < least_minor:
        figures = {"asked": least_minor, "available_minor": available_minor}
        return Declined(DeclineCode.CONDITION_NOT_MET, "conditions.available_at_least_minor", figures)
    return None


def missing_minor(request: PostingRequest, debtor: Account) -> int:
    """How much of a reversal its debtor has not: the payee of the payment, who has spent it."""
    spendable_minor = debtor.spendable_minor
    if request.kind is not PostingKind.REVERSAL or spendable_minor is None:
        return 0
    # One who is closing may stand below zero, and yet owes no more than what is given back.
    return max(0, request.amount_minor - max(0, spendable_minor))


def _refuse_amount(
    request: PostingRequest,
    debtor: Account,
    creditor: Account,
    hold: Hold | None,
    receivable: Account | None,
) -> Declined | None:
    amount_minor = request.amount_minor
    # What is held for it may always be taken; only more than that must be available.
    beyond_minor = amount_minor if hold is None else amount_minor - hold.remaining_minor
    if beyond_minor > 0 and not debtor.can_spend(beyond_minor):
        if request.kind is not PostingKind.REVERSAL:
            return Declined(DeclineCode.INSUFFICIENT_FUNDS, "amount_minor")
        if receivable is None:
            figures = {"asked": amount_minor, "available_minor": max(0, debtor.spendable_minor or 0)}
            return Declined(DeclineCode.PAYEE_HAS_SPENT_IT, "amount_minor", figures)
        owed_minor = missing_minor(request, debtor)
        if receivable.posted_minor - owed_minor < -MAX_BALANCE_MINOR:
            return Declined(DeclineCode.BALANCE_LIMIT_EXCEEDED, "debtor")
    # Available money, too, must stay a number that every JSON reader holds exactly: count the overdraft in.
    if creditor.posted_minor + (creditor.overdraft_minor or 0) + amount_minor > MAX_BALANCE_MINOR:
        return Declined(DeclineCode.BALANCE_LIMIT_EXCEEDED, "creditor")
    if debtor.posted_minor - amount_minor < -MAX_BALANCE_MINOR:
        return Declined(DeclineCode.BALANCE_LIMIT_EXCEEDED, "debtor")
    return None
