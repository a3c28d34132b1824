"""The service on a real, migrated database: what is delivered goes through the real processor and inbox."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from contracts.messages import PaymentInitiated
from fraud_service.app import make_api
from fraud_service.consumers.payment_initiated import ScreenInitiatedPayments
from fraud_service.domain.rule_document import read_rule_set
from fraud_service.operations.publish_rules import PublishRules, publish_rules
from fraud_service.persistence import rule_sets
from messaging.event import Event, encode, new_event
from messaging.frame import Frame, seal
from messaging.processor import Processor
from messaging.signing import KeyRing
from service_kit.audit import Origin
from service_kit.auth import ApiKeys, Client
from service_kit.database import Database
from sqlalchemy import text
from testkit.auditing import AuditLog
from testkit.clocks import StillClock
from testkit.databases import ServiceDatabase

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PEPPER = "a pepper for tests only"
ANALYST = Origin(client_id="analyst", actor="client:analyst")
ROUTING_KEY = "florin.payment.initiated.v1"


def initiated(**given: Any) -> Event[PaymentInitiated]:
    """A payment's event; every fact may be given, what is not is ordinary."""
    facts: dict[str, Any] = {
        "payment_id": uuid4(),
        "client_id": "bank",
        "kind": "transfer",
        "debtor": f"debtor-{uuid4().hex[:12]}",
        "creditor": "creditor",
        "amount_minor": 12_50,
        "currency": "EUR",
        "created_at": NOON,
    } | given
    data = PaymentInitiated(**facts)
    return new_event(data, subject=str(data.payment_id), sequence=1, at=data.created_at)


@dataclass
class Fraud:
    """The service under test and ways to look at what it did."""

    database: Database
    keyring: KeyRing
    clock: StillClock = field(default_factory=StillClock)

    def __post_init__(self) -> None:
        self.handler = ScreenInitiatedPayments(clock=self.clock)
        self.processor = self.another_processor()

    def another_processor(self) -> Processor:
        """A second consumer process on the same database."""
        return Processor(
            transaction=self.database.transaction,
            handlers={PaymentInitiated: ScreenInitiatedPayments(clock=self.clock)},
            ring=self.keyring,
            now=lambda: datetime.now(UTC),
        )

    def frame(self, events: Iterable[Event[PaymentInitiated]]) -> Frame:
        """Events as the transaction service would send them."""
        key = self.keyring.signing_key("transaction")
        return seal(
            [encode(event) for event in events], routing_key=ROUTING_KEY, key=key, at=datetime.now(UTC)
        )

    async def deliver(self, *events: Event[PaymentInitiated]) -> None:
        """Receive the events in one frame."""
        await self.processor.process([self.frame(events)])

    async def deliver_concurrently(self, batches: Sequence[Sequence[Event[PaymentInitiated]]]) -> None:
        """Receive each batch by a consumer of its own, all at once."""
        await asyncio.gather(*(self.another_processor().process([self.frame(batch)]) for batch in batches))

    async def publish(self, *rules: Mapping[str, Any]) -> int:
        """Make these the current rules; returns the version."""
        async with self.database.transaction() as connection:
            current = await rule_sets.load_current(connection)
            command = PublishRules(read_rule_set(rules), current.version, ANALYST, uuid4().hex)
            return (await publish_rules(connection, command, clock=self.clock)).record.version

    async def rows(self, sql: str, **parameters: Any) -> list[Any]:
        """Look into the database."""
        async with self.database.snapshot() as connection:
            return list(await connection.execute(text(sql), parameters))

    async def decision(self, event: Event[PaymentInitiated]) -> Any:
        """The one decision about a payment."""
        rows = await self.rows("SELECT * FROM decisions WHERE payment_id = :id", id=event.data.payment_id)
        assert len(rows) == 1, f"{len(rows)} decisions"
        return rows[0]

    async def decisions_of(self, debtor: str) -> list[str]:
        """How the payments of a debtor were decided, sorted."""
        rows = await self.rows("SELECT decision FROM decisions WHERE debtor = :d ORDER BY 1", d=debtor)
        return [row.decision for row in rows]

    async def told(self, payment_id: UUID) -> list[dict[str, Any]]:
        """The events the service has written about a payment, in order."""
        rows = await self.rows(
            "SELECT body FROM outbox WHERE subject = :id ORDER BY position", id=str(payment_id)
        )
        return [json.loads(row.body) for row in rows]

    async def parked(self) -> dict[UUID, str]:
        """Reason by event id."""
        return {row.event_id: row.reason for row in await self.rows("SELECT * FROM parked")}


@pytest.fixture(scope="module")
def fraud_database(database_for: Callable[[str], ServiceDatabase]) -> ServiceDatabase:
    """This module's own fraud schema."""
    return database_for("fraud")


@pytest.fixture
async def fraud(fraud_database: ServiceDatabase, keyring: KeyRing) -> AsyncIterator[Fraud]:
    """The service on this module's database."""
    database = Database(fraud_database.app_url, pool_size=20)
    yield Fraud(database, keyring)
    await database.close()


@pytest.fixture
def make_payment() -> Callable[..., Event[PaymentInitiated]]:
    """`make_payment(amount_minor=5, ...)`: the event of a payment to screen."""
    return initiated


class Callers:
    """API keys of clients, and HTTP clients that bear them."""

    SCOPES: Mapping[str, tuple[str, ...]] = {
        "bank": ("reviews:read", "reviews:decide"),
        "other": ("reviews:read", "reviews:decide"),
        "operator": ("reviews:read", "reviews:decide", "reviews:any-client"),
        "analyst": ("rules:read", "rules:write"),
        "second-analyst": ("rules:read", "rules:write"),
        "reader": ("rules:read",),
        "auditor": ("audit:read",),
        "service": ("dry-run:ask",),
    }

    def __init__(self) -> None:
        alphabet = base64.b32encode(secrets.token_bytes(5 * len(self.SCOPES))).decode().lower()
        self._keys = {
            name: f"flk_{alphabet[8 * n : 8 * n + 8]}_{secrets.token_urlsafe(32)}"
            for n, name in enumerate(self.SCOPES)
        }
        self.api_keys = ApiKeys(
            [
                (
                    Client(name, frozenset(scopes), f"key:{self._keys[name][4:12]}"),
                    hmac.digest(PEPPER.encode(), self._keys[name].encode(), hashlib.sha256),
                )
                for name, scopes in self.SCOPES.items()
            ],
            PEPPER.encode(),
        )

    @asynccontextmanager
    async def connected(self, fraud: Fraud, name: str) -> AsyncIterator[httpx2.AsyncClient]:
        """An HTTP client of the API as one of the callers."""
        api = make_api(fraud.database, self.api_keys, fraud.clock)
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=api),
            base_url="http://fraud",
            headers={"authorization": f"Bearer {self._keys[name]}"} if name else {},
        ) as client:
            yield client


@pytest.fixture(scope="session")
def callers() -> Callers:
    """Clients with different scopes."""
    return Callers()


@pytest.fixture
def as_caller(fraud: Fraud, callers: Callers) -> Iterator[Callable[[str], Any]]:
    """`async with as_caller("bank") as http:` speaks to the API as that client."""
    return lambda name: callers.connected(fraud, name)  # type: ignore[return-value]


@pytest.fixture
def log(fraud_database: ServiceDatabase) -> AuditLog:
    """What the service writes into its audit log."""
    return AuditLog(fraud_database.admin_url, "fraud")


@pytest.fixture
async def held(fraud: Fraud, make_payment: Callable[..., Event[PaymentInitiated]]) -> Event[PaymentInitiated]:
    """A payment of client `bank` that waits for a person."""
    event = make_payment(amount_minor=1_000_000)
    await fraud.deliver(event)
    return event


@pytest.fixture
async def bank(as_caller: Callable[[str], Any]) -> AsyncIterator[httpx2.AsyncClient]:
    async with as_caller("bank") as http:
        yield http


@pytest.fixture
async def operator(as_caller: Callable[[str], Any]) -> AsyncIterator[httpx2.AsyncClient]:
    async with as_caller("operator") as http:
        yield http
