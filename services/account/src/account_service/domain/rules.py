"""The rules of a posting: who may pay whom, in what currency, how much."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.money import MAX_BALANCE_MINOR

from account_service.domain.account import Account, AccountState
from account_service.domain.naming import is_reserved
from account_service.domain.posting import PAYMENT_KINDS, PostingRequest


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
    BALANCE_LIMIT_EXCEEDED = "balance_limit_exceeded"


@dataclass(frozen=True, slots=True)
class Declined:
    """No money has moved; `field` is the part of the request that stands in the way."""

    code: DeclineCode
    field: str


def decline_for(
    request: PostingRequest, *, debtor: Account | None, creditor: Account | None
) -> Declined | None:
    """The first rule that the request breaks, or None when the money may move.

    The order is fixed (who, whether at all, in what currency, how much), so that the same request on the
    same books always meets the same rule.
    """
    # By name, not by what is found: the answer must not depend on whether the system account is open yet.
    if request.kind in PAYMENT_KINDS and is_reserved(request.debtor):
        return Declined(DeclineCode.SYSTEM_ACCOUNT_NOT_ALLOWED, "debtor")
    if is_reserved(request.creditor):
        return Declined(DeclineCode.SYSTEM_ACCOUNT_NOT_ALLOWED, "creditor")
    if debtor is None:
        return Declined(DeclineCode.DEBTOR_NOT_FOUND, "debtor")
    if creditor is None:
        return Declined(DeclineCode.CREDITOR_NOT_FOUND, "creditor")
    if debtor.id == creditor.id:
        return Declined(DeclineCode.SAME_ACCOUNT, "creditor")
    return (
        _refuse_state(debtor, creditor)
        or _refuse_currency(request, debtor, creditor)
        or _refuse_amount(request.amount_minor, debtor, creditor)
    )


def _refuse_state(debtor: Account, creditor: Account) -> Declined | None:
    if debtor.state is not AccountState.ACTIVE:
        frozen = debtor.state is AccountState.FROZEN
        return Declined(DeclineCode.DEBTOR_FROZEN if frozen else DeclineCode.DEBTOR_CLOSED, "debtor")
    if creditor.state is not AccountState.ACTIVE:
        frozen = creditor.state is AccountState.FROZEN
        return Declined(DeclineCode.CREDITOR_FROZEN if frozen else DeclineCode.CREDITOR_CLOSED, "creditor")
    return None


def _refuse_currency(request: PostingRequest, debtor: Account, creditor: Account) -> Declined | None:
    if debtor.currency != request.currency:
        return Declined(DeclineCode.CURRENCY_MISMATCH, "debtor")
    if creditor.currency != request.currency:
        return Declined(DeclineCode.CURRENCY_MISMATCH, "creditor")
    return None


def _refuse_amount(amount_minor: int, debtor: Account, creditor: Account) -> Declined | None:
    if not debtor.can_spend(amount_minor):
        return Declined(DeclineCode.INSUFFICIENT_FUNDS, "amount_minor")
    # Available money, too, must stay a number that every JSON reader holds exactly: count the overdraft in.
    if creditor.posted_minor + (creditor.overdraft_minor or 0) + amount_minor > MAX_BALANCE_MINOR:
        return Declined(DeclineCode.BALANCE_LIMIT_EXCEEDED, "creditor")
    if debtor.posted_minor - amount_minor < -MAX_BALANCE_MINOR:
        return Declined(DeclineCode.BALANCE_LIMIT_EXCEEDED, "debtor")
    return None
