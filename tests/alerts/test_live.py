"""Prometheus on a running stack: an alert fires and ends, and every metric that anybody goes by is there."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import httpx2
import pytest
from testkit.backing import Backing
from testkit.stacks import clients_of
from testkit.waiting import eventually

from .rules import used
from .watched import Watched, watched_stack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def watched(backing: Backing) -> Iterator[Watched]:
    with watched_stack(backing) as running:
        yield running


@pytest.fixture(scope="module")
async def payments(watched: Watched) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the transaction service; A has money and B is there. Webhooks go to nobody's port."""
    async with clients_of(watched.stack, "transaction", "account", "notification") as clients:
        transaction, account, notification = clients
        for name in ("A", "B"):
            body = {"account": name, "holder": "S", "currency": "EUR", "opening_balance_minor": 1000}
            await account.post("/v1/accounts", json=body, headers={"Idempotency-Key": name})
        hook = {"url": "http://127.0.0.1:9/", "event_types": ["payment.settled"]}
        await notification.post("/v1/webhook-endpoints", json=hook)
        yield transaction


async def pay(payments: httpx2.AsyncClient, amount_minor: int = 1, *, wait_s: int = 0) -> httpx2.Response:
    body = {"debtor": "A", "creditor": "B", "amount_minor": amount_minor, "currency": "EUR"}
    headers = {"Idempotency-Key": uuid4().hex, "Prefer": f"wait={wait_s}"}
    return await payments.post("/v1/payments", json=body, headers=headers)


async def test_an_alert_fires_while_the_fraud_worker_is_stopped_and_ends_when_it_is_back(
    watched: Watched, payments: httpx2.AsyncClient
) -> None:
    """Nothing fires before, nothing of it afterwards, and the payment that waited is settled."""
    assert (await pay(payments, wait_s=30)).json()["status"] == "SETTLED"
    watched.stack.services.stop("fraud")
    try:
        assert "QueueAge fraud" not in watched.firing()
        waiting = (await pay(payments)).json()["id"]
        await eventually(lambda: {"QueueAge fraud", "ProcessDown fraud"} <= watched.firing(), timeout_s=120)
        assert not watched.firing() & {"QueueAge account", "QueueAge notification", "BrokerDown account"}
    finally:
        watched.stack.services.start("fraud")
    await eventually(
        lambda: not watched.firing() & {"QueueAge fraud", "ProcessDown fraud", "PaymentsStuckPending"},
        timeout_s=90,
    )
    assert (await payments.get(f"/v1/payments/{waiting}")).json()["status"] == "SETTLED"


async def test_every_metric_of_alerts_and_dashboards_is_exported(
    watched: Watched, payments: httpx2.AsyncClient
) -> None:
    """By name, and each label that is selected by; what is recorded by a rule too."""
    assert (await pay(payments, wait_s=30)).json()["status"] == "SETTLED"
    assert (await pay(payments, 5_000, wait_s=30)).json()["status"] == "REJECTED"
    named = used()
    assert len(named) > 40, "hardly a metric was found: this test proves nothing"

    def missing() -> list[str]:
        return sorted(named.keys() - set(watched.ask("label/__name__/values")))

    try:
        await eventually(lambda: not missing(), timeout_s=60, every_s=0.5)
    finally:
        absent = set(missing())
        print("\n| metric | named by | exported |\n|---|---|---|")
        for name, (places, _) in sorted(named.items()):
            print(f"| {name} | {', '.join(sorted(places))} | {'NO' if name in absent else 'yes'} |")
    for name, (_, labels) in named.items():
        known = {label for one in watched.ask("series", **{"match[]": name}) for label in one}
        assert labels <= known | {"le"}, f"{name} has no label {labels - known}"
