"""The notification service on a real database, with time held still and everything else as in production."""

import os
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

import httpx2
from contracts.catalogue import BY_PAYLOAD
from contracts.messages import PaymentNotice, PaymentSettled
from fastapi import FastAPI
from messaging.event import Event
from notification_service.api.parts import Parts
from notification_service.app import make_api
from notification_service.consumers.payments import payment_handlers
from notification_service.delivery.worker import DeliveryWorker, WorkerLimits
from notification_service.domain.addresses import Address
from notification_service.domain.event_types import SUBSCRIBABLE
from notification_service.domain.target import TargetPolicy
from notification_service.operations.register_endpoint import EndpointLimits
from notification_service.outbound.resolver import TargetCheck
from notification_service.outbound.sender import SendLimits, WebhookSender
from service_kit.auth import ApiKeys, Client, key_digest
from service_kit.database import Database
from service_kit.ids import uuid7
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

PEPPER = b"pepper of the tests"
ALL = SUBSCRIBABLE


@dataclass
class StillClock:
    """Stands until it is moved. Begins at the present: the oracle compares with the machine's clock."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.at

    def advance(self, **delta: float) -> None:
        self.at += timedelta(**delta)


@dataclass
class Names:
    """A resolver with a list of answers for a name: each look-up takes the next, the last one stays."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str) -> Sequence[Address]:
        self.asked.append(host)
        left = self.answers.get(host, [[]])
        answer = left.pop(0) if len(left) > 1 else left[0]
        return [ip_address(address) for address in answer]


def api_key(prefix: str) -> str:
    return f"flk_{prefix}_" + "k" * 43


@dataclass
class Stage:
    database: Database
    clock: StillClock
    names: Names
    policy: TargetPolicy
    client_id: str
    other_id: str
    api: httpx2.AsyncClient
    other: httpx2.AsyncClient
    reader: httpx2.AsyncClient
    app: FastAPI
    nudges: list[Callable[[AsyncConnection], None]]
    workers: list[WebhookSender] = field(default_factory=list)
    sequence: int = 0

    def worker(
        self,
        *,
        limits: WorkerLimits | None = None,
        send: SendLimits | None = None,
        policy: TargetPolicy | None = None,
        tls: ssl.SSLContext | None = None,
        jitter: float = 0.5,
        database: Database | None = None,
    ) -> DeliveryWorker:
        """A worker; a jitter of one half gives exactly the schedule's own delays."""
        check = TargetCheck(policy=policy or self.policy, resolver=self.names)
        send = send or SendLimits(total_s=5.0, connect_s=5.0)
        sender = WebhookSender(check=check, limits=send, clock=self.clock, ssl_context=tls)
        self.workers.append(sender)
        return DeliveryWorker(
            database=database or self.database,
            sender=sender,
            limits=limits or WorkerLimits(),
            clock=self.clock,
            new_id=uuid7,
            draw=lambda: jitter,
        )

    async def register(self, url: str, *event_types: str, **fields: Any) -> dict[str, Any]:
        body = {"url": url, "event_types": list(event_types or ALL), **fields}
        answer = await self.api.post("/v1/webhook-endpoints", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def event(
        self, payload: type[PaymentNotice] = PaymentSettled, *, client_id: str | None = None, **fields: Any
    ) -> Event[PaymentNotice]:
        self.sequence += 1
        now = self.clock.now()
        data: dict[str, Any] = {
            "payment_id": uuid4(),
            "client_id": client_id or self.client_id,
            "kind": "transfer",
            "debtor": "alice",
            "creditor": "bob",
            "amount_minor": 1250,
            "currency": "EUR",
            "reference": "invoice 7",
            "status": "SETTLED",
            "created_at": now,
            "occurred_at": now,
        } | fields
        return Event(
            id=uuid7(),
            type=BY_PAYLOAD[payload].name,
            source="/florin/transaction",
            subject=str(data["payment_id"]),
            sequence=self.sequence,
            occurred_at=now,
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            causation_id=None,
            data=payload.model_validate(data),
        )

    async def hear(self, *events: Event[PaymentNotice]) -> None:
        """What the consumer does with a batch, in its transaction."""
        handlers = payment_handlers(clock=self.clock, new_id=uuid7)
        by_type: dict[type, list[Event[PaymentNotice]]] = {}
        for event in events:
            by_type.setdefault(type(event.data), []).append(event)
        async with self.database.transaction() as connection:
            for payload, batch in by_type.items():
                await handlers[payload](connection, batch)

    async def deliveries(self, **query: Any) -> list[dict[str, Any]]:
        answer = await self.api.get("/v1/webhook-deliveries", params={"limit": 200, **query})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def delivery(self, delivery_id: str) -> dict[str, Any]:
        answer = await self.api.get(f"/v1/webhook-deliveries/{delivery_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def endpoint(self, endpoint_id: str) -> dict[str, Any]:
        answer = await self.api.get(f"/v1/webhook-endpoints/{endpoint_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def rows(self, statement: str, **parameters: Any) -> list[Any]:
        async with self.database.snapshot() as connection:
            return list(await connection.execute(text(statement), parameters))


@asynccontextmanager
async def set_up(app_url: str, *, policy: TargetPolicy, limits: EndpointLimits) -> AsyncIterator[Stage]:
    """A stage with clients of its own: tests share a database whose history cannot be removed."""
    nudges: list[Callable[[AsyncConnection], None]] = []

    def after_commit(connection: AsyncConnection) -> None:
        for nudge in nudges:
            nudge(connection)

    database = Database(app_url, pool_size=5, after_commit=after_commit)
    clock, names = StillClock(), Names()
    tag = os.urandom(4).hex()
    ids = [f"client-{tag}", f"other-{tag}"]
    scopes = frozenset({"webhooks:read", "webhooks:write"})
    clients = [
        Client(ids[0], scopes, "key:aaaaaaaa"),
        Client(ids[1], scopes, "key:bbbbbbbb"),
        Client(ids[0], frozenset({"webhooks:read"}), "key:cccccccc"),
    ]
    keys = ApiKeys(
        [(c, key_digest(api_key(c.credential.removeprefix("key:")), PEPPER)) for c in clients], PEPPER
    )
    parts = Parts(
        database=database,
        target_check=TargetCheck(policy=policy, resolver=names),
        endpoint_limits=limits,
        secret_overlap=timedelta(hours=24),
        clock=clock,
        new_id=uuid7,
        random_bytes=os.urandom,
    )
    app = make_api(parts, keys)
    apis = [
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),
            base_url="http://notification.test",
            headers={"authorization": f"Bearer {api_key(c.credential.removeprefix('key:'))}"},
        )
        for c in clients
    ]
    stage = Stage(database, clock, names, policy, ids[0], ids[1], apis[0], apis[1], apis[2], app, nudges)
    try:
        yield stage
    finally:
        for api in apis:
            await api.aclose()
        for sender in stage.workers:
            await sender.close()
        await _leave_nothing_due(database)
        await database.close()


async def _leave_nothing_due(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE webhook_deliveries SET status = 'cancelled', next_attempt_at = NULL,"
                " finished_at = now(), lease_token = NULL, leased_at = NULL, lease_until = NULL"
                " WHERE status = 'pending'"
            )
        )
