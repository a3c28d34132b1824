"""The service on a real, migrated database: HTTP through the real application, messages through the inbox."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from contracts.messages import (
    FraudAssessed,
    HoldEnded,
    HoldPlaced,
    PostingCompleted,
    PostingDeclined,
    ReviewResolved,
)
from messaging.event import Event, encode, new_event
from messaging.frame import seal
from messaging.processor import Processor
from messaging.signing import KeyRing
from service_kit.access import ROLES, Role
from service_kit.auth import SCOPES, ApiKeys, Client, key_digest
from service_kit.circuit_breaker import CircuitBreaker
from service_kit.clock import SystemClock
from service_kit.database import Database
from sqlalchemy import text
from testkit.databases import ServiceDatabase
from transaction_service.api.parties import Handles
from transaction_service.api.parts import PaymentParts
from transaction_service.app import make_api, make_parts
from transaction_service.consumers.handlers import handlers
from transaction_service.outbound.peers import PeerAddresses, Peers

PEPPER = b"pepper of the tests"
HANDLE_KEY = b"k" * 32


def api_key(prefix: str) -> str:
    """A key of the right shape."""
    return f"flk_{prefix}_" + "k" * 43


KEYS = {"alpha": "aaaaaaaa", "beta": "bbbbbbbb"}
# People of the client `alpha`, by their roles; their second factor counts as just shown for as long as the
# tests run.
PEOPLE = {
    name: Client(
        "alpha", ROLES[role], f"key:{prefix}", f"person:{UUID(int=number)}", datetime(9000, 1, 1, tzinfo=UTC)
    )
    for number, (name, role, prefix) in enumerate(
        (
            ("maker", Role.OPERATOR, "mmmmmmmm"),
            ("checker", Role.APPROVER, "cccccccc"),
            ("other-checker", Role.APPROVER, "dddddddd"),
            ("clerk", Role.CLIENT, "eeeeeeee"),
        )
    )
}
CLOCK = SystemClock()


def now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


@dataclass
class Neighbours:
    """What account and fraud say: each a body, a status, bytes, or an error to raise; None is silence."""

    account: Any = None
    fraud: Any = None
    asked: dict[str, httpx2.Request] = field(default_factory=dict)

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as told."""
        name = request.url.host.split(".")[0]
        self.asked[name] = request
        told = getattr(self, name)
        match told:
            case None:
                await asyncio.Event().wait()
            case Exception():
                raise told
            case int():
                return httpx2.Response(told, json={})
            case bytes():
                return httpx2.Response(200, content=told)
        return httpx2.Response(200, json=told)


@dataclass
class Service:
    """The service under test and ways to look at what it did."""

    database: Database
    keyring: KeyRing
    parts: PaymentParts
    api: httpx2.AsyncClient
    other: httpx2.AsyncClient
    neighbours: Neighbours
    people: Mapping[str, httpx2.AsyncClient]

    def processor(self) -> Processor:
        """A consumer process."""
        return Processor(
            transaction=self.database.transaction, handlers=handlers(CLOCK), ring=self.keyring, now=now
        )

    async def pay(
        self, *, key: str | None = None, client: httpx2.AsyncClient | None = None, **changes: Any
    ) -> Any:
        """POST a payment; returns the response."""
        body = {"debtor": "A", "creditor": "B", "amount_minor": 1250, "currency": "EUR"} | changes
        headers = {"Idempotency-Key": key or uuid4().hex}
        return await (client or self.api).post("/v1/payments", json=body, headers=headers)

    async def accepted(self, **changes: Any) -> str:
        """The id of a new payment."""
        answer = await self.pay(**changes)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def hear(self, *data: Any, redelivered: int = 1) -> list[Event[Any]]:
        """Receive answers as fraud and account send them, each in a frame of its own."""
        events = [new_event(one, subject=_subject(one), sequence=1, at=now()) for one in data]
        processor = self.processor()
        for event in events:
            key = self.keyring.signing_key(event.source.removeprefix("/florin/"))
            frame = seal([encode(event)], routing_key=event.type, key=key, at=now())
            for _ in range(redelivered):
                await processor.process([frame])
        return events

    async def assessed(self, payment_id: str, decision: str = "approve") -> None:
        """Screening answers."""
        await self.hear(
            FraudAssessed(
                payment_id=UUID(payment_id), decision=decision, score=1, reasons=["r"], rules_version=1
            )
        )

    async def reviewed(self, payment_id: str, decision: str) -> None:
        """A person answers."""
        await self.hear(
            ReviewResolved(payment_id=UUID(payment_id), decision=decision, reason="looked", resolved_by="op")
        )

    async def posted(self, payment_id: str) -> None:
        """The ledger moved the money."""
        await self.hear(PostingCompleted(payment_id=UUID(payment_id), posting_id=uuid4(), posted_at=now()))

    async def declined(
        self,
        payment_id: str,
        code: str = "insufficient_funds",
        figures: dict[str, Any] | None = None,
        *,
        field: str = "debtor",
    ) -> None:
        """The ledger refused."""
        await self.hear(PostingDeclined(payment_id=UUID(payment_id), code=code, field=field, figures=figures))

    async def held(self, **changes: Any) -> str:
        """The id of a payment whose money is held."""
        payment_id = await self.accepted(capture="manual", **changes)
        await self.assessed(payment_id)
        await self.hear(HoldPlaced(payment_id=UUID(payment_id), held_at=now(), expires_at=now()))
        return payment_id

    async def hold_ended(
        self, payment_id: str, end: str, *, captured_minor: int = 0, released_minor: int = 0
    ) -> None:
        """The ledger ended a hold."""
        await self.hear(
            HoldEnded(
                payment_id=UUID(payment_id),
                end=end,
                captured_minor=captured_minor,
                released_minor=released_minor,
                reason=f"because {end}",
                author="somebody",
                ended_at=now(),
            )
        )

    async def sent(self, payment_id: str, type_: str) -> list[dict[str, Any]]:
        """The data of the events of one type written about a payment, in order."""
        rows = await self.rows(
            "SELECT body FROM outbox WHERE subject = :id AND type = :type ORDER BY position",
            id=payment_id,
            type=type_,
        )
        return [json.loads(row.body)["data"] for row in rows]

    async def settled(self, **changes: Any) -> str:
        """The id of a payment that has settled."""
        payment_id = await self.accepted(**changes)
        await self.assessed(payment_id)
        await self.posted(payment_id)
        return payment_id

    async def get(self, payment_id: str) -> dict[str, Any]:
        """The payment as its client reads it."""
        answer = await self.api.get(f"/v1/payments/{payment_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def states(self, payment_id: str) -> list[str]:
        """The states it went through."""
        return [step["status"] for step in (await self.get(payment_id))["lifecycle"]]

    async def told(self, payment_id: str) -> list[str]:
        """The types of the events written about a payment, in order."""
        rows = await self.rows("SELECT type FROM outbox WHERE subject = :id ORDER BY position", id=payment_id)
        return [row.type for row in rows]

    async def rows(self, sql: str, **parameters: Any) -> list[Any]:
        """Look into the database."""
        async with self.database.snapshot() as connection:
            return list(await connection.execute(text(sql), parameters))

    async def scalar(self, sql: str, **parameters: Any) -> Any:
        """One value."""
        return (await self.rows(sql, **parameters))[0][0]


def _subject(data: Any) -> str:
    return str(getattr(data, "payment_id", None) or data.customer_id)


@pytest.fixture(scope="module")
def transaction_database(database_for: Callable[[str], ServiceDatabase]) -> ServiceDatabase:
    """This module's own transaction schema."""
    return database_for("transaction")


@asynccontextmanager
async def _running(*components: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(component.run()) for component in components]
    try:
        yield
    finally:
        for component in components:
            component.stop()
        await asyncio.gather(*tasks)


@pytest.fixture(scope="module")
async def service(transaction_database: ServiceDatabase, keyring: KeyRing) -> AsyncIterator[Service]:
    """The service on this module's database, its commits grouped as in production."""
    database = Database(transaction_database.app_url, pool_size=20)
    neighbours = Neighbours()
    addresses = PeerAddresses("http://account.test", "http://fraud.test/", "flk_service")
    peers = Peers(
        addresses,
        deadline_s=0.3,
        transport=httpx2.MockTransport(neighbours.answer),
        # One neighbour serves all tests of a module: what it failed in one must not be refused in the next.
        breaker=lambda peer: CircuitBreaker(peer, failures_to_open=1_000),
    )
    parts = make_parts(database, CLOCK, handles=Handles(HANDLE_KEY), peers=peers)
    keys = ApiKeys(
        [
            (Client(client, SCOPES, f"key:{prefix}"), key_digest(api_key(prefix), PEPPER))
            for client, prefix in KEYS.items()
        ]
        + [(person, key_digest(api_key(person.credential[4:]), PEPPER)) for person in PEOPLE.values()],
        PEPPER,
    )
    transport = httpx2.ASGITransport(app=make_api(parts, keys))
    prefixes = KEYS | {name: person.credential[4:] for name, person in PEOPLE.items()}
    clients = {
        client: httpx2.AsyncClient(
            transport=transport,
            base_url="http://transaction.test",
            headers={"Authorization": f"Bearer {api_key(prefix)}"},
        )
        for client, prefix in prefixes.items()
    }
    async with _running(parts.writer, parts.finality), AsyncExitStack() as closing:
        for client in clients.values():
            await closing.enter_async_context(client)
        yield Service(database, keyring, parts, clients["alpha"], clients["beta"], neighbours, clients)
    await peers.close()
    await database.close()
