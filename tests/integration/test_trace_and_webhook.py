"""One trace from the client through four services to the webhook; and nothing told that is private."""

import json
from typing import Any
from uuid import uuid4

import asyncpg
from standardwebhooks import Webhook
from testkit.stacks import RunningServices
from testkit.waiting import eventually

from .conftest import Bank
from .receiving import Receiver, receiving

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


async def test_a_settled_payment_is_told_by_a_signed_webhook_in_the_same_trace(
    bank: Bank, running: RunningServices
) -> None:
    """The trace id of the POST is in every event on the way and in the webhook's header."""
    async with receiving() as receiver:
        registered = await bank.notification.post(
            "/v1/webhook-endpoints", json={"url": receiver.url, "event_types": ["payment.settled"]}
        )
        assert registered.status_code == 201, registered.text
        payer, payee = await bank.open(balance_minor=100), await bank.open()
        made = await bank.transaction.post(
            "/v1/payments",
            json={"debtor": payer, "creditor": payee, "amount_minor": 60, "currency": "EUR"},
            headers={"Idempotency-Key": uuid4().hex, "Prefer": "wait=30", "traceparent": TRACEPARENT},
        )
        payment_id = made.json()["id"]
        [(headers, body)] = await eventually(lambda: _told_of(receiver, payment_id), timeout_s=20)
        await bank.notification.delete(f"/v1/webhook-endpoints/{registered.json()['id']}")
    told: Any = Webhook(registered.json()["secret"]).verify(body, headers)
    assert told["type"] == "payment.settled"
    assert (told["data"]["payment_id"], told["data"]["status"]) == (payment_id, "SETTLED")
    assert told["sequence"] == 3
    assert headers["traceparent"].split("-")[1] == TRACE_ID
    traces = {
        service: await _trace_ids(running, service, payment_id)
        for service in ("transaction", "fraud", "account")
    }
    assert traces == {service: {TRACE_ID} for service in traces}


def _told_of(receiver: Receiver, payment_id: str) -> list[tuple[dict[str, str], bytes]]:
    """The webhook that tells of a payment, once it is there."""
    return [request for request in receiver.requests if payment_id.encode() in request[1]][:1]


async def _trace_ids(running: RunningServices, service: str, payment_id: str) -> set[str]:
    connection = await asyncpg.connect(running.database(service).app_url)
    try:
        rows = await connection.fetch("SELECT body FROM outbox WHERE subject = $1", payment_id)
    finally:
        await connection.close()
    return {json.loads(row["body"])["traceparent"].split("-")[1] for row in rows}


async def test_no_secret_and_no_person_is_in_a_log_or_a_message(bank: Bank, running: RunningServices) -> None:
    """Planted values are looked for in every log line and every message's metadata."""
    name, note = f"Holder {uuid4().hex}", f"description {uuid4().hex}"
    payer, payee = await bank.open(balance_minor=100, holder=name), await bank.open(holder=name)
    await bank.pay(payer, payee, 60, description=note)
    await bank.account.post(
        "/v1/accounts", json={"holder": name, "account": 7}, headers={"Idempotency-Key": "x"}
    )
    credentials = running.surroundings.credentials
    secrets = [*credentials.api_keys.values(), *credentials.roles.values(), credentials.api_key_pepper]
    secrets += [
        key["secret"]
        for key in json.loads((running.surroundings.run_dir / "keyring.json").read_text())["keys"]
    ]
    logs = "".join(path.read_text() for path in (running.surroundings.run_dir / "logs").glob("*.log"))
    assert '"event":"request"' in logs, "no log was read: this test proves nothing"
    planted = [value for value in (name, note, *secrets) if value in logs]
    assert planted == []
    for service in ("transaction", "fraud", "account"):
        connection = await asyncpg.connect(running.database(service).app_url)
        try:
            bodies = "".join(row["body"] for row in await connection.fetch("SELECT body FROM outbox"))
        finally:
            await connection.close()
        assert bodies
        assert name not in bodies
        assert note not in bodies
