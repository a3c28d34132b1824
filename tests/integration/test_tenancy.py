"""Another client's id answers like one that never was, wherever an id is taken; its cursors lead nowhere."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from florin.api_docs import openapi_document
from testkit.stacks import RunningServices

from .conftest import Bank

OTHER = "operator"
# Levels are the same words for every client, each with figures of its own.
NOT_AN_ID = "level"
READ_WITH: Mapping[str, Mapping[str, str]] = {
    "/v1/accounts/{account}/statement": {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
}
# What is written to an id, well enough to be judged by whose it is.
WRITES: Mapping[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/payments/{payment_id}/captures"): {"amount_minor": 1},
    ("POST", "/v1/payments/{payment_id}/void"): {"reason": "none"},
    ("POST", "/v1/payments/{payment_id}/reversals"): {"amount_minor": 1},
    ("POST", "/v1/accounts/{account}/state"): {"state": "FROZEN", "reason": "none"},
    ("PATCH", "/v1/customers/{customer_id}"): {"name": "Nobody"},
    ("POST", "/v1/customers/{customer_id}/accounts"): {"currency": "EUR"},
}


def operations(*, with_id: bool) -> Iterator[tuple[str, str, str]]:
    """Service, method and path of every operation that takes an id, or of every list without one."""
    for service in ("transaction", "account", "notification"):
        for path, told in openapi_document(service)["paths"].items():
            for method, operation in told.items():
                parameters = {one["name"] for one in operation.get("parameters", ())}
                lists = method == "get" and "{" not in path and "cursor" in parameters
                if ("{" in path and NOT_AN_ID not in parameters) if with_id else lists:
                    yield service, method.upper(), path


TESTED = [
    (service, method, path)
    for service, method, path in operations(with_id=True)
    if (method == "GET" and "delivery" not in path) or (method, path) in WRITES
]


@pytest.fixture(scope="module")
async def ids(bank: Bank) -> AsyncIterator[dict[str, str]]:
    """One of each thing of the demo client, by the name that paths have for it."""
    payer, payee = await bank.open(balance_minor=1_000), await bank.open()
    person = {
        "name": "Ana Nová",
        "mobile": f"+420604{uuid4().int % 10**6:06}",
        "email": f"{uuid4().hex}@a.test",
    }
    customer = await bank.account.post(
        "/v1/customers", json=person | {"currency": "EUR"}, headers={"Idempotency-Key": uuid4().hex}
    )
    assert customer.status_code == 201, customer.text
    endpoint = await bank.notification.post(
        "/v1/webhook-endpoints", json={"url": "http://127.0.0.1:9/", "event_types": ["payment.settled"]}
    )
    assert endpoint.status_code == 201, endpoint.text
    payment = await bank.pay(payer, payee, 10)
    yield {
        "account": payer,
        "payment_id": payment["id"],
        "customer_id": customer.json()["id"],
        "endpoint_id": endpoint.json()["id"],
    }
    await bank.notification.delete(f"/v1/webhook-endpoints/{endpoint.json()['id']}")


def told(answer: httpx2.Response, name: str) -> str:
    """The answer but for what differs between any two: the id that was asked for and the trace."""
    content = answer.json() | {"trace_id": None, "request_id": None}
    return json.dumps([answer.status_code, content]).replace(name, "-")


@pytest.mark.parametrize(("service", "method", "path"), TESTED)
async def test_another_clients_id_answers_like_one_that_never_was(
    running: RunningServices, ids: Mapping[str, str], service: str, method: str, path: str
) -> None:
    placeholder = path.partition("{")[2].partition("}")[0]
    absent = f"ACC-{uuid4().hex[:12]}" if placeholder == "account" else str(uuid4())
    other, owner = running.client(service, client=OTHER), running.client(service)

    async def ask(http: httpx2.AsyncClient, name: str) -> httpx2.Response:
        options: dict[str, Any] = {"headers": {"Idempotency-Key": uuid4().hex}}
        if (method, path) in WRITES:
            options["json"] = WRITES[method, path]
        options["params"] = READ_WITH.get(path, {})
        return await http.request(method, path.replace(f"{{{placeholder}}}", name), **options)

    foreign, none = await ask(other, ids[placeholder]), await ask(other, absent)
    assert told(foreign, ids[placeholder]) == told(none, absent)
    assert foreign.status_code == 404, foreign.text
    if method == "GET":
        assert (await ask(owner, ids[placeholder])).status_code == 200


@pytest.mark.parametrize(("service", "method", "path"), list(operations(with_id=False)))
async def test_another_clients_cursor_shows_nothing_of_it(
    running: RunningServices, bank: Bank, ids: Mapping[str, str], service: str, method: str, path: str
) -> None:
    await bank.open()
    first = await running.client(service).get(path, params={"limit": 1})
    cursor = first.json()["next_cursor"]
    answer = await running.client(service, client=OTHER).get(
        path, params={"cursor": cursor} if cursor else {}
    )
    assert answer.status_code in (200, 400), answer.text
    own = {one.get("id") or one.get("account") for one in answer.json().get("items", ())}
    assert own.isdisjoint(ids.values())
