"""What takes two people, who sign in: an operator proposes, an approver decides, an auditor reads of it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from florin.own_clients import own_client
from testkit.backing import Backing
from testkit.databases import Databases
from testkit.stacks import RunningServices, running_services
from testkit.waiting import eventually

from .tenants import ALLOWED, Somebody, Tenant, sign_somebody_in


@pytest.fixture(scope="module")
async def running(backing: Backing, databases: Databases) -> AsyncIterator[RunningServices]:
    """With Redis, where sessions are kept."""
    settings = {"FLORIN_REDIS_URL": backing.redis_url}
    with running_services(backing, databases, settings=settings) as started:
        yield started
        await started.close_clients()


@pytest.fixture
async def bank(running: RunningServices) -> AsyncIterator[Tenant]:
    """The client whose people these are, by its key."""
    client = await own_client(running.surroundings, f"bank-{uuid4().hex[:8]}", scopes=ALLOWED, label="test")
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        made = Tenant(running, client.client_id, client.secret, http)

        async def is_known() -> bool:
            asked = {"account": "/v1/accounts", "transaction": "/v1/payments", "identity": "/v1/people"}
            answers = [await made.ask(service, "GET", path) for service, path in asked.items()]
            return all(answer.is_success for answer in answers)

        await eventually(is_known, timeout_s=20)
        yield made


async def by_token(bank: Tenant, somebody: Somebody) -> Tenant:
    """The person as services see them: by the access token of their session."""
    browser = replace(bank, cookie=somebody.cookie)
    token = await browser.make("identity", "POST", "/v1/session/token", by_cookie=True)
    return replace(bank, secret=token["access_token"])


async def open_account(bank: Tenant, balance_minor: int) -> str:
    name = f"ACC-{uuid4().hex[:8]}"
    body = {"account": name, "holder": "Somebody", "currency": "EUR", "opening_balance_minor": balance_minor}
    await bank.make("account", "POST", "/v1/accounts", body)
    return name


async def pay(bank: Tenant, debtor: str, creditor: str) -> tuple[str, str | None]:
    body = {"debtor": debtor, "creditor": creditor, "amount_minor": 100, "currency": "EUR"}
    made = await bank.make("transaction", "POST", "/v1/payments", body, headers={"prefer": "wait=30"})
    return made["status"], made["reason"]


def told(answer: httpx2.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json().get("code")


async def test_what_one_freezes_two_unfreeze_and_all_of_it_is_told_to_the_auditor(bank: Tenant) -> None:
    people = {role: await sign_somebody_in(bank, role) for role in ("operator", "approver", "auditor")}
    operator, approver, auditor = [await by_token(bank, somebody) for somebody in people.values()]
    account, other = await open_account(bank, 1_000), await open_account(bank, 0)
    state = f"/v1/accounts/{account}/state"

    await operator.make("account", "POST", state, {"state": "FROZEN", "reason": "Odd payments"})
    assert await pay(bank, account, other) == ("REJECTED", "debtor_frozen")
    alone = await operator.ask("account", "POST", state, json={"state": "ACTIVE", "reason": "All is well"})
    assert told(alone) == (403, "approval_required")

    wish = {"kind": "unfreezing", "account": account, "reason": "The holder was called"}
    proposal = await operator.make("account", "POST", "/v1/proposals", wish)
    approval = f"/v1/proposals/{proposal['id']}/approval"
    for stranger in (operator, auditor):
        assert told(await stranger.ask("account", "POST", approval, json={"reason": "Me"})) == (
            403,
            "forbidden",
        )
    assert await pay(bank, account, other) == ("REJECTED", "debtor_frozen")
    await approver.make("account", "POST", approval, {"reason": "Heard the call"})
    assert await pay(bank, account, other) == ("SETTLED", None)

    log = await auditor.make("account", "GET", f"/v1/audit?subject={proposal['id']}")
    assert [(entry["action"], entry["actor"], entry["reason"]) for entry in log["items"]] == [
        ("proposal.approved", f"person:{people['approver'].id}", "Heard the call"),
        ("proposal.made", f"person:{people['operator'].id}", "The holder was called"),
    ]
