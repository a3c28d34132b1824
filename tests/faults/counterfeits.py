"""What nobody should believe, and what nobody can handle: one maker for each way to be bad."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from contracts.messages import FraudAssessed, Payload, PaymentInitiated, PostingDeclined, PostingRequested
from messaging.event import encode, new_event
from messaging.frame import Frame, seal
from messaging.signing import Key

from .forging import Forge

INITIATED = "florin.payment.initiated.v1"
REQUESTED = "florin.posting.requested.v1"
ASSESSED = "florin.fraud.assessed.v1"


@dataclass(frozen=True, slots=True)
class Bad:
    """A frame of one event, the service to deliver it to, and where it must end and why."""

    service: str
    frame: Frame
    table: str
    reason: str


@dataclass(frozen=True, slots=True)
class Victims:
    """Real payments that a lie can be told about: a settled one, and one that waits for a person's decision.

    `settled` are the settled one's facts, as messages name them.
    """

    settled: Mapping[str, Any]
    in_review: UUID


def forged(forge: Forge) -> Bad:
    """Signed by somebody who knows a key's name and not the key."""
    known = forge.key_of("transaction")
    guessed = Key(known.id, known.producer, bytes(32), active=True)
    return _quarantined("account", forge.sealed(REQUESTED, _asked(), key=guessed), "bad_signature")


def tampered(forge: Forge) -> Bad:
    """The amount was changed on the way."""
    frame = forge.sealed(REQUESTED, _asked())
    body = frame.body.replace(b'"amount_minor":1,', b'"amount_minor":9,')
    assert body != frame.body, "there is an amount to change"
    return _quarantined("account", replace(frame, body=body), "bad_signature")


def old_signature(forge: Forge) -> Bad:
    """A sound frame's signature, under a body that is sound too."""
    old, new = forge.sealed(REQUESTED, _asked()), forge.sealed(REQUESTED, _asked())
    return _quarantined("account", replace(old, body=new.body), "bad_signature")


def moved_signature(forge: Forge) -> Bad:
    """A sound frame sent on as another type's."""
    frame = forge.sealed(INITIATED, _initiated())
    return _quarantined("account", replace(frame, routing_key=REQUESTED), "bad_signature")


def unsigned(forge: Forge) -> Bad:
    """No key and no signature."""
    frame = replace(forge.sealed(INITIATED, _initiated()), key_id="", signature="")
    return _quarantined("fraud", frame, "unknown_key")


def unknown_key(forge: Forge) -> Bad:
    """Well signed, by a key that is in nobody's ring: of a stranger, or retired."""
    key = Key("transaction-0", "transaction", bytes(range(32)), active=True)
    return _quarantined("fraud", forge.sealed(INITIATED, _initiated(), key=key), "unknown_key")


def wrong_producer(forge: Forge) -> Bad:
    """Fraud's own key under what only transaction may say."""
    key = forge.key_of("fraud")
    return _quarantined("account", forge.sealed(REQUESTED, _asked(), key=key), "wrong_producer")


def bad_json(forge: Forge) -> Bad:
    """Well signed, and not JSON."""
    return _quarantined("transaction", forge.sealed(ASSESSED, b'{"id": '), "malformed_body")


def no_event(forge: Forge) -> Bad:
    """Well signed, and not a CloudEvent."""
    return _quarantined("transaction", forge.sealed(ASSESSED, b'{"decision": "approve"}'), "malformed_body")


def unknown_version(forge: Forge) -> Bad:
    """Well signed, and of a version that this release does not know."""
    key = forge.key_of("transaction")
    return _quarantined(
        "account", forge.sealed("florin.posting.requested.v2", _asked(), key=key), "unknown_type"
    )


def from_the_future(forge: Forge) -> Bad:
    """Well signed, a day ahead."""
    at = datetime.now(UTC) + timedelta(days=1)
    frame = seal([_initiated()], routing_key=INITIATED, key=forge.key_of("transaction"), at=at)
    return _quarantined("fraud", frame, "issued_in_future")


def invalid_data(forge: Forge) -> Bad:
    """A sound event with an amount that is no integer."""
    body = _asked().replace(b'"amount_minor":1,', b'"amount_minor":"1",')
    return Bad("account", forge.sealed(REQUESTED, body), "parked", "invalid_data")


def unknown_payment(forge: Forge) -> Bad:
    """An answer about a payment that never was."""
    data = FraudAssessed(payment_id=uuid4(), decision="approve", score=0, reasons=[], rules_version=1)
    return Bad("transaction", forge.sealed(ASSESSED, _event(data)), "parked", "unknown_payment")


def other_facts(forge: Forge, victims: Victims) -> Bad:
    """A payment that was screened comes again with another amount."""
    facts = {**victims.settled, "amount_minor": victims.settled["amount_minor"] + 1}
    data = PaymentInitiated(**facts, created_at=datetime.now(UTC))
    return Bad("fraud", forge.sealed(INITIATED, _event(data)), "parked", "screened_otherwise")


def other_content(forge: Forge, victims: Victims) -> Bad:
    """A payment that was posted is asked for with another amount."""
    facts = {**victims.settled, "amount_minor": victims.settled["amount_minor"] + 1}
    data = PostingRequested(**facts)
    return Bad("account", forge.sealed(REQUESTED, _event(data)), "parked", "payment_already_decided")


def contradiction(forge: Forge, victims: Victims) -> Bad:
    """A settled payment is said to be declined."""
    data = PostingDeclined(payment_id=victims.settled["payment_id"], code="insufficient_funds")
    frame = forge.sealed("florin.posting.declined.v1", _event(data))
    return Bad("transaction", frame, "parked", "illegal_move")


def unforeseen(forge: Forge, victims: Victims) -> Bad:
    """An answer whose text the database refuses: the handler raises every time, and nobody foresaw why."""
    data = PostingDeclined(payment_id=victims.in_review, code="no\0funds")
    frame = forge.sealed("florin.posting.declined.v1", _event(data))
    return Bad("transaction", frame, "parked", "handler_failed")


UNBELIEVABLE: tuple[Callable[[Forge], Bad], ...] = (
    *(forged, tampered, old_signature, moved_signature, unsigned, unknown_key, wrong_producer),
    *(bad_json, no_event, unknown_version, from_the_future),
)
UNMANAGEABLE: tuple[Callable[[Forge], Bad], ...] = (invalid_data, unknown_payment)
CONTRADICTING: tuple[Callable[[Forge, Victims], Bad], ...] = (
    *(other_facts, other_content, contradiction, unforeseen),
)


def _quarantined(service: str, frame: Frame, reason: str) -> Bad:
    return Bad(service, frame, "quarantine", reason)


def _event(data: Payload) -> bytes:
    payment_id: UUID = getattr(data, "payment_id")  # noqa: B009 - every payload here has one
    return encode(new_event(data, subject=str(payment_id), sequence=2, at=datetime.now(UTC)))


def _asked() -> bytes:
    return _event(PostingRequested(payment_id=uuid4(), **_PARTIES))


def _initiated() -> bytes:
    return _event(PaymentInitiated(payment_id=uuid4(), **_PARTIES, created_at=datetime.now(UTC)))


_PARTIES: Mapping[str, Any] = {
    "client_id": "demo",
    "kind": "transfer",
    "debtor": "BAD-A",
    "creditor": "BAD-B",
    "amount_minor": 1,
    "currency": "EUR",
}
