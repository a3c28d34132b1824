"""Searches are bounded whatever is asked: each reads an ordered index, and no more of it than a page may."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from contracts.messages import CustomerAccountOpened, CustomerRegistered
from sqlalchemy import text
from transaction_service.domain.lifecycle import Status
from transaction_service.domain.payment import Kind
from transaction_service.persistence import search
from transaction_service.persistence.search import PaymentFilter, find

from .conftest import Service, now

ANY_ID = uuid4()
FILTERS: dict[str, Any] = {
    "accounts": ("S1",),
    "debtor": "S1",
    "creditor": "S2",
    "status": Status.REJECTED,
    "currency": "EUR",
    "reference": "r",
    "metadata": (("k", "v"), ("l", "w")),
    "kind": Kind.CAPTURE,
    "capture": "manual",
    "reverses": ANY_ID,
    "captures": ANY_ID,
    "amount_from_minor": 1,
    "created_from": now() - timedelta(hours=1),
}


async def test_captures_and_reversals_are_found_by_what_they_name(service: Service) -> None:
    """And by their kind; each with other filters too."""
    held = await service.held(debtor="S8", creditor="S9", amount_minor=10)
    headers = {"Idempotency-Key": uuid4().hex}
    captured = await service.api.post(f"/v1/payments/{held}/captures", json={}, headers=headers)
    capture = captured.json()["id"]
    await service.posted(capture)
    headers = {"Idempotency-Key": uuid4().hex}
    made = await service.api.post(f"/v1/payments/{capture}/reversals", json={}, headers=headers)
    reversal = made.json()["id"]
    for query, expected in (
        ({"captures": held}, [capture]),
        ({"captures": held, "status": "PENDING"}, []),
        ({"reverses": capture}, [reversal]),
        ({"kind": "capture", "account": "S9"}, [capture]),
        ({"kind": "reversal", "creditor": "S8"}, [reversal]),
        ({"kind": "capture", "amount_to_minor": "9"}, []),
    ):
        answer = await service.api.get("/v1/payments", params=query)
        assert [item["id"] for item in answer.json()["items"]] == expected, query


async def test_a_customers_payments_are_found_on_either_side_and_told_once(service: Service) -> None:
    """Over all of the customer's accounts, page by page."""
    customer = uuid4()
    await service.hear(CustomerRegistered(customer_id=customer, client_id="alpha", handles=[], version=1))
    for account, currency in (("C1", "EUR"), ("C2", "USD")):
        told = CustomerAccountOpened(
            customer_id=customer, client_id="alpha", account=account, currency=currency
        )
        await service.hear(told)
    made = [
        await service.accepted(debtor="C1", creditor="S2"),
        await service.accepted(debtor="S2", creditor="C2"),
        await service.accepted(debtor="C1", creditor="C2"),
    ]
    await service.accepted(debtor="S2", creditor="S3")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"customer_id": str(customer), "limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await service.api.get("/v1/payments", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]
    foreign = await service.other.get("/v1/payments", params={"customer_id": str(customer)})
    assert (foreign.status_code, foreign.json()["code"]) == (422, "party_not_found")


@pytest.mark.parametrize("sides", [{"debtor": "S4"}, {"accounts": ("S4",)}])
async def test_a_page_that_stops_looking_goes_on_where_it_stopped(
    service: Service, sides: dict[str, Any]
) -> None:
    """Needles in hay are all found, though no page looks at more than four payments of a side."""
    needles, amount_minor = [], 700 + ("accounts" in sides)
    for i in range(12):
        swap = {"debtor": "S5", "creditor": "S4"} if i % 5 == 4 and "accounts" in sides else {}
        parties = {"debtor": "S4", "creditor": "S5"} | swap
        payment_id = await service.accepted(
            **parties, amount_minor=amount_minor if i % 3 == 0 else 1, currency="SEK"
        )
        needles += [payment_id] if i % 3 == 0 else []
    wanted = PaymentFilter("alpha", **sides, amount_from_minor=amount_minor, currency="SEK")
    wanted = replace(wanted, amount_to_minor=amount_minor)
    seen: list[str] = []
    before: UUID | None = None
    for _ in range(50):
        async with service.database.snapshot() as connection:
            found = await find(connection, wanted, before=before, limit=2, scanned=4)
        seen += [str(view.payment.id) for view in found.views]
        before = found.rest_before
        if before is None:
            break
    assert seen == needles[::-1]
    assert len(seen) == len(set(seen)) == len(needles)


async def _plan(service: Service, wanted: PaymentFilter) -> str:
    sources = search._sources(wanted)
    residual = [name for name in search._asked(wanted) if name not in sources[0].decides]
    parameters = search._parameters(wanted, before=None) | {"limit": 51, "scan": 10_000}
    statement = text("EXPLAIN " + search._page(sources, residual))
    async with service.database.snapshot() as connection:
        return "\n".join((await connection.execute(statement, parameters)).scalars())


@pytest.mark.parametrize("names", [(), *((name,) for name in FILTERS), tuple(FILTERS)])
async def test_every_question_is_answered_from_an_index(service: Service, names: tuple[str, ...]) -> None:
    """Alone and all together: no table is read whole, nothing is joined by hashing."""
    wanted = PaymentFilter("alpha", **{name: FILTERS[name] for name in names})
    plan = await _plan(service, wanted)
    assert not re.search(r"Seq Scan on|Hash Join|Merge Join", plan), plan
    assert "Index Scan using payments_pkey" in plan
    assert "Index Scan using payment_states_pkey" in plan
