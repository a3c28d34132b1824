"""Ways to speak to the service and to look at what it did."""

import json
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID, uuid4

import httpx2
from account_service.consumers.posting_requested import PostRequestedPayments
from account_service.domain.hold import CaptureTerms, HoldTerms
from account_service.domain.outcome import Outcome
from account_service.domain.posting import PostingKind, PostingRequest, Request, VoidRequest
from account_service.operations.expire_holds import expire_holds
from account_service.operations.post_batch import post_batch
from contracts.messages import PostingRequested, VoidRequested
from fastapi import FastAPI
from messaging.event import Event, encode, new_event
from messaging.frame import Frame, seal
from messaging.processor import Processor
from messaging.signing import KeyRing
from service_kit.database import Database
from service_kit.ids import uuid7
from service_kit.key_encryption_keys import KeyEncryptionKey, KeyEncryptionKeys
from service_kit.vault import Vault
from sqlalchemy import text
from testkit.clocks import StillClock

from .callers import SCOPES, Callers

REGION = "CZ"


Asked = Event[PostingRequested] | Event[VoidRequested]


def new_vault(*, active: str = "kek-1") -> Vault:
    """A vault on a key-encryption key of its own."""
    keys = KeyEncryptionKeys([KeyEncryptionKey(active, secrets.token_bytes(32), active=True)])
    return Vault(keys, handle_key=secrets.token_bytes(32))


def name(prefix: str = "acc") -> str:
    """An account reference that no other test uses."""
    return f"{prefix}-{uuid4().hex[:10]}"


def terms(account: str | None = None, **given: Any) -> dict[str, Any]:
    """The body that opens an account."""
    return {"account": account or name(), "holder": "Jana Nová", "currency": "CZK"} | given


def transfer(debtor: str, creditor: str, amount_minor: int = 1, **given: Any) -> PostingRequest:
    """A payment to post, of the client `bank` in CZK unless said otherwise."""
    facts: dict[str, Any] = {
        "kind": PostingKind.TRANSFER,
        "client_id": "bank",
        "currency": "CZK",
        "payment_id": uuid4(),
    } | given
    return PostingRequest(debtor=debtor, creditor=creditor, amount_minor=amount_minor, **facts)


def hold(debtor: str, creditor: str, amount_minor: int = 1, **given: Any) -> PostingRequest:
    """A payment to hold, for an hour unless `expires_at` says otherwise."""
    terms_given: dict[str, Any] = {
        name: given.pop(name)
        for name in ("expires_at", "captured_many_times", "tolerance_minor")
        if name in given
    }
    terms_given.setdefault("expires_at", datetime.now(UTC) + timedelta(hours=1))
    held = HoldTerms(**terms_given)
    return transfer(debtor, creditor, amount_minor, kind=PostingKind.HOLD, hold=held, **given)


def capture(of: PostingRequest, amount_minor: int, *, final: bool = False, **given: Any) -> PostingRequest:
    """A payment that takes from what is held."""
    assert of.payment_id is not None
    taken = CaptureTerms(of=of.payment_id, final=final)
    facts = {"kind": PostingKind.CAPTURE, "capture": taken} | given
    return transfer(of.debtor, of.creditor, amount_minor, **facts)


def void(of: PostingRequest, reason: str = "Changed my mind", **given: Any) -> VoidRequest:
    """What gives up what is held."""
    assert of.payment_id is not None
    facts: dict[str, Any] = {
        "client_id": of.client_id,
        "payment_id": of.payment_id,
        "author": "bank",
    } | given
    return VoidRequest(**{"reason": reason} | facts)


def void_requested(request: VoidRequest) -> Event[VoidRequested]:
    """The event by which the transaction service asks for it."""
    data = VoidRequested.model_validate(asdict(request))
    return new_event(data, subject=str(request.payment_id), sequence=4, at=datetime.now(UTC))


def requested(request: PostingRequest) -> Event[PostingRequested]:
    """The event by which the transaction service asks for it."""
    assert request.payment_id is not None
    data = PostingRequested.model_validate(
        {
            "payment_id": request.payment_id,
            "client_id": request.client_id,
            "kind": request.kind.value,
            "debtor": request.debtor,
            "creditor": request.creditor,
            "amount_minor": request.amount_minor,
            "currency": request.currency,
            "reverses": request.reverses,
            "hold": None if request.hold is None else asdict(request.hold),
            "capture": None if request.capture is None else asdict(request.capture),
            "conditions": None if request.conditions is None else asdict(request.conditions),
        }
    )
    return new_event(data, subject=str(request.payment_id), sequence=2, at=datetime.now(UTC))


@dataclass
class Bank:
    """The service under test."""

    database: Database
    api: FastAPI
    callers: Callers
    keyring: KeyRing
    clock: StillClock
    vault: Vault
    http: dict[str, httpx2.AsyncClient] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.processor = self.another_processor()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """HTTP clients for everyone who has a key, and `nobody` who has none."""
        for caller in (*SCOPES, "nobody"):
            key = self.callers.keys.get(caller)
            self.http[caller] = httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=self.api),
                base_url="http://account",
                headers={"authorization": f"Bearer {key}"} if key else {},
            )
        yield
        for client in self.http.values():
            await client.aclose()

    def another_processor(self) -> Processor:
        """A consumer process of its own on the same database."""
        requests = PostRequestedPayments(clock=self.clock)
        return Processor(
            transaction=self.database.transaction,
            handlers={PostingRequested: requests, VoidRequested: requests},
            ring=self.keyring,
            now=lambda: datetime.now(UTC),
        )

    def frame(self, events: Iterable[Asked]) -> Frame:
        """Events of one type as the transaction service would send them."""
        key, sent = self.keyring.signing_key("transaction"), list(events)
        return seal(
            [encode(event) for event in sent], routing_key=sent[0].type, key=key, at=datetime.now(UTC)
        )

    async def deliver(self, *events: Asked) -> None:
        """Receive the events in one batch, in a frame for each run of one type."""
        runs = [list(run) for _, run in groupby(events, key=lambda event: event.type)]
        await self.processor.process([self.frame(run) for run in runs])

    async def expire(self) -> int:
        """What the worker does in one round."""
        async with self.database.transaction() as connection:
            return await expire_holds(connection, clock=self.clock, new_id=uuid7)

    async def post(self, *requests: Request) -> Sequence[Outcome]:
        """Post a batch in a transaction of its own."""
        async with self.database.transaction() as connection:
            return await post_batch(connection, requests, clock=self.clock, new_id=uuid7)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "",
        caller: str = "bank",
        accept: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx2.Response:
        """One request; a new idempotency key unless one is given, none for None."""
        sent = {} if key is None else {"idempotency-key": key or uuid4().hex}
        if accept is not None:
            sent["accept"] = accept
        return await self.http[caller].request(method, path, json=body, headers=sent | (headers or {}))

    async def open(self, account: str | None = None, balance: int = 0, **given: Any) -> str:
        """An open account in CZK; returns its reference."""
        caller = given.pop("caller", "bank")
        reference = account or name()
        body = {
            "account": reference,
            "holder": "Jana Nová",
            "currency": "CZK",
            "opening_balance_minor": balance,
        } | given
        answer = await self.send("POST", "/v1/accounts", body, caller=caller)
        assert answer.status_code == 201, answer.text
        return reference

    async def set_state(self, account: str, state: str) -> None:
        """Bring an account into a state."""
        answer = await self.send("POST", f"/v1/accounts/{account}/state", {"state": state, "reason": "Test"})
        assert answer.status_code == 200, answer.text

    async def balance(self, account: str) -> int:
        """What is posted on the account, as the API tells it."""
        answer = await self.send("GET", f"/v1/accounts/{account}/balance", key=None)
        return int(answer.json()["posted_minor"])

    async def figures(self, account: str) -> tuple[int, int, int]:
        """What is posted, held and available on the account, as the API tells it."""
        told = (await self.send("GET", f"/v1/accounts/{account}/balance", key=None)).json()
        return told["posted_minor"], told["held_minor"], told["available_minor"]

    async def rows(self, sql: str, **parameters: Any) -> list[Any]:
        """Look into the database."""
        async with self.database.snapshot() as connection:
            return list(await connection.execute(text(sql), parameters))

    async def told(self, payment_id: UUID | None) -> list[dict[str, Any]]:
        """The events the service has written about a payment, in order."""
        rows = await self.rows(
            "SELECT body FROM outbox WHERE subject = :id ORDER BY position", id=str(payment_id)
        )
        return [json.loads(row.body) for row in rows]

    async def assert_books_balance(self) -> None:
        """Every entry's sum is zero by posting and by currency, and every balance is its entries' sum."""
        assert not await self.rows(
            "SELECT posting_id FROM entries GROUP BY posting_id, currency HAVING sum(amount_minor) <> 0"
        )
        assert not await self.rows("SELECT currency FROM accounts GROUP BY 1 HAVING sum(posted_minor) <> 0")
        assert not await self.rows(
            """
            SELECT a.id FROM accounts a LEFT JOIN entries e ON e.account_id = a.id GROUP BY a.id
            HAVING a.posted_minor <> coalesce(sum(e.amount_minor), 0) OR a.version <> count(e.account_id)
            """
        )
        assert not await self.rows(
            """
            SELECT a.id FROM accounts a LEFT JOIN holds h ON h.account_id = a.id AND h.state = 'OPEN'
            GROUP BY a.id HAVING a.held_minor <> coalesce(sum(h.remaining_minor), 0)
            """
        )
