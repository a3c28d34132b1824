"""Held money through all services: authorise, capture, give up, expire, give back."""

import asyncio
from functools import partial
from typing import Any
from uuid import uuid4

from florin.verification.report import verify
from testkit.stacks import RunningServices
from testkit.waiting import eventually

from .conftest import Bank


async def authorise(bank: Bank, payer: str, payee: str, amount_minor: int, **hold: Any) -> str:
    """The id of a payment whose money is held."""
    made = await bank.pay(payer, payee, amount_minor, capture="manual", hold=hold)
    assert made["status"] == "APPROVED", made
    return str(made["id"])


async def act(bank: Bank, payment_id: str, what: str, *, wait: bool = True, **body: Any) -> Any:
    """POST to a payment, and wait for the end; returns the payment that it answers with."""
    headers = {"Idempotency-Key": uuid4().hex} | ({"Prefer": "wait=30"} if wait else {})
    url = f"/v1/payments/{payment_id}/{what}"
    answer = await bank.transaction.post(url, json=body, headers=headers)
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


async def ended(bank: Bank, payment_id: str) -> dict[str, Any]:
    """The payment once it is final."""
    answer = await bank.transaction.get(f"/v1/payments/{payment_id}", headers={"Prefer": "wait=30"})
    found: dict[str, Any] = answer.json()
    return found


async def balances(bank: Bank, account: str) -> tuple[int, int, int]:
    """Posted, held and available."""
    told = (await bank.account.get(f"/v1/accounts/{account}/balance")).json()
    return told["posted_minor"], told["held_minor"], told["available_minor"]


async def test_a_part_is_captured_and_then_the_rest(bank: Bank) -> None:
    """Held money is not to be spent, moves as it is captured, and the payment settles with the last of it."""
    guest, hotel = await bank.open(balance_minor=1_000), await bank.open()
    stay = await authorise(bank, guest, hotel, 900, captured_many_times=True)
    assert await balances(bank, guest) == (1_000, 900, 100)
    assert (await bank.pay(guest, hotel, 101))["reason"] == "insufficient_funds"
    assert (await act(bank, stay, "captures", amount_minor=300))["status"] == "SETTLED"
    assert await balances(bank, guest) == (700, 600, 100)
    assert (await bank.payment(stay))["status"] == "APPROVED"
    assert (await act(bank, stay, "captures"))["amount_minor"] == 600
    found = await ended(bank, stay)
    hold = found["hold"]
    assert (found["status"], hold["captured_minor"], hold["released_minor"]) == ("SETTLED", 900, 0)
    assert [one["status"] for one in hold["captures"]] == ["SETTLED", "SETTLED"]
    assert await balances(bank, guest) == (100, 0, 100)
    assert await bank.balance(hotel) == 900


async def test_what_one_capture_leaves_is_released(bank: Bank) -> None:
    """Captured once, the hold ends; another capture is refused with the code of what happened."""
    guest, hotel = await bank.open(balance_minor=1_000), await bank.open()
    stay = await authorise(bank, guest, hotel, 900)
    over = await act(bank, stay, "captures", amount_minor=901)
    assert (over["status"], over["reason"]) == ("REJECTED", "capture_exceeds_hold")
    assert (await act(bank, stay, "captures", amount_minor=250))["status"] == "SETTLED"
    found = await ended(bank, stay)
    assert (found["hold"]["captured_minor"], found["hold"]["released_minor"]) == (250, 650)
    assert await balances(bank, guest) == (750, 0, 750)
    headers = {"Idempotency-Key": uuid4().hex}
    late = await bank.transaction.post(f"/v1/payments/{stay}/captures", json={}, headers=headers)
    assert (late.status_code, late.json()["code"]) == (409, "hold_captured")


async def test_a_void_gives_everything_back(bank: Bank) -> None:
    """VOIDED with reason and author; nothing has moved."""
    guest, hotel = await bank.open(balance_minor=1_000), await bank.open()
    stay = await authorise(bank, guest, hotel, 900)
    voided = await act(bank, stay, "void", reason="the guest has cancelled")
    assert (voided["status"], voided["reason"]) == ("VOIDED", "the guest has cancelled")
    end = (await bank.payment(stay))["hold"]["end"]
    assert (end["ended_as"], end["author"]) == ("voided", "client:demo")
    assert await balances(bank, guest) == (1_000, 0, 1_000)


async def test_a_hold_expires_on_time(bank: Bank) -> None:
    """EXPIRED without anybody asking; the money can be spent again."""
    guest, hotel = await bank.open(balance_minor=1_000), await bank.open()
    stay = await authorise(bank, guest, hotel, 900, expires_in_s=3)
    assert (await ended(bank, stay))["status"] == "EXPIRED"
    assert await balances(bank, guest) == (1_000, 0, 1_000)
    assert (await bank.pay(guest, hotel, 1_000))["status"] == "SETTLED"


async def test_a_capture_is_given_back(bank: Bank) -> None:
    """In two parts, by reversals of the capture, linked both ways."""
    guest, hotel = await bank.open(balance_minor=1_000), await bank.open()
    stay = await authorise(bank, guest, hotel, 900)
    captured = (await act(bank, stay, "captures"))["id"]
    back = [await act(bank, captured, "reversals", amount_minor=400), await act(bank, captured, "reversals")]
    assert [(one["status"], one["amount_minor"]) for one in back] == [("SETTLED", 400), ("SETTLED", 500)]
    found = await bank.payment(captured)
    assert (found["reversals"], found["reversed_minor"]) == ([one["id"] for one in back], 900)
    assert (await bank.balance(guest), await bank.balance(hotel)) == (1_000, 0)


async def test_capture_and_void_at_once_let_one_win(bank: Bank) -> None:
    """Thirty times: the payment's end, its capture's and the balances tell of the same winner."""
    guest, hotel = await bank.open(balance_minor=3_000), await bank.open()
    stays = await asyncio.gather(*(authorise(bank, guest, hotel, 100) for _ in range(30)))
    acts = [partial(act, bank, stay, what, wait=False, **body) for stay in stays for what, body in _RACERS]
    await asyncio.gather(*(one() for one in acts), return_exceptions=True)
    found = await asyncio.gather(*(ended(bank, stay) for stay in stays))
    states = [one["status"] for one in found]
    assert set(states) <= {"SETTLED", "VOIDED"}
    captures = [capture["id"] for one in found for capture in one["hold"]["captures"]]
    made = await asyncio.gather(*(ended(bank, one) for one in captures))
    assert [one["status"] for one in made].count("SETTLED") == states.count("SETTLED")
    assert {one["reason"] for one in made if one["status"] == "REJECTED"} <= {"hold_voided"}
    moved = 100 * states.count("SETTLED")
    assert await balances(bank, guest) == (3_000 - moved, 0, 3_000 - moved)
    assert await bank.balance(hotel) == moved


_RACERS: list[tuple[str, dict[str, Any]]] = [("captures", {}), ("void", {"reason": "race"})]


async def test_a_condition_that_does_not_hold_refuses_with_the_figures(bank: Bank) -> None:
    """The actual balance is told, and nothing moves; one that holds lets the payment pass."""
    payer, payee = await bank.open(balance_minor=500), await bank.open()
    refused = await bank.pay(payer, payee, 100, if_available_at_least_minor=501)
    assert (refused["status"], refused["reason"]) == ("REJECTED", "condition_not_met")
    refusal = (await bank.payment(refused["id"]))["refusal"]
    assert (refusal["code"], refusal["field"]) == ("condition_not_met", "if_available_at_least_minor")
    assert 500 in refusal["figures"].values()
    assert (await bank.pay(payer, payee, 100, if_available_at_least_minor=500))["status"] == "SETTLED"


async def test_everything_about_holds_verifies(bank: Bank, running: RunningServices) -> None:
    """All invariants hold over captured, voided, expired and open holds; every hash recomputes."""
    guest, hotel = await bank.open(balance_minor=1_000), await bank.open()
    await authorise(bank, guest, hotel, 100)
    stay = await authorise(bank, guest, hotel, 200)
    await act(bank, stay, "captures")
    await eventually(partial(_status, bank, stay, "SETTLED"))
    report = await verify(running.surroundings)
    failed = [
        (result.check.name, result.finding.offender)
        for result in report.results
        if result.finding.ok is False
    ]
    assert failed == []


async def _status(bank: Bank, payment_id: str, status: str) -> bool:
    return bool((await bank.payment(payment_id))["status"] == status)
