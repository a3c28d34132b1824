"""A dry run says what screening will say, and leaves no trace."""

import random
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from contracts.messages import PaymentInitiated
from messaging.event import Event

MakePayment = Callable[..., Event[PaymentInitiated]]
PATH = "/v1/dry-runs"
CASES = 150
RULES: list[dict[str, Any]] = [
    {
        "id": "large", "kind": "amount", "enabled": True, "action": "review", "score": 40,
        "at_or_over_minor": {"EUR": 500_00, "JPY": 60_000, "KWD": 200_000},
    },
    {
        "id": "listed", "kind": "deny_list", "enabled": True, "action": "decline", "score": 100,
        "entries": [{"client_id": "bank", "account": "listed"}, {"client_id": None, "account": "all-over"}],
    },
    {
        "id": "often", "kind": "velocity_count", "enabled": True, "action": "review", "score": 30,
        "window_s": 3600, "max_count": 8,
    },
    {
        "id": "much", "kind": "velocity_sum", "enabled": True, "action": "decline", "score": 50,
        "window_s": 3600, "currency": "EUR", "max_sum_minor": 2_000_00,
    },
]  # fmt: skip


@pytest.fixture
async def service(as_caller: Callable[[str], Any]) -> AsyncIterator[httpx2.AsyncClient]:
    async with as_caller("service") as http:
        yield http


async def test_it_says_what_screening_then_decides(
    fraud: Any, service: httpx2.AsyncClient, make_payment: MakePayment
) -> None:
    await fraud.publish(*RULES)
    chance = random.Random(11)
    debtors = [f"d-{uuid4().hex}" for _ in range(6)]
    now = fraud.clock.at = fraud.clock.now()
    seen = set()
    for _ in range(CASES):
        event = make_payment(
            client_id=chance.choice(["bank", "other"]),
            kind=chance.choice(["transfer"] * 5 + ["reversal"]),
            debtor=chance.choice(debtors),
            creditor=chance.choice(["creditor"] * 8 + ["listed", "all-over"]),
            amount_minor=chance.randint(1, 700_00),
            currency=chance.choice(["EUR", "JPY", "KWD"]),
            created_at=now,
        )
        answer = await service.post(PATH, json=facts(event))
        assert answer.status_code == 200, answer.text
        await fraud.deliver(event)
        kept = await fraud.decision(event)
        assert answer.json() == {
            "decision": kept.decision,
            "score": kept.score,
            "reasons": kept.reasons,
            "rules_version": kept.rules_version,
        }
        seen |= {kept.decision, *kept.reasons}
    assert {"approve", "review", "decline", "reversal"} <= seen
    assert {"large:amount", "listed:deny_list", "often:velocity_count", "much:velocity_sum"} <= seen


async def test_all_tables_are_as_before(
    fraud: Any, service: httpx2.AsyncClient, make_payment: MakePayment
) -> None:
    await fraud.publish(*RULES)
    debtor = f"d-{uuid4().hex}"
    await fraud.deliver(make_payment(debtor=debtor))
    before = await everything(fraud)
    for amount_minor in (1, 600_00, 3_000_00):
        answer = await service.post(PATH, json=facts(make_payment(debtor=debtor, amount_minor=amount_minor)))
        assert answer.status_code == 200, answer.text
    assert await everything(fraud) == before
    assert any(rows for rows in before.values())


async def test_asking_does_not_use_up_what_is_left(
    fraud: Any, service: httpx2.AsyncClient, make_payment: MakePayment
) -> None:
    await fraud.publish(*RULES)
    asked = facts(make_payment(debtor=f"d-{uuid4().hex}"))
    decided = {(await service.post(PATH, json=asked)).json()["decision"] for _ in range(20)}
    assert decided == {"approve"}


async def test_it_does_not_wait_for_a_batch_that_is_being_screened(
    fraud: Any, service: httpx2.AsyncClient, make_payment: MakePayment
) -> None:
    await fraud.publish(*RULES)
    debtor = f"d-{uuid4().hex}"
    event = make_payment(debtor=debtor)
    async with fraud.database.transaction() as connection:
        await fraud.handler(connection, [event])
        answer = await service.post(PATH, json=facts(event))
    assert answer.json()["decision"] == "approve"


async def test_new_rules_are_heeded_at_once(
    fraud: Any, service: httpx2.AsyncClient, make_payment: MakePayment
) -> None:
    asked = facts(make_payment(creditor="listed"))
    await fraud.publish()
    assert (await service.post(PATH, json=asked)).json()["decision"] == "approve"
    version = await fraud.publish(*RULES)
    answer = (await service.post(PATH, json=asked)).json()
    assert (answer["decision"], answer["rules_version"]) == ("decline", version)


@pytest.mark.parametrize("caller", ["bank", "operator", "analyst"])
async def test_only_services_may_ask(
    as_caller: Callable[[str], Any], make_payment: MakePayment, caller: str
) -> None:
    async with as_caller(caller) as http:
        answer = await http.post(PATH, json=facts(make_payment()))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("fault", "field", "code"),
    [
        ({"kind": "capture"}, "kind", "not_a_choice"),
        ({"kind": 1}, "kind", "not_a_choice"),
        ({"currency": "XXX"}, "currency", "unknown_currency"),
        ({"currency": "eur"}, "currency", "bad_format"),
        ({"amount_minor": 0}, "amount_minor", "too_small"),
        ({"amount_minor": "1"}, "amount_minor", "not_an_integer"),
        ({"debtor": "a\tb"}, "debtor", "bad_format"),
        ({"reference": "x"}, "reference", "unknown_field"),
    ],
)
async def test_a_bad_question_names_its_field(
    service: httpx2.AsyncClient,
    make_payment: MakePayment,
    fault: dict[str, Any],
    field: str,
    code: str,
) -> None:
    answer = await service.post(PATH, json=facts(make_payment()) | fault)
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert (error["field"], error["code"]) == (field, code)


def facts(event: Event[PaymentInitiated]) -> dict[str, Any]:
    """What is asked about the payment."""
    names = {"client_id", "kind", "debtor", "creditor", "amount_minor", "currency"}
    return event.data.model_dump(mode="json", include=names)


async def everything(fraud: Any) -> dict[str, list[str]]:
    """Every row of every table, with the transaction that wrote it."""
    tables = await fraud.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'fraud'")
    return {
        name: [
            row.whole
            for row in await fraud.rows(f"SELECT t.xmin || t::text AS whole FROM {name} t ORDER BY 1")
        ]
        for (name,) in tables
    }
