"""How the service's own errors are told to a client: the one table of them."""

from contracts.currencies import UnknownCurrency
from service_kit.field_errors import FieldError
from service_kit.problems import ErrorMap, Problem, invalid_request, not_found
from service_kit.proposals.problems import ERRORS as PROPOSAL_ERRORS

from account_service.domain.account import (
    AccountIsClosed,
    AccountNotEmpty,
    IllegalStateChange,
    OverdraftInUse,
    OverdraftTooLarge,
    SystemAccountIsFixed,
)
from account_service.domain.customer import CustomerNotFound, HandleTaken
from account_service.domain.kyc import IllegalKycMove
from account_service.domain.opening import OpeningRefused
from account_service.domain.posting import PostingKind
from account_service.domain.reversals import CollectionExceedsDebt
from account_service.operations.answer_once import IdempotencyKeyReused
from account_service.operations.movements import MovementDeclined
from account_service.operations.outside_money import SettlementAccountUnknown
from account_service.operations.read_accounts import AccountNotFound

_REUSED = "idempotency_key_reused"
_MAX_FIELDS = 50
# What the account's standing forbids, as against what the request itself has wrong.
_CONFLICTS = frozenset({"account_exists", "account_frozen", "account_closed"})


def _key_reused(error: IdempotencyKeyReused) -> Problem:
    message = "differs from the request that used this key first"
    return Problem(
        422,
        _REUSED,
        "Idempotency key reused",
        "This Idempotency-Key was used before with another request. Nothing was done. "
        "Use a new key for a new intent.",
        fields=[FieldError(name, message, _REUSED) for name in error.differing[:_MAX_FIELDS]],
    )


def _opening_refused(error: OpeningRefused) -> Problem:
    status = 409 if error.code in _CONFLICTS else 422
    message = "differs from the account that exists" if error.code == "account_exists" else error.message
    return Problem(
        status,
        error.code,
        error.code.replace("_", " ").capitalize(),
        f"The account was not opened: {error.message}.",
        fields=[FieldError(name, message, error.code) for name in error.fields],
    )


_DONE = {
    PostingKind.DEPOSIT: "paid in",
    PostingKind.WITHDRAWAL: "paid out",
    PostingKind.COLLECTION: "collected",
    PostingKind.ADJUSTMENT: "adjusted",
}
_STALE = ("condition_not_met", "conditions.version")
_MOVEMENT_DECLINED = {
    "account_frozen": "the account is frozen",
    "account_closed": "the account is closed",
    "currency_mismatch": "the account holds another currency",
    "condition_not_met": "the account does not meet the condition",
    "limit_exceeded": "more would leave the account than its limits allow",
    "insufficient_funds": "less is available on the account",
    "balance_limit_exceeded": "the balance would pass the largest that there can be",
}


def _movement_declined(error: MovementDeclined) -> Problem:
    words = _MOVEMENT_DECLINED.get(error.code, error.code.replace("_", " "))
    # The account is not as the client took it to be (409), or has not enough of what it asks for (422). Who
    # approves an adjustment has asked for no amount.
    stale = (
        error.code in _CONFLICTS
        or (error.code, error.field) == _STALE
        or error.kind is PostingKind.ADJUSTMENT
    )
    return Problem(
        409 if stale else 422,
        error.code,
        error.code.replace("_", " ").capitalize(),
        f"Nothing was {_DONE[error.kind]}: {words}.",
        fields=[FieldError(error.field, words, error.code)],
        extra={} if error.figures is None else {"figures": dict(error.figures)},
    )


def _collection_exceeds_debt(error: CollectionExceedsDebt) -> Problem:
    code = "collection_exceeds_debt"
    return Problem(
        422,
        code,
        "Collection exceeds debt",
        f"Nothing was collected: the account owes {error.owed_minor} minor units.",
        fields=[FieldError("amount_minor", f"must be at most {error.owed_minor}, which is owed", code)],
        extra={"figures": {"asked": error.asked_minor, "owed_minor": error.owed_minor}},
    )


def _settlement_account_unknown(error: SettlementAccountUnknown) -> Problem:
    words = "names no settlement account of this currency; open it first"
    return Problem(
        422,
        "settlement_account_not_found",
        "Settlement account not found",
        f"Nothing was moved: {error}.",
        fields=[FieldError("settlement", words, "settlement_account_not_found")],
    )


def _illegal_state_change(error: IllegalStateChange) -> Problem:
    return Problem(
        409,
        "illegal_state_change",
        "Illegal state change",
        f"An account that is {error.current} cannot become {error.wanted}.",
        fields=[FieldError("state", f"cannot follow {error.current}", "illegal_state_change")],
    )


def _not_empty(_error: AccountNotEmpty) -> Problem:
    return Problem(
        409,
        "account_not_empty",
        "Account not empty",
        "An account is closed only at a balance of zero with no open holds. Move its money first.",
        fields=[FieldError("state", "the balance is not zero, or a hold is open", "account_not_empty")],
    )


def _is_closed(_error: AccountIsClosed) -> Problem:
    return Problem(409, "account_closed", "Account closed", "A closed account does not change any more.")


def _overdraft_in_use(error: OverdraftInUse) -> Problem:
    words = f"must be at least {error.used_minor}, which is in use"
    return Problem(
        409,
        "overdraft_in_use",
        "Overdraft in use",
        f"The overdraft was not changed: {error.used_minor} minor units of it are used or held.",
        fields=[FieldError("overdraft_minor", words, "overdraft_in_use")],
    )


def _overdraft_too_large(_error: OverdraftTooLarge) -> Problem:
    code = "balance_limit_exceeded"
    return Problem(
        422,
        code,
        "Balance limit exceeded",
        "The overdraft was not changed: what is available would pass the largest balance there can be.",
        fields=[FieldError("overdraft_minor", "is too much on top of the balance", code)],
    )


def _system_account(_error: SystemAccountIsFixed) -> Problem:
    return Problem(
        409,
        "system_account",
        "System account",
        "This account belongs to the books themselves. It can be read, and neither changed nor paid into.",
    )


def _unknown_currency(error: UnknownCurrency) -> Problem:
    return invalid_request(FieldError("currency", str(error), error.code))


def _handle_taken(error: HandleTaken) -> Problem:
    words = {"mobile": "mobile number", "email": "e-mail address"}[error.field]
    return Problem(
        409,
        f"{error.field}_taken",
        f"{words.capitalize()} taken",
        f"Another customer has this {words}. Nothing was done.",
        fields=[FieldError(error.field, "belongs to another customer", f"{error.field}_taken")],
    )


def _illegal_kyc_move(error: IllegalKycMove) -> Problem:
    return Problem(
        409,
        "illegal_kyc_move",
        "Illegal KYC move",
        f"Nothing was changed: {error}.",
        fields=[FieldError(error.field, str(error), "illegal_kyc_move")],
    )


ERRORS: ErrorMap = {
    **PROPOSAL_ERRORS,
    CustomerNotFound: lambda _: not_found("customer"),
    HandleTaken: _handle_taken,
    IllegalKycMove: _illegal_kyc_move,
    AccountNotFound: lambda _: not_found("account"),
    IdempotencyKeyReused: _key_reused,
    OpeningRefused: _opening_refused,
    MovementDeclined: _movement_declined,
    CollectionExceedsDebt: _collection_exceeds_debt,
    SettlementAccountUnknown: _settlement_account_unknown,
    IllegalStateChange: _illegal_state_change,
    AccountNotEmpty: _not_empty,
    AccountIsClosed: _is_closed,
    OverdraftInUse: _overdraft_in_use,
    OverdraftTooLarge: _overdraft_too_large,
    SystemAccountIsFixed: _system_account,
    UnknownCurrency: _unknown_currency,
}
