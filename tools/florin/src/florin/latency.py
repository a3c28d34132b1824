"""How long one payment takes when nothing else is going on: POST to SETTLED, one at a time."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import httpx2

from florin.errors import StackError
from florin.importing.sending import Sender

WARM_UP = 5
CURRENCY = "EUR"
ACCOUNTS = ("FLORIN-LATENCY-A", "FLORIN-LATENCY-B")
OPENING_BALANCE_MINOR = 1_000


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds. `answered`: from sending the POST to reading SETTLED in its answer, as a client feels it;
    `recorded`: between the payment's PENDING and SETTLED, as its lifecycle says."""

    count: int
    answered_median_ms: float
    answered_p99_ms: float
    recorded_median_ms: float
    recorded_p99_ms: float


async def measure(
    accounts: httpx2.AsyncClient,
    payments: httpx2.AsyncClient,
    *,
    count: int,
    each: Callable[[int], None] = lambda _done: None,
) -> Latency:
    """Pays one minor unit to and fro between two accounts of its own; raises StackError."""
    items = [
        {
            "account": account,
            "holder": "Florin latency",
            "currency": CURRENCY,
            "opening_balance_minor": OPENING_BALANCE_MINOR,
        }
        for account in ACCOUNTS
    ]
    answer = await Sender(accounts).post(
        "/v1/accounts/batches", {"accounts": items}, key=f"latency-{uuid4()}"
    )
    if answer.document["refused"]:
        raise StackError(
            f"the accounts {' and '.join(ACCOUNTS)} cannot be opened: {answer.document['items']}"
        )
    answered, recorded = [], []
    for number in range(WARM_UP + count):
        debtor, creditor = ACCOUNTS if number % 2 == 0 else reversed(ACCOUNTS)
        waited_ms, lived_ms = await _pay(payments, debtor, creditor)
        if number >= WARM_UP:
            answered.append(waited_ms)
            recorded.append(lived_ms)
            each(len(answered))
    return Latency(
        count,
        round(percentile(answered, 50), 2),
        round(percentile(answered, 99), 2),
        round(percentile(recorded, 50), 2),
        round(percentile(recorded, 99), 2),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """By the nearest rank: a value that was measured, never one between two."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


async def _pay(payments: httpx2.AsyncClient, debtor: str, creditor: str) -> tuple[float, float]:
    body = {"debtor": debtor, "creditor": creditor, "amount_minor": 1, "currency": CURRENCY}
    headers = {"Idempotency-Key": str(uuid4()), "Prefer": "wait=10"}
    began = time.perf_counter()
    response = await payments.post("/v1/payments", json=body, headers=headers)
    payment = response.json()
    waited_ms = (time.perf_counter() - began) * 1000
    if response.status_code != httpx2.codes.OK or payment["status"] != "SETTLED":
        raise StackError(f"a payment was not settled: {response.status_code} {response.text[:300]}")
    detail = (await payments.get(f"/v1/payments/{payment['id']}")).json()
    times = {step["status"]: datetime.fromisoformat(step["occurred_at"]) for step in detail["lifecycle"]}
    return waited_ms, (times["SETTLED"] - times["PENDING"]).total_seconds() * 1000
