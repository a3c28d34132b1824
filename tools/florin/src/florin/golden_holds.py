"""Golden data of holds and customers: a hold that is captured, one that is voided, one that expires."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import messages
from contracts.messages import Payload

CAPTURED, VOIDED, EXPIRED = (UUID(f"019b76da-a800-7000-8000-00000000001{n}") for n in (1, 2, 3))
CUSTOMER = UUID("019b76da-a800-7000-8000-0000000000c1")
_START = datetime(2026, 1, 1, tzinfo=UTC)
_EXPIRES_AT = _START + timedelta(days=7)
_FACTS: dict[str, Any] = {
    "client_id": "demo",
    "kind": "transfer",
    "debtor": "alice",
    "creditor": "hotel",
    "amount_minor": 40_000,
    "currency": "EUR",
    "created_at": _START,
}


def void_requested() -> Payload:
    return messages.VoidRequested(
        payment_id=VOIDED, client_id="demo", reason="the guest has cancelled", author="demo"
    )


def hold_placed() -> Payload:
    return messages.HoldPlaced(
        payment_id=CAPTURED, held_at=_START + timedelta(milliseconds=12), expires_at=_EXPIRES_AT
    )


def hold_ended() -> Payload:
    return messages.HoldEnded(
        payment_id=CAPTURED,
        end="captured",
        captured_minor=30_000,
        released_minor=10_000,
        reason="captured",
        author="demo",
        ended_at=_START + timedelta(hours=1),
    )


def customer_registered() -> Payload:
    return messages.CustomerRegistered(
        customer_id=CUSTOMER, client_id="demo", handles=["0f" * 32, "1e" * 32], version=1
    )


def account_opened() -> Payload:
    return messages.CustomerAccountOpened(
        customer_id=CUSTOMER, client_id="demo", account="alice", currency="EUR"
    )


def approved() -> Payload:
    return messages.PaymentApproved(
        payment_id=CAPTURED, status="APPROVED", occurred_at=_START + timedelta(milliseconds=16), **_FACTS
    )


def voided() -> Payload:
    return messages.PaymentVoided(
        payment_id=VOIDED,
        status="VOIDED",
        reason="the guest has cancelled",
        captured_minor=0,
        occurred_at=_START + timedelta(hours=2),
        **_FACTS,
    )


def expired() -> Payload:
    return messages.PaymentExpired(
        payment_id=EXPIRED, status="EXPIRED", captured_minor=0, occurred_at=_EXPIRES_AT, **_FACTS
    )
