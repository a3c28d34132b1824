"""Clients that each have one of everything that can be asked for by an id, and two of what comes in lists."""

import base64
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
from florin.own_clients import own_client
from florin.ports import HOST
from florin.services import PROCESSES
from identity_service.domain import totp
from service_kit.access import SCOPES
from testkit.stacks import RunningServices
from testkit.waiting import eventually

# All that a client can be allowed which reaches no other client's data.
ALLOWED = sorted(SCOPES.keys() - {"reviews:any-client", "trust:read", "dry-run:ask"})
COOKIE = "__Host-florin_session"
PASSWORD = "a fox ran over the ledger"
REASON = {"reason": "because"}
# More than the standing rules let pass without a person's look.
SUSPICIOUS_MINOR = 1_000_000


@dataclass
class Tenant:
    """A client by its API key and, where an operation asks for a cookie, by a person of its own. `ids` are
    those of its things, by the name that paths have for them; `of_service` those of things that several
    services have under one name. `secrets` is what it was ever shown or showed."""

    running: RunningServices
    name: str
    secret: str
    http: httpx2.AsyncClient = field(repr=False)
    cookie: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    of_service: dict[str, dict[str, str]] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list, repr=False)

    def ids_in(self, service: str) -> dict[str, str]:
        """The ids by which this service knows its things."""
        return self.ids | self.of_service.get(service, {})

    async def ask(
        self, service: str, method: str, path: str, *, by_cookie: bool = False, **given: Any
    ) -> httpx2.Response:
        """One request with an idempotency key of its own; `headers` are more of them, or take their place."""
        headers = {"idempotency-key": uuid4().hex, "x-florin-request": "1"}
        if by_cookie:
            headers["cookie"] = f"{COOKIE}={self.cookie}"
        else:
            headers["authorization"] = f"Bearer {self.secret}"
        headers |= given.pop("headers", {})
        url = f"http://{HOST}:{self.running.surroundings.ports.api(service)}{path}"
        return await self.http.request(method, url, headers=headers, **given)

    async def make(self, service: str, method: str, path: str, body: Any = None, **given: Any) -> Any:
        """The same, which must be done."""
        answer = await self.ask(service, method, path, json=body, **given)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None


@asynccontextmanager
async def tenant(running: RunningServices) -> AsyncIterator[Tenant]:
    """A new client that has its things."""
    name = f"tenant-{uuid4().hex[:8]}"
    client = await own_client(running.surroundings, name, scopes=ALLOWED, label="test")
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        made = Tenant(running, name, client.secret, http)
        await _furnish(made)
        yield made


async def _furnish(made: Tenant) -> None:
    made.ids["client_id"] = made.name
    await eventually(lambda: _is_known(made), timeout_s=20)
    await _set_terms(made)
    await _open_accounts(made)
    await _register_customers(made)
    await _pay(made)
    await _propose(made)
    await _issue_keys(made)
    await _invite_people(made)
    for service in PROCESSES:
        # Whoever reads the audit log is told of in it.
        for _ in range(2):
            await made.make(service, "GET", "/v1/audit")


async def _is_known(made: Tenant) -> bool:
    paths = {"transaction": "payments", "account": "accounts", "fraud": "rules"}
    paths |= {"notification": "webhook-endpoints", "identity": "clients"}
    answers = [await made.ask(service, "GET", f"/v1/{path}") for service, path in paths.items()]
    return all(answer.is_success for answer in answers)


async def _twice(made: Tenant, method: str, path: str, *bodies: Mapping[str, Any]) -> None:
    for body in bodies if len(bodies) > 1 else bodies * 2:
        await made.make("account", method, path, body)


async def _set_terms(made: Tenant) -> None:
    sums = [{"currency": "EUR", "daily_sum_minor": figure, **REASON} for figure in (10**12, 10**13)]
    await _twice(made, "PUT", "/v1/limits", *sums)
    await _twice(made, "PUT", "/v1/limits/kyc/basic", *sums)
    policies = [{"policy": policy, **REASON} for policy in ("receivable", "refuse")]
    await _twice(made, "PUT", "/v1/reversal-policy", *policies)
    for name in ("north", "south"):
        await made.make("account", "POST", "/v1/settlement-accounts", {"name": name, "currency": "EUR"})
    for path in ("one", "two"):
        endpoint = {"url": f"http://127.0.0.1:9/{path}", "event_types": ["payment.settled"]}
        told = await made.make("notification", "POST", "/v1/webhook-endpoints", endpoint)
        made.secrets.append(told["secret"])
    made.ids["endpoint_id"] = told["id"]


async def _open_accounts(made: Tenant) -> None:
    accounts = [f"ACC-{uuid4().hex[:12]}" for _ in range(2)]
    for account in accounts:
        body = {"account": account, "holder": "Somebody", "currency": "EUR", "opening_balance_minor": 10**9}
        await made.make("account", "POST", "/v1/accounts", body)
    made.ids |= {"account": accounts[0], "payee": accounts[1]}
    path = f"/v1/accounts/{accounts[0]}"
    states = [{"state": state, **REASON} for state in ("FROZEN", "ACTIVE")]
    await _twice(made, "POST", f"{path}/state", *states)
    limits = [{"daily_sum_minor": figure, **REASON} for figure in (10**12, 10**13)]
    await _twice(made, "PUT", f"{path}/limits", *limits)
    overdrafts = [{"overdraft_minor": figure, **REASON} for figure in (1, 2)]
    await _twice(made, "PUT", f"{path}/overdraft", *overdrafts)
    zones = [{"time_zone": zone, **REASON} for zone in ("Europe/Prague", "UTC")]
    await _twice(made, "PUT", f"{path}/time-zone", *zones)


async def _register_customers(made: Tenant) -> None:
    for _ in range(2):
        person = {
            "name": "Ana Nová",
            "mobile": f"+420604{uuid4().int % 10**6:06}",
            "email": f"{uuid4().hex}@example.com",
            "currency": "EUR",
        }
        customer = await made.make("account", "POST", "/v1/customers", person)
    made.ids["customer_id"] = customer["id"]
    deposit = {"amount_minor": 100, "currency": "EUR"}
    await _twice(made, "POST", f"/v1/accounts/{customer['accounts']['EUR']}/deposits", deposit)
    path = f"/v1/customers/{customer['id']}/kyc"
    await made.make("account", "POST", path, {"level": "basic", **REASON})
    await made.make(
        "account", "POST", f"{path}/decision", {"decision": "approve", "level": "basic", **REASON}
    )


async def _pay(made: Tenant) -> None:
    order = {"debtor": made.ids["account"], "creditor": made.ids["payee"], "currency": "EUR"}
    order |= {"reference": "none"}

    async def pay(amount_minor: int, *, wait: str = "wait=30", **more: Any) -> Any:
        body = order | {"amount_minor": amount_minor} | more
        return await made.make("transaction", "POST", "/v1/payments", body, headers={"prefer": wait})

    for _ in range(2):
        assert (await pay(10))["status"] == "SETTLED"
        assert (await pay(10, capture="manual"))["status"] == "APPROVED"
        paid = await pay(SUSPICIOUS_MINOR, wait="wait=0")
    made.ids["payment_id"] = paid["id"]

    async def is_in_review() -> bool:
        return (await made.ask("fraud", "GET", f"/v1/reviews/{paid['id']}")).is_success

    async def deliveries() -> list[Any]:
        told = await made.make("notification", "GET", "/v1/webhook-deliveries")
        return list(told["items"] if len(told["items"]) > 1 else ())

    await eventually(is_in_review, timeout_s=30)
    made.ids["delivery_id"] = (await eventually(deliveries, timeout_s=30))[0]["id"]


async def _propose(made: Tenant) -> None:
    account = made.ids["account"]
    overdraft = {"kind": "overdraft-change", "account": account, "overdraft_minor": 900}
    limit = {"kind": "reversal-limit-change", "currency": "EUR", "amount_minor": 900}
    for service, body in (("account", overdraft), ("transaction", limit)):
        for _ in range(2):
            proposal = await made.make(service, "POST", "/v1/proposals", body | REASON)
        made.of_service[service] = {"proposal_id": proposal["id"]}
    for amount_minor in (10**9, 10**10):
        body = {"currency": "EUR", "amount_minor": amount_minor, **REASON}
        await made.make("transaction", "PUT", "/v1/reversal-approval-limits", body)


async def _issue_keys(made: Tenant) -> None:
    path = f"/v1/clients/{made.name}/keys"
    issued = await made.make("identity", "POST", path, {"label": "Till", "scopes": ["payments:read"]})
    made.secrets.append(issued["secret"])
    made.ids["key_id"] = issued["key"]["id"]


async def _invite_people(made: Tenant) -> None:
    invited = await sign_somebody_in(made)
    made.ids |= {"person_id": invited.id, "session_id": invited.session}
    made.cookie = invited.cookie
    made.secrets += invited.secrets
    await made.make(
        "identity",
        "POST",
        "/v1/people",
        {"name": "Jan Nový", "email": f"{uuid4().hex}@example.com", "roles": ["auditor"]},
    )


@dataclass(frozen=True)
class Somebody:
    """A person who is signed in: `totp_secret` is what their authenticator holds."""

    id: str
    session: str
    cookie: str
    totp_secret: bytes
    secrets: tuple[str, ...]

    def next_code(self) -> str:
        """What the authenticator will show at its next turn, which is good already."""
        return totp.code_at(self.totp_secret, int(time.time()) // totp.STEP_S + 1)


async def sign_somebody_in(made: Tenant, *roles: str) -> Somebody:
    """A new person of the client, an operator unless said: by an invitation, a password, an authenticator
    and a recovery code."""
    email = f"{uuid4().hex}@example.com"
    body = {"name": "Jana Nová", "email": email, "roles": roles or ["operator"]}
    invited = await made.make("identity", "POST", "/v1/people", body)
    text = invited["invitation"]

    async def browse(path: str, body: Mapping[str, str]) -> httpx2.Response:
        answer = await made.ask("identity", "POST", path, by_cookie=True, json=body)
        assert answer.is_success, answer.text
        return answer

    enrolled = (await browse("/v1/enrolment", {"invitation": text, "password": PASSWORD})).json()
    secret = base64.b32decode(enrolled["secret"] + "=" * (-len(enrolled["secret"]) % 8))
    code = totp.code_at(secret, int(time.time()) // totp.STEP_S)
    codes = (await browse("/v1/enrolment/confirm", {"invitation": text, "code": code})).json()
    who = {"client": made.name, "email": email, "password": PASSWORD}
    challenge = (await browse("/v1/sign-in", who)).json()["challenge"]
    shown = {"challenge": challenge, "code": codes["recovery_codes"][0]}
    signed_in = await browse("/v1/sign-in/second-factor", shown)
    return Somebody(
        id=invited["person"]["id"],
        session=signed_in.json()["session"]["id"],
        cookie=signed_in.headers["set-cookie"].partition("=")[2].partition(";")[0].strip('"'),
        totp_secret=secret,
        secrets=(text, enrolled["secret"], *codes["recovery_codes"], challenge),
    )
