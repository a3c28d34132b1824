"""How the service's own errors are told to a client: the one table of them."""

from uuid import UUID

from contracts.currencies import UnknownCurrency
from service_kit.field_errors import FieldError
from service_kit.problems import ErrorMap, Problem, invalid_request, not_found
from service_kit.proposals.problems import ERRORS as PROPOSAL_ERRORS

from transaction_service.domain.hold import HoldRefused
from transaction_service.domain.party import PartyNotFound
from transaction_service.domain.payment import InvalidPayment
from transaction_service.domain.reversal import ReversalNeedsApproval, ReversalRefused
from transaction_service.operations.accept_batch import BatchKeyReused
from transaction_service.operations.follow_up import UnknownPayment
from transaction_service.operations.void_payment import VoidKeyReused

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


def _reversal_needs_approval(error: ReversalNeedsApproval) -> Problem:
    code = "approval_required"
    figures = {
        "limit_minor": error.limit_minor,
        "reversed_minor": error.reversed_minor,
        "asked_minor": error.asked_minor,
    }
    left = max(0, error.limit_minor - error.reversed_minor)
    return Problem(
        409,
        code,
        "Approval required",
        f"Nothing was done: one alone may give back {error.limit_minor} minor units of a payment, of which "
        f"{left} are left. Propose it (POST /v1/proposals) with the kind reversal.",
        fields=[FieldError("amount_minor", f"must be at most {left} without approval", code)],
        extra={"figures": figures},
    )


def _hold_refused(error: HoldRefused) -> Problem:
    fault = FieldError(error.field, error.message, error.code)
    return Problem(409, error.code, "Hold refused", error.message, fields=[fault])


def _void_key_reused(error: VoidKeyReused) -> Problem:
    message = "differs from the void that used this key first"
    return Problem(
        422,
        _REUSED,
        "Idempotency key reused",
        "This Idempotency-Key was used before with another void. Nothing was done. Use a new key.",
        fields=[FieldError(name, message, _REUSED) for name in error.fields],
        extra={"payment_id": str(error.payment_id)},
    )


def _party_not_found(error: PartyNotFound) -> Problem:
    fault = FieldError(error.field, error.message, error.code)
    return Problem(422, error.code, "Party not found", "A party of the payment is unknown.", fields=[fault])


def _unknown_currency(error: UnknownCurrency) -> Problem:
    return invalid_request(FieldError("currency", "is not an active ISO 4217 code", error.code))


ERRORS: ErrorMap = {
    **PROPOSAL_ERRORS,
    ReversalNeedsApproval: _reversal_needs_approval,
    InvalidPayment: lambda error: invalid_request(FieldError(error.field, error.message, error.code)),
    UnknownCurrency: _unknown_currency,
    BatchKeyReused: _batch_key_reused,
    ReversalRefused: _reversal_refused,
    HoldRefused: _hold_refused,
    VoidKeyReused: _void_key_reused,
    PartyNotFound: _party_not_found,
    UnknownPayment: lambda _: not_found("payment"),
}
