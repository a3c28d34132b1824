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
    # The account service again, with the key of those at the upstream system who may do more.
    office: httpx2.AsyncClient

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

    async def authorise(self, debtor: str, creditor: str, amount_minor: int, **hold: Any) -> dict[str, Any]:
        """Have money held; returns the payment, APPROVED."""
        made = await self.pay(debtor, creditor, amount_minor, capture="manual", hold=hold)
        assert made["status"] == "APPROVED", made
        return dict(made)

    async def ask(self, payment_id: str, what: str, **body: Any) -> httpx2.Response:
        """Capture, void or reverse a payment; the answer once it is final."""
        headers = {"Idempotency-Key": uuid4().hex, "Prefer": "wait=30"}
        return await self.transaction.post(f"/v1/payments/{payment_id}/{what}", json=body, headers=headers)

    async def holds(self, account: str) -> list[dict[str, Any]]:
        """What is or was held of an account."""
        answer = await self.account.get(f"/v1/accounts/{account}/holds", params={"limit": 200})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def figures(self, account: str) -> tuple[int, int, int]:
        """Posted, held and available, in minor units."""
        answer = await self.account.get(f"/v1/accounts/{account}/balance")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        return told["posted_minor"], told["held_minor"], told["available_minor"]

    async def set_state(self, account: str, state: str) -> httpx2.Response:
        """Freeze, unfreeze or close."""
        body = {"state": state, "reason": "asked for"}
        return await self.account.post(f"/v1/accounts/{account}/state", json=body)

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
    return Bank(
        transaction=running.client("transaction"),
        account=running.client("account"),
        fraud=running.client("fraud"),
        notification=running.client("notification"),
        office=running.client("account", client="demo-office"),
    )
