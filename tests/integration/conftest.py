"""Journeys run against the four real services, each in its own process."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from testkit.stacks import RunningServices


@dataclass
class Bank:
    """An upstream system at work: opens accounts, pays, waits, looks."""

    transaction: httpx2.AsyncClient
    account: httpx2.AsyncClient
    fraud: httpx2.AsyncClient
    notification: httpx2.AsyncClient

    async def open(self, *, balance_minor: int = 0, currency: str = "EUR", **fields: Any) -> str:
        """Open an account; returns its reference."""
        name = fields.pop("account", f"ACC-{uuid4().hex[:12]}")
        body = {"account": name, "holder": "Somebody", "currency": currency, **fields}
        answer = await self.account.post(
            "/v1/accounts",
            json=body | {"opening_balance_minor": balance_minor},
            headers={"Idempotency-Key": f"open-{name}"},
        )
        assert answer.status_code == 201, answer.text
        return str(name)

    async def pay(self, debtor: str, creditor: str, amount_minor: int, **fields: Any) -> Any:
        """Make a payment and wait for its end; returns the payment."""
        headers = {"Idempotency-Key": fields.pop("key", uuid4().hex), "Prefer": "wait=30"}
        body = {"debtor": debtor, "creditor": creditor, "amount_minor": amount_minor, "currency": "EUR"}
        answer = await self.transaction.post("/v1/payments", json=body | fields, headers=headers)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    async def balance(self, account: str) -> int:
        """The posted balance in minor units."""
        answer = await self.account.get(f"/v1/accounts/{account}/balance")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["posted_minor"])

    async def payment(self, payment_id: str) -> dict[str, Any]:
        """A payment with its lifecycle."""
        answer = await self.transaction.get(f"/v1/payments/{payment_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def pay_many(self, *orders: tuple[str, str, int]) -> list[str]:
        """Pay all at once, each in a request of its own; returns their final states, in order."""
        made = await asyncio.gather(*(self.pay(*order) for order in orders))
        return [one["status"] for one in made]


@pytest.fixture(scope="module")
def bank(running: RunningServices) -> Bank:
    """The demo client of running services."""
    return Bank(*(running.client(name) for name in ("transaction", "account", "fraud", "notification")))
