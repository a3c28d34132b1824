"""Golden events and the golden frame: examples that never change, by which any reader can test itself.

Everything here is fixed: ids, times, texts and the key. The key is published with the frame, so that it
protects nothing and must never enter a key ring.
"""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import messages
from contracts.catalogue import BY_NAME, BY_PAYLOAD
from contracts.messages import Payload
from messaging.event import Event, encode
from messaging.frame import CONTENT_TYPE, Frame
from messaging.signing import Key, sign

from florin import golden_holds

KEY = Key("transaction-golden", "transaction", bytes(range(32)), active=True)
FRAME_ID = "019b76da-a800-7000-8000-00000000f4a3"
ISSUED_AT = "2026-01-01T00:00:01.000Z"
FRAME_TYPE = "florin.payment.settled.v1"

_START = datetime(2026, 1, 1, tzinfo=UTC)
_TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
_PAYMENT, _HELD, _REVERSAL = (UUID(f"019b76da-a800-7000-8000-00000000000{n}") for n in (1, 2, 3))
_FACTS: dict[str, Any] = {
    "client_id": "demo",
    "kind": "transfer",
    "debtor": "alice",
    "creditor": "bob",
    "amount_minor": 1250,
    "currency": "EUR",
}
_REFERENCE = {"reference": "Invoice 4711, März"}
_HELD_FACTS = {**_FACTS, "amount_minor": 2_500_000, "currency": "JPY", "reference": None}


def golden_events() -> dict[str, Event[Payload]]:
    """One event of each type, by name: of a payment that settles, and of one that is held and refused."""
    initiated = _event(1, _initiated(), _PAYMENT, sequence=1, after_ms=0)
    assessed = _event(2, _assessed(), _PAYMENT, sequence=1, after_ms=4, cause=initiated)
    requested = _event(3, _requested(), _PAYMENT, sequence=1, after_ms=8, cause=assessed)
    completed = _event(4, _completed(), _PAYMENT, sequence=1, after_ms=12, cause=requested)
    settled = _event(5, _settled(), _PAYMENT, sequence=3, after_ms=16, cause=completed)
    in_review = _event(6, _in_review(), _HELD, sequence=2, after_ms=20)
    resolved = _event(7, _resolved(), _HELD, sequence=2, after_ms=3_600_000)
    rejected = _event(8, _rejected(), _HELD, sequence=3, after_ms=3_600_004, cause=resolved)
    declined = _event(9, _declined(), _REVERSAL, sequence=1, after_ms=24)
    first = (initiated, assessed, requested, completed, settled, in_review, resolved, rejected, declined)
    made = (*first, *_of_holds())
    by_name = {event.type: event for event in made}
    # A new type in the catalogue needs its golden event here.
    assert by_name.keys() == BY_NAME.keys(), f"no golden event of {BY_NAME.keys() - by_name.keys()}"
    return {name: by_name[name] for name in BY_NAME}


def _of_holds() -> tuple[Event[Payload], ...]:
    hour, week = 3_600_000, 7 * 24 * 3_600_000
    placed = _event(11, golden_holds.hold_placed(), golden_holds.CAPTURED, sequence=1, after_ms=12)
    void = _event(12, golden_holds.void_requested(), golden_holds.VOIDED, sequence=2, after_ms=2 * hour)
    return (
        placed,
        void,
        _event(13, golden_holds.hold_ended(), golden_holds.CAPTURED, sequence=2, after_ms=hour),
        _event(14, golden_holds.approved(), golden_holds.CAPTURED, sequence=2, after_ms=16, cause=placed),
        _event(15, golden_holds.voided(), golden_holds.VOIDED, sequence=3, after_ms=2 * hour, cause=void),
        _event(16, golden_holds.expired(), golden_holds.EXPIRED, sequence=3, after_ms=week),
        _event(17, golden_holds.customer_registered(), golden_holds.CUSTOMER, sequence=1, after_ms=0),
        _event(18, golden_holds.account_opened(), golden_holds.CUSTOMER, sequence=2, after_ms=1),
    )


def golden_frame() -> Frame:
    """Two settled payments in one signed frame."""
    first = golden_events()[FRAME_TYPE]
    second = replace(
        first,
        id=_event_id(10),
        subject=str(_REVERSAL),
        traceparent=None,
        causation_id=None,
        data=_settled_reversal(),
    )
    body = b"[" + b",".join(encode(event) for event in (first, second)) + b"]"
    signature = sign(
        KEY,
        frame_id=FRAME_ID,
        routing_key=FRAME_TYPE,
        content_type=CONTENT_TYPE,
        issued_at=ISSUED_AT,
        body=body,
    )
    return Frame(FRAME_ID, FRAME_TYPE, CONTENT_TYPE, KEY.id, ISSUED_AT, signature, body)


def golden_files() -> dict[str, bytes]:
    """What lies under docs/api, by its path there."""
    files = {f"golden/{name}.json": _pretty(json.loads(encode(e))) for name, e in golden_events().items()}
    frame = golden_frame()
    secret = base64.b64encode(KEY.secret).decode()
    return {
        **files,
        "golden-frame/body.bin": frame.body,
        "golden-frame/key.json": _pretty(
            {"keys": [{"id": KEY.id, "producer": KEY.producer, "secret": secret, "active": KEY.active}]}
        ),
        "golden-frame/message.json": _pretty(
            {
                "routing_key": frame.routing_key,
                "properties": {
                    "content_type": frame.content_type,
                    "delivery_mode": 2,
                    "message_id": frame.id,
                },
                "headers": {
                    "florin-key-id": frame.key_id,
                    "florin-issued-at": frame.issued_at,
                    "florin-signature": frame.signature,
                },
            }
        ),
    }


def _at(after_ms: int) -> datetime:
    return _START + timedelta(milliseconds=after_ms)


def _event(
    number: int,
    data: Payload,
    payment_id: UUID,
    *,
    sequence: int,
    after_ms: int,
    cause: Event[Payload] | None = None,
) -> Event[Payload]:
    entry = BY_PAYLOAD[type(data)]
    return Event(
        id=_event_id(number),
        type=entry.name,
        source=f"/florin/{entry.producer}",
        subject=str(payment_id),
        sequence=sequence,
        occurred_at=_at(after_ms),
        traceparent=_TRACE,
        causation_id=cause.id if cause is not None else None,
        data=data,
    )


def _event_id(number: int) -> UUID:
    return UUID(f"019b76da-a800-7000-8000-0000000e{number:04x}")


def _initiated() -> Payload:
    return messages.PaymentInitiated(payment_id=_PAYMENT, created_at=_START, **_FACTS, **_REFERENCE)


def _assessed() -> Payload:
    return messages.FraudAssessed(
        payment_id=_PAYMENT, decision="approve", score=0, reasons=[], rules_version=1
    )


def _requested() -> Payload:
    return messages.PostingRequested(payment_id=_PAYMENT, **_FACTS)


def _completed() -> Payload:
    return messages.PostingCompleted(payment_id=_PAYMENT, posting_id=_event_id(0xFFFF), posted_at=_at(12))


def _settled() -> Payload:
    return messages.PaymentSettled(
        payment_id=_PAYMENT,
        status="SETTLED",
        created_at=_START,
        occurred_at=_at(16),
        **_FACTS,
        **_REFERENCE,
    )


def _settled_reversal() -> Payload:
    mirrored = {**_FACTS, "kind": "reversal", "debtor": "bob", "creditor": "alice", "amount_minor": 250}
    return messages.PaymentSettled(
        payment_id=_REVERSAL,
        status="SETTLED",
        reverses=_PAYMENT,
        created_at=_at(14),
        occurred_at=_at(16),
        **mirrored,
    )


def _in_review() -> Payload:
    return messages.PaymentInReview(
        payment_id=_HELD,
        status="REVIEW",
        reason="large-amount:amount",
        created_at=_START,
        occurred_at=_at(20),
        **_HELD_FACTS,
    )


def _resolved() -> Payload:
    return messages.ReviewResolved(
        payment_id=_HELD, decision="decline", reason="payee unknown to the payer", resolved_by="operator"
    )


def _rejected() -> Payload:
    return messages.PaymentRejected(
        payment_id=_HELD,
        status="REJECTED",
        reason="review_declined",
        created_at=_START,
        occurred_at=_at(3_600_004),
        **_HELD_FACTS,
    )


def _declined() -> Payload:
    return messages.PostingDeclined(payment_id=_REVERSAL, code="insufficient_funds", field="debtor")


def _pretty(document: object) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
