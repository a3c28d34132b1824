"""What the demonstration holds, and whom it pays by number. Every key is fixed, as in the other steps."""

import asyncio
import time
from typing import Any
from uuid import UUID

from florin.demo.tally import Tally
from florin.errors import StackError
from florin.importing.sending import Answer, Refused, Sender

Body = dict[str, Any]
HELD_MINOR, CAPTURED_MINOR = 60_00, 45_00
_GUEST, _HOTEL = "DEMO-EUR-02", "DEMO-EUR-03"
_JANA: Body = {"name": "Jana Nová", "mobile": "+420 601 123 456", "email": "jana@example.com"}
_PETR: Body = {"name": "Petr Malý", "mobile": "+420 602 654 321", "email": "petr@example.com"}
# As it is spelled at home.
_PETRS_NUMBER = "602 654 321"
_LOOK_S = 0.03
_LONGEST_WAIT_S = 60.0


async def register(accounts: Sender) -> UUID:
    """Two customers, the first with money; returns that one's id."""
    made = [
        await accounts.post("/v1/customers", {**one, "currency": "EUR"}, key=f"demo:customer:{one['email']}")
        for one in (_JANA, _PETR)
    ]
    jana = UUID(made[0].document["id"])
    opened = await accounts.get(f"/v1/customers/{jana}/accounts")
    path = f"/v1/accounts/{opened['items'][0]['account']}/deposits"
    await accounts.post(path, {"amount_minor": 100_00, "currency": "EUR"}, key="demo:customer:deposit")
    return jana


async def hold(payments: Sender, tally: Tally) -> None:
    """One authorisation is captured in part, the rest released; another is given up."""
    stays = [await _authorise(payments, name) for name in ("stay", "cancelled")]
    tally.authorised += sum(not stay.replayed for stay in stays)
    path = f"/v1/payments/{stays[0].document['id']}/captures"
    captured = await payments.post(path, {"amount_minor": CAPTURED_MINOR}, key="demo:hold:capture")
    await _count(payments, captured, tally)
    path = f"/v1/payments/{stays[1].document['id']}/void"
    await payments.post(path, {"reason": "the guest has cancelled"}, key="demo:hold:void")
    for stay in stays:
        await _until_not(payments, stay.document["id"], {"APPROVED"})


async def pay_by_number(payments: Sender, payer: UUID, tally: Tally) -> None:
    """One customer pays another by mobile number, once payments know of both."""
    body = {
        "debtor": {"customer_id": str(payer)},
        "creditor": {"mobile": _PETRS_NUMBER},
        "amount_minor": 12_50,
        "currency": "EUR",
        "reference": "DEMO-BY-NUMBER",
    }
    deadline = time.monotonic() + _LONGEST_WAIT_S
    while True:
        try:
            paid = await payments.post("/v1/payments", body, key="demo:by-number")
            break
        except Refused as refusal:
            if refusal.code != "party_not_found" or time.monotonic() > deadline:
                raise
            await asyncio.sleep(_LOOK_S)
    await _count(payments, paid, tally)


async def _authorise(payments: Sender, name: str) -> Answer:
    body = {"debtor": _GUEST, "creditor": _HOTEL, "amount_minor": HELD_MINOR, "currency": "EUR"}
    body |= {"capture": "manual", "reference": f"DEMO-HOLD-{name}"}
    answer = await payments.post("/v1/payments", body, key=f"demo:hold:{name}")
    await _until_not(payments, answer.document["id"], {"PENDING", "REVIEW"})
    return answer


async def _count(payments: Sender, answer: Answer, tally: Tally) -> None:
    status = await _until_not(payments, answer.document["id"], {"PENDING", "APPROVED"})
    if answer.replayed and not answer.uncertain:
        tally.replayed += 1
        return
    tally.accepted += 1
    tally.settled += status == "SETTLED"
    tally.in_review += status == "REVIEW"


async def _until_not(payments: Sender, payment_id: str, passing: set[str]) -> str:
    deadline = time.monotonic() + _LONGEST_WAIT_S
    while time.monotonic() < deadline:
        found = await payments.get(f"/v1/payments/{payment_id}")
        status = str(found["status"])
        if status not in passing:
            return status
        await asyncio.sleep(_LOOK_S)
    raise StackError(f"payment {payment_id} does not come on: it is {status}")
