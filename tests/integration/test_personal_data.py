"""Nothing personal in plain text: values are planted in every input, and looked for everywhere."""

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from messaging.broker import open_channel
from messaging.topology import Topology
from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import RunningServices, running_services
from testkit.waiting import eventually

from .plain_text import Planted, in_bodies, in_files, in_tables
from .traces_seen import collecting_traces


@dataclass
class Stage:
    """Running services, and everything that left them."""

    running: RunningServices
    frames: list[bytes]
    traces: list[bytes]
    people: list[Planted] = field(default_factory=list)

    def person(self) -> Planted:
        """Somebody new, to be looked for at the end."""
        self.people.append(Planted())
        return self.people[-1]

    async def send(self, service: str, method: str, path: str, **given: Any) -> httpx2.Response:
        """One request, with a key of its own."""
        headers = {"Idempotency-Key": uuid4().hex, "Prefer": "wait=20", **given.pop("headers", {})}
        client = self.running.client(service, client=given.pop("client", "demo"))
        return await client.request(method, path, headers=headers, **given)

    async def register(self, person: Planted, **given: Any) -> Any:
        """A customer with an account in EUR and money on it."""
        body = {"name": person.name, "mobile": person.mobile, "email": person.email, "currency": "EUR"}
        answer = await self.send("account", "POST", "/v1/customers", json=body | given)
        assert answer.status_code == 201, answer.text
        customer = answer.json()
        await self.send(
            "account",
            "POST",
            f"/v1/accounts/{customer['accounts']['EUR']}/deposits",
            json={"amount_minor": 1000, "currency": "EUR"},
        )
        return customer


@pytest.fixture(scope="module")
async def stage(backing: Backing, databases: Databases) -> AsyncIterator[Stage]:
    with ExitStack() as closing:
        url, traces = closing.enter_context(collecting_traces())
        settings = {
            "FLORIN_DEFAULT_REGION": "CZ",
            "FLORIN_LOG_LEVEL": "DEBUG",
            "FLORIN_OTLP_ENDPOINT": url,
            "FLORIN_TRACE_SHARE": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        running = closing.enter_context(running_services(backing, databases, settings=settings))
        surroundings = running.surroundings
        frames: list[bytes] = []
        async with open_channel(surroundings.broker_url, name="raw consumer") as channel:
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            await queue.bind(Topology(surroundings.namespace).exchange, "#")

            async def keep(message: Any) -> None:
                frames.append(
                    message.body + repr(message.headers).encode() + repr(message.properties).encode()
                )

            await queue.consume(keep, no_ack=True)
            yield Stage(running, frames, traces)
        await running.close_clients()


def log_files(stage: Stage, backing: Backing) -> list[Path]:
    """What the services have written, and what their servers wrote about them."""
    own = list((stage.running.surroundings.run_dir / "logs").glob("*.log"))
    assert len(own) >= 4, "the services' logs were not found"
    return [*own, *backing.folder.glob("**/*.log")]


async def look_up(stage: Stage, person: Planted) -> None:
    for params in (
        {"mobile": person.mobile},
        {"mobile": person.digits},
        {"email": person.email},
        {"mobile": person.mobile, "email": person.email},
        {"mobile": f"{person.digits}99"},
        {"email": f"{person.local}@nowhere"},
        {"name": person.name},
    ):
        await stage.send("account", "GET", "/v1/customers", params=params)
        await stage.send("transaction", "GET", "/v1/payments", params=params)
        await stage.send("fraud", "GET", "/v1/reviews", params=params)
        await stage.send("notification", "GET", "/v1/webhook-endpoints", params=params)


async def send_what_is_refused(stage: Stage, person: Planted) -> None:
    body = {"name": person.name, "mobile": person.mobile, "email": person.email, "currency": "EUR"}
    for bad in (
        body | {"currency": person.name},
        body | {"mobile": f"{person.digits}0000"},
        body | {"email": f"{person.local}@"},
        body | {"name": person.name + "\n"},
        body | {"region": person.digits},
        body | {person.local: person.name},
        {"name": {"first": person.name}, "mobile": [person.mobile], "email": {person.email: 1}},
        body | {"name": person.name * 20},
    ):
        assert (await stage.send("account", "POST", "/v1/customers", json=bad)).status_code == 422
    holder = {"holder": person.name, "currency": "EUR"}
    for account in (person.email, person.mobile):
        await stage.send("account", "POST", "/v1/accounts", json=holder | {"account": account})
    batch = {"accounts": [holder | {"account": f"{person.email} x"}, holder | {"account": 7}]}
    await stage.send("account", "POST", "/v1/accounts/batches", json=batch)
    for service, path in (("account", "/v1/customers"), ("transaction", "/v1/payments")):
        for content in (f'{{"name": "{person.name}", ', f'{{"email": "{person.email}"}} {person.mobile}'):
            await stage.send(
                service, "POST", path, content=content.encode(), headers={"content-type": "application/json"}
            )
        await stage.send(service, "POST", path, content=person.email.encode())
        await stage.send(service, "GET", f"{path}/{person.email}", params={"q": person.name})
        await stage.send(service, "PUT", f"/{person.local}/{person.digits}", params={"m": person.mobile})
        await stage.send(service, "DELETE", path, params={"email": person.email})


async def pay_by_every_name(stage: Stage, payer: Any, person: Planted) -> None:
    payment = {"debtor": payer["accounts"]["EUR"], "amount_minor": 1, "currency": "EUR"}
    for creditor in (
        {"mobile": person.mobile},
        {"mobile": f"{person.digits[:3]} {person.digits[3:]}"},
        {"email": person.email},
    ):
        settled = partial(_is_settled, stage, payment | {"creditor": creditor})
        await eventually(settled, timeout_s=30)
    refused: list[Any] = [
        {"mobile": f"{person.digits}1"},
        {"email": f"{person.local}@nowhere"},
        {"email": person.email, "mobile": person.mobile},
        {person.local: person.email},
        {"email": f"other-{person.email}"},
        person.email,
    ]
    for creditor in refused:
        for params in ({}, {"dry_run": "true"}):
            answer = await stage.send(
                "transaction", "POST", "/v1/payments", json=payment | {"creditor": creditor}, params=params
            )
            assert 400 <= answer.status_code < 500, answer.text
    await stage.send(
        "transaction",
        "POST",
        "/v1/payments",
        json=payment | {"creditor": {"mobile": person.mobile}},
        params={"dry_run": "true"},
    )
    many = {"payments": [payment | {"idempotency_key": uuid4().hex, "creditor": {"email": person.email}}]}
    await stage.send("transaction", "POST", "/v1/payments/batches", json=many)


async def _is_settled(stage: Stage, payment: dict[str, Any]) -> bool:
    answer = await stage.send("transaction", "POST", "/v1/payments", json=payment)
    assert answer.status_code in (200, 202), answer.text
    return bool(answer.json()["status"] == "SETTLED")


async def change_and_decide(stage: Stage, customer_id: str, later: Planted) -> None:
    path = f"/v1/customers/{customer_id}"
    changes = {"name": later.name, "mobile": later.mobile, "email": later.email}
    assert (await stage.send("account", "PATCH", path, json=changes)).status_code == 200
    await stage.send("account", "PATCH", path, json=changes | {"mobile": f"{later.digits}7"})
    await stage.send(
        "account", "POST", f"{path}/kyc", json={"level": "basic", "reason": f"{later.name} asks"}
    )
    rejected = {"decision": "reject", "level": "basic", "reason": f"{later.name} of {later.email}"}
    decided = await stage.send("account", "POST", f"{path}/kyc/decision", json=rejected, client="demo-office")
    assert decided.status_code == 200, decided.text
    for part in ("", "/accounts", "/entries", "/kyc-events"):
        assert (await stage.send("account", "GET", f"{path}{part}")).status_code == 200


async def break_a_row(stage: Stage, person: Planted) -> None:
    """What is damaged in the database is an error of ours, with a traceback in the log."""
    customer = await stage.register(person)
    connection = await asyncpg.connect(stage.running.database("account").owner_url)
    try:
        await connection.execute("UPDATE customers SET email = name WHERE id = $1", UUID(customer["id"]))
    finally:
        await connection.close()
    answer = await stage.send("account", "GET", "/v1/customers", params={"mobile": person.mobile})
    assert answer.status_code == 500
    again = {"name": person.name, "mobile": person.mobile, "email": f"x{person.email}", "currency": "EUR"}
    assert (await stage.send("account", "POST", "/v1/customers", json=again)).status_code == 409


async def test_no_plain_text_of_a_person_in_any_table_log_message_or_trace(
    stage: Stage, backing: Backing
) -> None:
    payer, payee = stage.person(), stage.person()
    paying, paid = await stage.register(payer), await stage.register(payee)
    body = {"name": payee.name, "mobile": payee.mobile, "email": payee.email, "currency": "EUR"}
    assert (await stage.send("account", "POST", "/v1/customers", json=body)).status_code == 409
    holder = {"account": f"ACC-{uuid4().hex[:8]}", "holder": stage.person().name, "currency": "EUR"}
    assert (await stage.send("account", "POST", "/v1/accounts", json=holder)).status_code == 201
    await look_up(stage, payee)
    await send_what_is_refused(stage, stage.person())
    await pay_by_every_name(stage, paying, payee)
    await change_and_decide(stage, paid["id"], stage.person())
    await break_a_row(stage, stage.person())
    await eventually(lambda: any(b"customer.registered" in body for body in stage.frames))
    await eventually(lambda: in_bodies(stage.traces, [b"/v1/customers"]), timeout_s=20)
    wanted = [value for person in stage.people for value in person.betraying()]
    connection = await asyncpg.connect(stage.running.database("account").admin_url)
    try:
        assert await in_tables(connection, wanted) == []
    finally:
        await connection.close()
    logs = log_files(stage, backing)
    assert in_files(logs, [b'"route":"/v1/customers"']), "no request was logged: this would prove nothing"
    assert in_files(logs, [b"SealBroken"]), "no traceback was logged"
    assert in_files(logs, wanted) == []
    assert stage.frames
    assert not in_bodies(stage.frames, wanted)
    assert not in_bodies(stage.traces, wanted)


@pytest.mark.parametrize(
    "column", ["kept text", "kept bytea", "kept jsonb", "kept json", "kept text[]", "kept bytea[]"]
)
async def test_the_search_finds_what_does_stand_in_a_table(stage: Stage, column: str) -> None:
    """In every kind of column, in whatever case it was written."""
    person = Planted()
    kind = column.split()[1]
    document = json.dumps({"name": person.name})
    value: Any = {
        "text": f"… {person.name.upper()} …",
        "bytea": b"\x00" + person.email.encode(),
        "jsonb": document,
        "json": document,
        "text[]": ["x", person.mobile],
        "bytea[]": [person.name.encode()],
    }[kind]
    connection = await asyncpg.connect(stage.running.database("account").admin_url)
    try:
        await connection.execute(f"CREATE TABLE fraud.planted ({column})")
        try:
            assert await in_tables(connection, person.betraying()) == []
            await connection.execute("INSERT INTO fraud.planted VALUES ($1)", value)
            assert await in_tables(connection, person.betraying()) == ["fraud.planted"]
        finally:
            await connection.execute("DROP TABLE fraud.planted")
    finally:
        await connection.close()


async def test_the_search_finds_what_does_stand_in_a_log_a_message_or_a_trace(
    stage: Stage, tmp_path: Path
) -> None:
    """Real ones: a note that a client may put into a payment is looked for where it does go."""
    log = tmp_path / "account.log"
    person = Planted()
    log.write_text(json.dumps({"event": f"registered {person.email}"}) + "\n")
    assert in_files([log], person.betraying()) == ["account.log"]
    assert in_bodies([json.dumps({"name": person.name}).encode()], person.betraying())
    assert in_bodies([b"\x0a\x05" + person.mobile.encode()], person.betraying())
    account = f"ACC-{uuid4().hex[:8]}"
    body = {"account": account, "holder": "Somebody", "currency": "EUR"}
    await stage.send("account", "POST", "/v1/accounts", json=body)
    payment = {"debtor": account, "creditor": account[:-1], "amount_minor": 1, "currency": "EUR"}
    await stage.send("transaction", "POST", "/v1/payments", json=payment)
    await eventually(lambda: in_bodies(stage.frames, [account.encode()]), timeout_s=20)
