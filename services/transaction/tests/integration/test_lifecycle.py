"""The way of a payment: each answer moves it once, and nothing moves it where it may not go."""

import hashlib
import json
from uuid import UUID, uuid4

import pytest
from contracts.messages import FraudAssessed, PostingCompleted

from .conftest import Service

INITIATED, REQUESTED = "florin.payment.initiated.v1", "florin.posting.requested.v1"
SETTLED, REJECTED = "florin.payment.settled.v1", "florin.payment.rejected.v1"
IN_REVIEW = "florin.payment.in-review.v1"


async def test_an_accepted_payment_can_be_read_at_once(service: Service) -> None:
    """202, a Location, and a row behind it."""
    answer = await service.pay(reference="r-1", description="d", metadata={"order": "7"})
    assert answer.headers["Location"] == f"/v1/payments/{answer.json()['id']}"
    found = await service.api.get(answer.headers["Location"])
    assert found.json()["status"] == "PENDING"
    assert found.json()["metadata"] == {"order": "7"}
    assert await service.told(answer.json()["id"]) == [INITIATED]


async def test_screened_and_posted_it_settles(service: Service) -> None:
    """APPROVED and SETTLED come from the ledger's one answer."""
    payment_id = await service.accepted()
    await service.assessed(payment_id)
    assert (await service.get(payment_id))["status"] == "PENDING"
    await service.posted(payment_id)
    assert await service.states(payment_id) == ["PENDING", "APPROVED", "SETTLED"]
    assert await service.told(payment_id) == [INITIATED, REQUESTED, SETTLED]


async def test_declined_by_screening_it_is_rejected(service: Service) -> None:
    """And the ledger is never asked."""
    payment_id = await service.accepted()
    await service.assessed(payment_id, "decline")
    assert await service.states(payment_id) == ["PENDING", "REJECTED"]
    assert (await service.get(payment_id))["reason"] == "screening_declined"
    assert await service.told(payment_id) == [INITIATED, REJECTED]


async def test_declined_by_the_ledger_it_is_rejected_with_the_ledgers_code(service: Service) -> None:
    """The client reads the rule that refused it."""
    payment_id = await service.accepted()
    await service.assessed(payment_id)
    await service.declined(payment_id, "insufficient_funds")
    assert (await service.get(payment_id))["reason"] == "insufficient_funds"
    assert await service.told(payment_id) == [INITIATED, REQUESTED, REJECTED]


@pytest.mark.parametrize(("decision", "end"), [("approve", "SETTLED"), ("decline", "REJECTED")])
async def test_a_review_holds_it_until_a_person_decides(service: Service, decision: str, end: str) -> None:
    """REVIEW, then on or rejected."""
    payment_id = await service.accepted()
    await service.assessed(payment_id, "review")
    assert await service.states(payment_id) == ["PENDING", "REVIEW"]
    await service.reviewed(payment_id, decision)
    if decision == "approve":
        await service.posted(payment_id)
    assert (await service.states(payment_id))[-1] == end
    assert (await service.told(payment_id))[1] == IN_REVIEW


async def test_the_same_answer_ten_times_moves_it_once(service: Service) -> None:
    """Redelivery is recognised by the inbox; a second answer with another id by where the payment stands."""
    payment_id = await service.accepted()
    approve = FraudAssessed(
        payment_id=UUID(payment_id), decision="approve", score=0, reasons=[], rules_version=1
    )
    await service.hear(approve, redelivered=10)
    assert await service.told(payment_id) == [INITIATED, REQUESTED]
    posted = PostingCompleted(
        payment_id=UUID(payment_id), posting_id=uuid4(), posted_at=service.parts.clock.now()
    )
    await service.hear(posted, posted, redelivered=10)
    assert await service.states(payment_id) == ["PENDING", "APPROVED", "SETTLED"]
    assert await service.told(payment_id) == [INITIATED, REQUESTED, SETTLED]


async def test_an_answer_that_contradicts_the_end_is_parked(service: Service) -> None:
    """A decline after settlement is for a person to look at; the payment stays as it is."""
    payment_id = await service.settled()
    await service.declined(payment_id)
    assert await service.states(payment_id) == ["PENDING", "APPROVED", "SETTLED"]
    assert (
        await service.scalar("SELECT reason FROM parked WHERE subject = :id", id=payment_id) == "illegal_move"
    )


async def test_an_answer_about_an_unknown_payment_is_parked(service: Service) -> None:
    """Nobody knows it, so nothing can be done with it but keep it."""
    unknown = str(uuid4())
    await service.posted(unknown)
    assert (
        await service.scalar("SELECT reason FROM parked WHERE subject = :id", id=unknown) == "unknown_payment"
    )


async def test_hashes_and_chain_recompute_from_content(service: Service) -> None:
    """By the description in `domain/hashing.py`, from what the API shows."""
    payment_id = await service.settled(reference="ünïcode", metadata={"k": 'quote " and \\ slash'})
    found = await service.get(payment_id)
    immutable = ("id", "kind", "debtor", "creditor", "amount_minor", "currency", "reference", "description")
    form = {name: found[name] for name in (*immutable, "metadata", "capture", "reverses")}
    key = await service.scalar("SELECT idempotency_key FROM payments WHERE id = :id", id=payment_id)
    form |= {"client_id": "alpha", "idempotency_key": key, "created_at": found["created_at"]}
    assert _sha256("florin-payment-v1\n", form) == found["record_hash"]
    previous = found["record_hash"]
    for step in found["lifecycle"]:
        assert step["previous_hash"] == previous
        shown = {
            name: step[name] for name in ("sequence", "status", "reason", "occurred_at", "previous_hash")
        }
        assert _sha256("florin-payment-event-v1\n", shown | {"payment_id": payment_id}) == step["hash"]
        previous = step["hash"]


def _sha256(label: str, form: dict[str, object]) -> str:
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256((label + text).encode()).hexdigest()
