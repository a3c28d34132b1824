"""Manual capture: money is held, then captured in part or whole, or given up; every hold ends once."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from contracts.messages import HoldPlaced
from service_kit.audit import Origin
from testkit.waiting import eventually
from transaction_service.operations.void_payment import VoidPayment, void_payment

from .conftest import Service, now

INITIATED, REQUESTED = "florin.payment.initiated.v1", "florin.posting.requested.v1"
APPROVED, SETTLED = "florin.payment.approved.v1", "florin.payment.settled.v1"
VOIDED, EXPIRED = "florin.payment.voided.v1", "florin.payment.expired.v1"
ALPHA = Origin(client_id="alpha", actor="client:alpha")
VOID = "florin.void.requested.v1"


async def capture(service: Service, payment_id: str, *, key: str | None = None, **body: Any) -> Any:
    """POST a capture; returns the response."""
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await service.api.post(f"/v1/payments/{payment_id}/captures", json=body, headers=headers)


async def void(service: Service, payment_id: str, *, key: str | None = None, **body: Any) -> Any:
    """POST a void; returns the response."""
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await service.api.post(
        f"/v1/payments/{payment_id}/void", json={"reason": "changed our mind"} | body, headers=headers
    )


async def test_a_held_payment_is_approved_and_says_until_when(service: Service) -> None:
    """PENDING, screened, held for seven days unless asked otherwise; nothing has moved."""
    payment_id = await service.held(amount_minor=900)
    found = await service.get(payment_id)
    assert [step["status"] for step in found["lifecycle"]] == ["PENDING", "APPROVED"]
    assert await service.told(payment_id) == [INITIATED, REQUESTED, APPROVED]
    (asked,) = await service.sent(payment_id, REQUESTED)
    assert (asked["kind"], asked["hold"]["captured_many_times"]) == ("hold", False)
    assert asked["hold"]["expires_at"] == found["hold"]["expires_at"]
    hold = found["hold"]
    assert (hold["held_minor"], hold["captured_minor"], hold["released_minor"], hold["end"]) == (
        900,
        0,
        0,
        None,
    )
    created, expires = (found["created_at"], hold["expires_at"])
    assert (expires[:10], expires[10:]) == (_days_later(created, 7), created[10:])


def _days_later(instant: str, days: int) -> str:
    moment = now().fromisoformat(instant) + timedelta(days=days)
    return moment.date().isoformat()


async def test_a_plain_payment_is_asked_for_as_it_always_was(service: Service) -> None:
    """No field more in the message to the ledger, nothing of holds in its answer."""
    payment_id = await service.settled()
    (asked,) = await service.sent(payment_id, REQUESTED)
    assert set(asked) == {
        *("payment_id", "client_id", "kind", "debtor", "creditor", "amount_minor", "currency", "reverses")
    }
    assert (await service.get(payment_id))["hold"] is None


async def test_a_capture_is_a_payment_of_its_own_that_is_not_screened_again(service: Service) -> None:
    """Linked to the authorisation, asked of the ledger at once, and both are told."""
    held = await service.held(amount_minor=900, reference="stay")
    answer = await capture(service, held, amount_minor=600, reference="night one")
    made = answer.json()
    assert (answer.status_code, made["kind"], made["captures"]) == (202, "capture", held)
    assert (made["debtor"], made["creditor"], made["amount_minor"]) == ("A", "B", 600)
    assert await service.told(made["id"]) == [REQUESTED]
    (asked,) = await service.sent(made["id"], REQUESTED)
    assert (asked["kind"], asked["capture"]) == ("capture", {"of": held, "final": True})
    await service.posted(made["id"])
    await service.hold_ended(held, "captured", captured_minor=600, released_minor=300)
    assert await service.states(made["id"]) == ["PENDING", "APPROVED", "SETTLED"]
    (told,) = await service.sent(made["id"], SETTLED)
    assert (told["kind"], told["captures"]) == ("capture", held)
    found = await service.get(held)
    assert (found["status"], found["reason"]) == ("SETTLED", None)
    hold = found["hold"]
    assert (hold["held_minor"], hold["captured_minor"], hold["released_minor"]) == (0, 600, 300)
    assert hold["captures"] == [{"id": made["id"], "amount_minor": 600, "status": "SETTLED"}]
    assert (hold["end"]["ended_as"], hold["end"]["author"]) == ("captured", "somebody")
    (told,) = await service.sent(held, SETTLED)
    assert (told["captured_minor"], told["amount_minor"]) == (600, 900)


async def test_a_hold_opened_so_is_captured_many_times(service: Service) -> None:
    """A part is not final, all that is left is; what is pending counts as taken."""
    held = await service.held(amount_minor=900, hold={"captured_many_times": True, "tolerance_minor": 90})
    first = (await capture(service, held, amount_minor=300)).json()
    rest = (await capture(service, held)).json()
    assert rest["amount_minor"] == 600
    finals = [(await service.sent(one["id"], REQUESTED))[0]["capture"]["final"] for one in (first, rest)]
    assert finals == [False, True]
    await service.posted(first["id"])
    await service.declined(rest["id"], "creditor_frozen")
    hold = (await service.get(held))["hold"]
    assert (hold["held_minor"], hold["captured_minor"], hold["end"]) == (600, 300, None)
    assert [one["status"] for one in hold["captures"]] == ["SETTLED", "REJECTED"]
    assert (await capture(service, held)).json()["amount_minor"] == 600
    refused = await capture(service, held)
    assert (refused.status_code, refused.json()["code"]) == (409, "capture_exceeds_hold")
    over = await capture(service, held, amount_minor=90, final=True)
    assert over.status_code == 202, "how far captures may pass the hold is the ledger's to say"


async def test_a_hold_for_one_capture_cannot_be_kept_open(service: Service) -> None:
    """What contradicts the terms is refused at once."""
    held = await service.held()
    refused = await capture(service, held, amount_minor=1, final=False)
    assert (refused.status_code, refused.json()["code"]) == (409, "captured_once")
    assert refused.json()["errors"][0]["field"] == "final"


@pytest.mark.parametrize("act", [capture, void])
@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("immediate", "not_an_authorisation"),
        ("pending", "not_approved"),
        ("rejected", "not_approved"),
        ("captured", "hold_captured"),
        ("voided", "hold_voided"),
        ("expired", "hold_expired"),
    ],
)
async def test_what_can_be_refused_at_once_is(service: Service, act: Any, state: str, code: str) -> None:
    """409 with the code the ledger would give; nothing is recorded or sent."""
    if state == "immediate":
        payment_id = await service.settled()
    elif state in ("pending", "rejected"):
        payment_id = await service.accepted(capture="manual")
        if state == "rejected":
            await service.assessed(payment_id, "decline")
    else:
        payment_id = await service.held()
        await service.hold_ended(payment_id, state, captured_minor=5 if state == "captured" else 0)
    before = await service.scalar("SELECT count(*) FROM outbox")
    refused = await act(service, payment_id)
    assert (refused.status_code, refused.json()["code"]) == (409, code)
    assert await service.scalar("SELECT count(*) FROM outbox") == before


@pytest.mark.parametrize(
    ("end", "captured_minor", "status", "notice"),
    [
        ("voided", 0, "VOIDED", VOIDED),
        ("expired", 0, "EXPIRED", EXPIRED),
        ("voided", 100, "SETTLED", SETTLED),
        ("expired", 100, "SETTLED", SETTLED),
        ("captured", 1250, "SETTLED", SETTLED),
    ],
)
async def test_a_hold_ends_as_the_ledger_says(
    service: Service, end: str, captured_minor: int, status: str, notice: str
) -> None:
    """SETTLED if any of it was captured, however the rest ended; the same end again changes nothing."""
    held = await service.held()
    for _ in range(2):
        await service.hold_ended(
            held, end, captured_minor=captured_minor, released_minor=1250 - captured_minor
        )
    found = await service.get(held)
    assert [step["status"] for step in found["lifecycle"]] == ["PENDING", "APPROVED", status]
    assert found["reason"] == (None if status == "SETTLED" else f"because {end}")
    assert (found["hold"]["end"]["ended_as"], found["hold"]["captured_minor"]) == (end, captured_minor)
    assert (await service.told(held))[2:] == [APPROVED, notice]
    assert (await service.sent(held, notice))[0]["captured_minor"] == captured_minor


async def test_an_end_that_overtakes_the_beginning_tells_both(service: Service) -> None:
    """Messages of two types may change places; the life of the payment is the same."""
    payment_id = await service.accepted(capture="manual")
    await service.assessed(payment_id)
    await service.hold_ended(payment_id, "expired", released_minor=1250)
    await service.hear(HoldPlaced(payment_id=UUID(payment_id), held_at=now(), expires_at=now()))
    assert await service.states(payment_id) == ["PENDING", "APPROVED", "EXPIRED"]
    assert await service.told(payment_id) == [INITIATED, REQUESTED, APPROVED, EXPIRED]


async def test_answers_that_cannot_be_about_such_a_payment_are_parked(service: Service) -> None:
    """A hold's end for a plain payment, a posting for an authorisation, a second and different end."""
    plain, held, ended = await service.settled(), await service.held(), await service.held()
    await service.hold_ended(plain, "voided")
    await service.posted(held)
    await service.hold_ended(ended, "voided")
    await service.hold_ended(ended, "expired")
    expected = {plain: "no_authorisation", held: "contradictory_answer", ended: "illegal_move"}
    for payment_id, reason in expected.items():
        parked = await service.rows("SELECT reason FROM parked WHERE subject = :id", id=payment_id)
        assert [row.reason for row in parked] == [reason]
    assert (await service.get(ended))["status"] == "VOIDED"


async def test_a_void_is_recorded_and_asked_of_the_ledger(service: Service) -> None:
    """202; reason and author are kept; the state changes when the ledger has ended the hold."""
    held = await service.held()
    answer = await void(service, held, reason="guest cancelled")
    assert (answer.status_code, answer.json()["status"]) == (202, "APPROVED")
    assert answer.headers["Location"] == f"/v1/payments/{held}"
    (asked,) = await service.sent(held, VOID)
    assert (asked["reason"], asked["author"], asked["client_id"]) == (
        "guest cancelled",
        "client:alpha",
        "alpha",
    )
    row = (await service.rows("SELECT * FROM payment_voids WHERE payment_id = :id", id=held))[0]
    assert (row.reason, row.author) == ("guest cancelled", "client:alpha")


async def test_a_void_again_is_replayed_and_another_one_under_its_key_refused(service: Service) -> None:
    """Also once the hold has ended; and twenty at once ask the ledger once."""
    held, other, key = await service.held(), await service.held(), uuid4().hex
    answers = await asyncio.gather(*(void(service, held, key=key) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert len(await service.sent(held, VOID)) == 1
    await service.hold_ended(held, "voided")
    again = await void(service, held, key=key)
    assert (again.status_code, again.json()["status"]) == (202, "VOIDED")
    for changed in (await void(service, held, key=key, reason="x"), await void(service, other, key=key)):
        assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_key_reused")
    assert changed.json()["errors"][0]["field"] == "payment_id"


async def test_one_key_for_voids_of_two_payments_at_once_voids_one(service: Service) -> None:
    """Each request has locked another payment; the key alone stands between them."""
    first, second, key = await service.held(), await service.held(), uuid4().hex
    command = VoidPayment(UUID(first), "alpha", key, "changed our mind", ALPHA)
    async with service.database.transaction() as holder:
        assert await void_payment(holder, command, at=now()) is False
        other = asyncio.create_task(void(service, second, key=key))
        waiting = "SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        waiting += " WHERE NOT l.granted AND a.datname = current_database()"
        await eventually(lambda: service.scalar(waiting))
    refused = await other
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "payment_id")
    assert [len(await service.sent(one, VOID)) for one in (first, second)] == [1, 0]


async def test_a_capture_again_is_replayed_and_another_one_under_its_key_refused(service: Service) -> None:
    """Twenty at once make one; an amount left out matches what was left; the hold's end changes nothing."""
    held, key = await service.held(amount_minor=700), uuid4().hex
    answers = await asyncio.gather(*(capture(service, held, key=key) for _ in range(20)))
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    await service.posted(answers[0].json()["id"])
    await service.hold_ended(held, "captured", captured_minor=700)
    assert (await capture(service, held, key=key)).json()["id"] == answers[0].json()["id"]
    changes: tuple[dict[str, Any], ...] = ({"amount_minor": 699}, {"final": False}, {"reference": "x"})
    for body in changes:
        (field,) = body
        changed = await capture(service, held, key=key, **body)
        assert (changed.status_code, changed.json()["errors"][0]["field"]) == (422, field)
    payment_key = uuid4().hex
    await service.pay(key=payment_key)
    assert (await capture(service, held, key=payment_key)).json()["code"] == "idempotency_key_reused"


async def test_two_captures_of_all_that_is_left_are_not_both_of_it(service: Service) -> None:
    """The authorisation is locked while what is left is reckoned."""
    held = await service.held(hold={"captured_many_times": True})
    answers = await asyncio.gather(*(capture(service, held, final=False) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 9]


async def test_a_capture_is_reversed_and_an_authorisation_is_not(service: Service) -> None:
    """In parts, never above what was captured; the reversal names the capture."""
    held = await service.held(amount_minor=900)
    headers = {"Idempotency-Key": uuid4().hex}
    captured = (await capture(service, held, amount_minor=600)).json()["id"]
    await service.posted(captured)
    await service.hold_ended(held, "captured", captured_minor=600, released_minor=300)
    refused = await service.api.post(f"/v1/payments/{held}/reversals", json={}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (409, "reversal_of_authorisation")
    url = f"/v1/payments/{captured}/reversals"
    made = (await service.api.post(url, json={"amount_minor": 250}, headers=headers)).json()
    assert (made["kind"], made["reverses"], made["captures"], made["debtor"]) == (
        "reversal",
        captured,
        None,
        "B",
    )
    over = await service.api.post(url, json={"amount_minor": 351}, headers={"Idempotency-Key": uuid4().hex})
    assert over.json()["code"] == "exceeds_original"
    assert (await service.get(captured))["reversals"] == [made["id"]]
    again = await service.api.post(
        f"/v1/payments/{made['id']}/reversals", json={}, headers={"Idempotency-Key": uuid4().hex}
    )
    assert again.json()["code"] == "reversal_of_reversal"
