"""What the demonstration does after its file is in: single payments, refusals, reviews, reversals.

Every key is fixed, so that a second run is answered as the first one was and moves nothing.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from florin.demo import sample
from florin.demo.tally import Made, Tally
from florin.importing.sending import Answer, Refused, Sender
from florin.importing.settlement import Settlement

AT_ONCE = 16
RETRIED = 60
Body = dict[str, Any]
Advance = Callable[[int], None]
_EUR = ("DEMO-EUR-00", "DEMO-EUR-01")
_LOOK_S = 0.03
_LONGEST_WAIT_S = 60.0


async def set_states(accounts: Sender) -> None:
    """One account is frozen and one closed; done before, it is so already."""
    for account, state in ((sample.FROZEN, "FROZEN"), (sample.CLOSED, "CLOSED")):
        await accounts.post(
            f"/v1/accounts/{account}/state", {"state": state, "reason": "the demo shows it"}, key="unused"
        )


async def pay_one_by_one(payments: Sender, bodies: Sequence[Body], tally: Tally, made: Made) -> None:
    """Each in a request of its own, several at once; then some of them again, as a client does after a
    timeout."""
    began = time.monotonic()
    await _pay_all(payments, bodies, tally, made)
    settlement = Settlement(payments)
    settlement.add(made.new)
    await until_still(settlement)
    if made.new:
        tally.single_per_second = len(made.new) / (time.monotonic() - began)
    await _pay_all(payments, bodies[:RETRIED], tally, made)


async def try_the_door(payments: Sender, bodies: Sequence[Body], tally: Tally) -> None:
    """Requests that are refused before anything is accepted, and one key used for two payments."""
    good: Body = {"debtor": _EUR[0], "creditor": _EUR[1], "amount_minor": 100, "currency": "EUR"}
    wrong: list[Body] = [
        {**good, "amount_minor": 0},
        {**good, "amount_minor": -100},
        {**good, "amount_minor": 12.5},
        {**good, "amount_minor": "100"},
        {**good, "amount_minor": 10**15},
        {**good, "currency": "XXX"},
        {**good, "currency": "eur"},
        {**good, "creditor": _EUR[0]},
        {**good, "debtor": "no such reference can be"},
        {**good, "status": "SETTLED"},
        {"debtor": _EUR[0]},
    ]
    attempts = [(body, f"demo:door:{number}") for number, body in enumerate(wrong)]
    attempts += [
        ({**body, "amount_minor": body["amount_minor"] + 1}, _key(body)) for body in bodies[: RETRIED // 4]
    ]
    for body, key in attempts:
        await _unless_refused(payments.post("/v1/payments", body, key=key), tally)


async def reverse(payments: Sender, bodies: Sequence[Body], tally: Tally, made: Made) -> None:
    """One payment is given back whole, one in two parts; a third part would be too much."""
    whole, parts = (made.by_reference[body["reference"]] for body in bodies[:2])
    amount_minor = bodies[1]["amount_minor"]
    asked: list[tuple[UUID, Body, str]] = [
        (whole, {}, "whole"),
        (parts, {"amount_minor": amount_minor // 3}, "part-1"),
        (parts, {"amount_minor": amount_minor // 3}, "part-2"),
        (parts, {"amount_minor": amount_minor}, "too-much"),
    ]
    settlement = Settlement(payments)
    for payment_id, body, name in asked:
        body = {**body, "reference": f"DEMO-REVERSAL-{name}"}
        asking = payments.post(f"/v1/payments/{payment_id}/reversals", body, key=f"demo:reversal:{name}")
        answer = await _unless_refused(asking, tally)
        if answer is None:
            continue
        if answer.replayed and not answer.uncertain:
            tally.replayed += 1
        else:
            tally.accepted += 1
            tally.reversals += 1
            settlement.add({UUID(answer.document["id"]): 0})
    await until_still(settlement)
    await _count_ends(settlement, tally)


async def decide_reviews(payments: Sender, fraud: Sender, tally: Tally) -> None:
    """A person approves two of three and declines the third."""
    settlement = Settlement(payments)
    query = {"status": "REVIEW", "limit": "200"}
    while True:
        page = await payments.get("/v1/payments", query)
        for item in page["items"]:
            if (item["reference"] or "").startswith(sample.REVIEW_PREFIX):
                approved = await _decide(fraud, item)
                tally.approved += approved
                tally.declined += not approved
                settlement.add({UUID(item["id"]): 0})
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    deadline = time.monotonic() + _LONGEST_WAIT_S
    outcome = await settlement.outcome()
    # Its end is known only by asking the service.
    while outcome.in_review and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_S)
        outcome = await settlement.outcome()
    tally.settled += outcome.settled
    tally.rejected += outcome.rejected
    tally.in_review += outcome.in_review - settlement.accepted


async def count_singles(payments: Sender, made: Made, tally: Tally) -> None:
    """What became of the payments made one by one."""
    settlement = Settlement(payments)
    settlement.add(made.new)
    await _count_ends(settlement, tally)


async def until_still(settlement: Settlement) -> None:
    """Returns when none of the payments moves any more, or after a minute."""
    deadline = time.monotonic() + _LONGEST_WAIT_S
    while await settlement.still_moving() and time.monotonic() < deadline:  # noqa: ASYNC110 - as above
        await asyncio.sleep(_LOOK_S)


async def _pay_all(payments: Sender, bodies: Sequence[Body], tally: Tally, made: Made) -> None:
    at_once = asyncio.Semaphore(AT_ONCE)

    async def pay(body: Body) -> None:
        async with at_once:
            answer = await _unless_refused(payments.post("/v1/payments", body, key=_key(body)), tally)
        if answer is None:
            return
        payment_id = UUID(answer.document["id"])
        made.by_reference[body["reference"]] = payment_id
        if answer.replayed and not answer.uncertain:
            tally.replayed += 1
        else:
            tally.accepted += 1
            made.new[payment_id] = 0

    await asyncio.gather(*(pay(body) for body in bodies))


async def _unless_refused(asking: Any, tally: Tally) -> Answer | None:
    try:
        answer: Answer = await asking
    except Refused as refusal:
        tally.refused[refusal.rule] += 1
        return None
    return answer


async def _decide(fraud: Sender, item: Body) -> bool:
    approve = int(item["reference"].removeprefix(sample.REVIEW_PREFIX)) % 3 != 0
    body = {
        "decision": "approve" if approve else "decline",
        "reason": "known customer" if approve else "the customer does not know of it",
    }
    await fraud.post(f"/v1/reviews/{item['id']}/decision", body, key=f"demo:review:{item['id']}")
    return approve


async def _count_ends(settlement: Settlement, tally: Tally) -> None:
    outcome = await settlement.outcome()
    tally.settled += outcome.settled
    tally.rejected += outcome.rejected
    tally.in_review += outcome.in_review


def _key(body: Body) -> str:
    return f"demo:{body['reference']}"
