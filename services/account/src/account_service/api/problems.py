"""How the service's own errors are told to a client: the one table of them."""

from contracts.currencies import UnknownCurrency
from service_kit.field_errors import FieldError
from service_kit.problems import ErrorMap, Problem, invalid_request, not_found

from account_service.domain.account import AccountNotEmpty, IllegalStateChange, SystemAccountIsFixed
from account_service.domain.opening import OpeningRefused
from account_service.operations.answer_once import IdempotencyKeyReused
from account_service.operations.deposit import DepositDeclined
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


def _deposit_declined(error: DepositDeclined) -> Problem:
    words = {
        "account_frozen": "the account is frozen",
        "account_closed": "the account is closed",
        "currency_mismatch": "the account holds another currency",
        "balance_limit_exceeded": "the balance would pass the largest that there can be",
    }[error.code]
    return Problem(
        409 if error.code in _CONFLICTS else 422,
        error.code,
        error.code.replace("_", " ").capitalize(),
        f"Nothing was paid in: {words}.",
        fields=[FieldError(error.field, words, error.code)],
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
        "An account is closed only at a balance of zero with nothing held. Move its money first.",
        fields=[FieldError("state", "the balance is not zero, or money is held", "account_not_empty")],
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


ERRORS: ErrorMap = {
    AccountNotFound: lambda _: not_found("account"),
    IdempotencyKeyReused: _key_reused,
    OpeningRefused: _opening_refused,
    DepositDeclined: _deposit_declined,
    IllegalStateChange: _illegal_state_change,
    AccountNotEmpty: _not_empty,
    SystemAccountIsFixed: _system_account,
    UnknownCurrency: _unknown_currency,
}
