"""How the service's own errors are told to a client: the one table of them."""

from uuid import UUID

from contracts.currencies import UnknownCurrency
from service_kit.field_errors import FieldError
from service_kit.problems import ErrorMap, Problem, invalid_request, not_found

from transaction_service.domain.payment import InvalidPayment
from transaction_service.domain.reversal import ReversalRefused
from transaction_service.operations.accept_batch import BatchKeyReused
from transaction_service.operations.reverse_payment import UnknownPayment

_REUSED = "idempotency_key_reused"


def key_reused(payment_id: UUID, fields: list[str]) -> Problem:
    """422: the key made another payment; names where the two differ."""
    return Problem(
        422,
        _REUSED,
        "Idempotency key reused",
        "This Idempotency-Key was used before with another payment. Nothing was done. "
        "Use a new key for a new payment.",
        fields=[
            FieldError(name, "differs from the request that used this key first", _REUSED) for name in fields
        ],
        extra={"payment_id": str(payment_id)},
    )


def _batch_key_reused(error: BatchKeyReused) -> Problem:
    message = "differs from the batch that used this key first"
    return Problem(
        422,
        _REUSED,
        "Idempotency key reused",
        "This Idempotency-Key was used before with another batch. Nothing was done. "
        "Use a new key for a new batch.",
        fields=[FieldError(f"payments.{i}", message, _REUSED) for i in error.positions[:50]],
    )


def _reversal_refused(error: ReversalRefused) -> Problem:
    field = "amount_minor" if error.code == "exceeds_original" else "payment_id"
    return Problem(
        409,
        error.code,
        "Reversal refused",
        error.message,
        fields=[FieldError(field, error.message, error.code)],
    )


def _unknown_currency(error: UnknownCurrency) -> Problem:
    return invalid_request(FieldError("currency", "is not an active ISO 4217 code", error.code))


ERRORS: ErrorMap = {
    InvalidPayment: lambda error: invalid_request(FieldError(error.field, error.message, error.code)),
    UnknownCurrency: _unknown_currency,
    BatchKeyReused: _batch_key_reused,
    ReversalRefused: _reversal_refused,
    UnknownPayment: lambda _: not_found("payment"),
}
