"""What clients are told of held money; and of capture and void one wins, and all agree which."""

import asyncio
from collections import Counter
from typing import Any

from testkit.waiting import eventually

from .conftest import Bank
from .receiving import Receiver, receiving

HOLD_EVENTS = ["payment.approved", "payment.settled", "payment.voided", "payment.expired", "payment.rejected"]
PAIRS = 100


async def _listening(bank: Bank, receiver: Receiver) -> str:
    registered = await bank.notification.post(
        "/v1/webhook-endpoints", json={"url": receiver.url, "event_types": HOLD_EVENTS}
    )
    assert registered.status_code == 201, registered.text
    return str(registered.json()["id"])


async def test_a_part_is_captured_the_rest_released_and_the_client_told(bank: Bank) -> None:
    """APPROVED with the money held; a capture of part of it; SETTLED with the rest back."""
    payer, payee = await bank.open(balance_minor=1_000), await bank.open()
    async with receiving() as receiver:
        endpoint = await _listening(bank, receiver)
        held = await bank.authorise(payer, payee, 600)
        assert await bank.figures(payer) == (1_000, 600, 400)
        capture = (await bank.ask(held["id"], "captures", amount_minor=450)).json()
        assert (capture["status"], capture["captures"]) == ("SETTLED", held["id"])
        told = await eventually(lambda: _all_of(receiver, {held["id"]: 2, capture["id"]: 1}), timeout_s=20)
        await bank.notification.delete(f"/v1/webhook-endpoints/{endpoint}")
    assert await bank.figures(payer) == (550, 0, 550)
    assert await bank.balance(payee) == 450
    payment = await bank.payment(held["id"])
    assert [step["status"] for step in payment["lifecycle"]] == ["PENDING", "APPROVED", "SETTLED"]
    figures = [payment["hold"][f"{what}_minor"] for what in ("held", "captured", "released")]
    assert figures == [0, 450, 150]
    by_id = {(one["data"]["payment_id"], one["type"]): one["data"] for one in told}
    assert by_id[held["id"], "payment.settled"]["captured_minor"] == 450
    assert by_id[capture["id"], "payment.settled"]["captures"] == held["id"]
    assert (held["id"], "payment.approved") in by_id


async def test_of_a_hundred_captures_against_a_hundred_voids_one_wins_each_time(bank: Bank) -> None:
    """A hundred authorisations, each captured and given up at once: payment, hold, balance and webhooks
    say the same, and no money is held any more."""
    payer, payee = await bank.open(balance_minor=100_000), await bank.open()
    async with receiving() as receiver:
        endpoint = await _listening(bank, receiver)
        held = await asyncio.gather(*(bank.authorise(payer, payee, 10) for _ in range(PAIRS)))
        assert await bank.figures(payer) == (100_000, 10 * PAIRS, 100_000 - 10 * PAIRS)
        ids = [one["id"] for one in held]
        asked = [(id_, what) for id_ in ids for what in ("captures", "void")]
        answers = await asyncio.gather(*(_capture_or_void(bank, *one) for one in asked))
        captures = dict(zip(ids, answers[::2], strict=True))
        payments = {id_: await bank.payment(id_) for id_ in ids}
        ended = Counter(one["status"] for one in payments.values())
        assert set(ended) <= {"SETTLED", "VOIDED"}
        assert ended.total() == PAIRS
        wanted = dict.fromkeys(ids, 2)
        told = await eventually(lambda: _all_of(receiver, wanted), timeout_s=30)
        await bank.notification.delete(f"/v1/webhook-endpoints/{endpoint}")
    holds = {one["payment_id"]: one for one in await bank.holds(payer)}
    heard = {(one["data"]["payment_id"], one["data"]["status"]) for one in told}
    for id_, payment in payments.items():
        captured = payment["status"] == "SETTLED"
        assert holds[id_]["state"] == ("CAPTURED" if captured else "VOIDED")
        assert holds[id_]["captured_minor"] == (10 if captured else 0)
        assert _captured(captures[id_]) is captured
        assert {status for of, status in heard if of == id_} == {"APPROVED", payment["status"]}
    moved = 10 * ended["SETTLED"]
    assert await bank.figures(payer) == (100_000 - moved, 0, 100_000 - moved)
    assert await bank.balance(payee) == moved


async def test_fifty_captures_and_fifty_voids_of_one_hold_end_it_once(bank: Bank) -> None:
    """One of a hundred wins; every capture but it is refused, by the code of what won."""
    payer, payee = await bank.open(balance_minor=500), await bank.open()
    held = await bank.authorise(payer, payee, 500)
    asked = ["captures", "void"] * (PAIRS // 2)
    answers = await asyncio.gather(*(_capture_or_void(bank, held["id"], what) for what in asked))
    payment = await bank.payment(held["id"])
    captured = [_captured(one) for one in answers[::2]]
    assert captured.count(True) == (payment["status"] == "SETTLED")
    posted = 0 if payment["status"] == "SETTLED" else 500
    assert await bank.figures(payer) == (posted, 0, posted)
    [hold] = await bank.holds(payer)
    assert hold["state"] == {"SETTLED": "CAPTURED", "VOIDED": "VOIDED"}[payment["status"]]
    assert (await bank.ask(held["id"], "captures")).json().get("status") != "SETTLED"


async def _capture_or_void(bank: Bank, payment_id: str, what: str) -> dict[str, Any]:
    body = {"reason": "the goods are gone"} if what == "void" else {}
    answer = await bank.ask(payment_id, what, **body)
    # Whether it was too late is told as a refusal or as a rejected payment; never as a fault of ours.
    assert answer.status_code < 500, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _captured(answer: dict[str, Any]) -> bool:
    if answer.get("status") == "SETTLED":
        return True
    code = answer["reason"] if answer.get("kind") == "capture" else answer["code"]
    # The last where another capture of the same money has been accepted and not yet decided.
    assert code in {"hold_voided", "hold_captured", "capture_exceeds_hold"}, answer
    return False


def _all_of(receiver: Receiver, wanted: dict[str, int]) -> list[dict[str, Any]]:
    """What was told of these payments, once each has been told of so often."""
    told = [one for one in receiver.told() if one["data"]["payment_id"] in wanted]
    heard = Counter(one["data"]["payment_id"] for one in told)
    return told if all(heard[id_] >= times for id_, times in wanted.items()) else []


async def test_a_hold_that_nobody_captures_expires_and_is_told(bank: Bank) -> None:
    """On time, by the account service's own clock."""
    payer, payee = await bank.open(balance_minor=100), await bank.open()
    async with receiving() as receiver:
        endpoint = await _listening(bank, receiver)
        held = await bank.authorise(payer, payee, 100, expires_in_s=1)
        told = await eventually(lambda: _all_of(receiver, {held["id"]: 2}), timeout_s=30)
        await bank.notification.delete(f"/v1/webhook-endpoints/{endpoint}")
    assert {one["type"] for one in told} == {"payment.approved", "payment.expired"}
    assert (await bank.payment(held["id"]))["status"] == "EXPIRED"
    assert await bank.figures(payer) == (100, 0, 100)
    late = (await bank.ask(held["id"], "captures")).json()
    assert "hold_expired" in (late.get("reason"), late.get("code"))
