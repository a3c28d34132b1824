"""What is counted of payments on their way, and that no label says who they are of."""

import re
from uuid import uuid4

import pytest
from testkit.stacks import RunningServices
from testkit.waiting import eventually

from .conftest import Bank
from .metrics_seen import metrics_of, value
from .receiving import receiving

_MOST_SERIES = 1_000


@pytest.fixture(scope="module")
def running(own_running: RunningServices) -> RunningServices:
    """Counted in nobody else's company."""
    return own_running


async def test_money_is_counted_once_and_by_what_became_of_it(bank: Bank, running: RunningServices) -> None:
    """Accepted, moved and settled; a replay, and a batch that is read again, count nothing."""
    payer, payee = await bank.open(balance_minor=1000), await bank.open()
    before = await metrics_of(running, "transaction")
    key = uuid4().hex
    assert (await bank.pay(payer, payee, 60, key=key))["status"] == "SETTLED"
    assert (await bank.pay(payer, payee, 60, key=key))["status"] == "SETTLED"
    assert (await bank.pay(payer, payee, 5_000))["reason"] == "insufficient_funds"
    held = await bank.authorise(payer, payee, 100)
    await bank.ask(held["id"], "captures", amount_minor=40)

    async def counted() -> bool:
        after = await metrics_of(running, "transaction")

        def grown(name: str, **labels: str) -> float:
            return value(after, name, **labels) - value(before, name, **labels)

        moves, amount = "florin_payment_moves_total", "florin_payments_amount_minor_total"
        assert grown("florin_payments_accepted_total", kind="transfer") == 3
        assert grown("florin_payments_accepted_total", kind="capture") == 1
        assert grown(moves, status="REJECTED", reason="insufficient_funds") == 1
        assert grown(moves, status="SETTLED", reason="") == 3
        assert grown(moves, status="APPROVED", reason="") == 3
        assert grown(amount, stage="accepted", currency="EUR") == 60 + 5_000 + 100
        assert grown(amount, stage="settled", currency="EUR") == 60 + 40
        assert grown("florin_payment_settle_seconds_count", way="direct") == 2
        assert grown("florin_payment_settle_seconds_count", way="held") == 1
        assert grown("florin_payment_settle_seconds_bucket", way="direct", le="+Inf") == 2
        return True

    await eventually(counted, timeout_s=20)


async def test_a_webhook_is_counted_by_its_outcome_and_its_first_attempt_by_its_delay(
    bank: Bank, running: RunningServices
) -> None:
    """A replay later on says nothing of how soon the client was told."""
    async with receiving() as receiver:
        registered = await bank.notification.post(
            "/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["payment.settled"]}
        )
        payer, payee = await bank.open(balance_minor=100), await bank.open()
        await bank.pay(payer, payee, 1)
        await eventually(lambda: receiver.requests, timeout_s=20)
        endpoint = f"/v1/webhook-endpoints/{registered.json()['id']}"
        replay = await bank.notification.post(
            f"{endpoint}/replay", json={"since": "2020-01-01T00:00:00Z"}, headers={"Idempotency-Key": "again"}
        )
        assert replay.status_code in (200, 202), replay.text
        await eventually(lambda: len(receiver.requests) >= 2, timeout_s=20)

        async def counted() -> bool:
            after = await metrics_of(running, "notification")
            assert value(after, "florin_webhook_attempts_total", outcome="delivered") == len(
                receiver.requests
            )
            return value(after, "florin_webhook_first_attempt_delay_seconds_count") == 1

        await eventually(counted, timeout_s=20)
        await bank.notification.delete(endpoint)


async def test_every_process_tells_of_its_database_and_its_broker(running: RunningServices) -> None:
    """Identity has no broker, and does not seem to have lost one."""
    for service in ("transaction", "account", "fraud", "notification", "identity"):
        series = await metrics_of(running, service)
        assert value(series, "florin_database_up") == 1
        assert value(series, "florin_database_pool_size") == 10
        assert 0 <= value(series, "florin_database_pool_in_use") <= 10
        parts = {dict(labels)["part"] for name, labels in series if name == "florin_broker_up"}
        assert parts == {
            "identity": set(),
            "notification": {"consumer"},
        }.get(service, {"consumer", "relay"})


async def test_no_label_says_who_and_no_metric_grows_with_what_is_stored(
    bank: Bank, running: RunningServices
) -> None:
    """Labels come from our own lists: no id, no name, no account, no address is among their values."""
    payers = [await bank.open(balance_minor=10) for _ in range(5)]
    await bank.pay_many(*((payer, payers[0], 1) for payer in payers[1:]))
    for service in ("transaction", "account", "fraud", "notification", "identity"):
        series = await metrics_of(running, service)
        values = {value for _, labels in series for name, value in labels if name not in ("le", "version")}
        telling = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}|ACC-|demo|@|\d{4}")
        assert [one for one in values if telling.search(one)] == []
        assert len(series) < _MOST_SERIES


async def test_payments_that_wait_are_counted_with_the_age_of_the_oldest(
    bank: Bank, running: RunningServices
) -> None:
    """What an alert goes by when the way to the ledger is broken, whatever else there is to see."""
    payer, payee = await bank.open(balance_minor=100), await bank.open()
    running.services.stop("fraud")
    try:
        for _ in range(3):
            await bank.transaction.post(
                "/v1/payments",
                json={"debtor": payer, "creditor": payee, "amount_minor": 1, "currency": "EUR"},
                headers={"Idempotency-Key": uuid4().hex},
            )

        async def waiting() -> bool:
            series = await metrics_of(running, "transaction")
            return (
                value(series, "florin_payments_pending") == 3
                and value(series, "florin_payments_oldest_pending_seconds") > 1
            )

        await eventually(waiting, timeout_s=30)
    finally:
        running.services.start("fraud")

    async def none_waits() -> bool:
        series = await metrics_of(running, "transaction")
        return value(series, "florin_payments_pending") == value(
            series, "florin_payments_oldest_pending_seconds"
        )

    await eventually(none_waits, timeout_s=30)
