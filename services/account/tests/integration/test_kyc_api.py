"""The workflow over HTTP, its append-only history, and what the database refuses by itself."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from .bank import Bank
from .people import register


async def move(bank: Bank, customer_id: str, path: str, **body: Any) -> Any:
    return await bank.send("POST", f"/v1/customers/{customer_id}/{path}", body)


async def test_submit_reject_submit_approve_with_reasons_and_authors(bank: Bank) -> None:
    customer = (await register(bank))["id"]
    steps = [
        ("kyc", {"level": "basic"}, {"level": "none", "state": "submitted", "asked": "basic"}),
        (
            "kyc/decision",
            {"decision": "reject", "level": "basic", "reason": "The document is blurred"},
            {"level": "none", "state": "rejected", "asked": "basic"},
        ),
        (
            "kyc",
            {"level": "basic", "reason": "Sharp now"},
            {"level": "none", "state": "submitted", "asked": "basic"},
        ),
        (
            "kyc/decision",
            {"decision": "approve", "level": "basic"},
            {"level": "basic", "state": "approved", "asked": "basic"},
        ),
    ]
    for path, body, kyc in steps:
        answer = await move(bank, customer, path, **body)
        assert (answer.status_code, answer.json()["kyc"]) == (200, kyc), answer.text
        again = await move(bank, customer, path, **body)
        assert (again.status_code, again.json()["kyc"]) == (200, kyc), "a retry changes nothing"
    page = (await bank.send("GET", f"/v1/customers/{customer}/kyc-events", key=None)).json()
    told = [(one["state"], one["level"], one["reason"], one["author"]) for one in page["items"]]
    assert told == [
        ("approved", "basic", None, "client:bank"),
        ("submitted", "basic", "Sharp now", "client:bank"),
        ("rejected", "basic", "The document is blurred", "client:bank"),
        ("submitted", "basic", None, "client:bank"),
    ]


async def test_a_level_reaches_all_accounts_of_the_customer_now_and_later(bank: Bank) -> None:
    customer = await register(bank)

    async def levels() -> set[str]:
        rows = await bank.rows(
            "SELECT a.kyc_level FROM accounts a JOIN customer_accounts w ON w.account_id = a.id "
            "WHERE w.customer_id = :id",
            id=customer["id"],
        )
        return {row.kyc_level for row in rows}

    assert await levels() == {"none"}
    await move(bank, customer["id"], "accounts", currency="EUR")
    await move(bank, customer["id"], "kyc", level="basic")
    assert await levels() == {"none"}
    await move(bank, customer["id"], "kyc/decision", decision="approve", level="basic")
    assert await levels() == {"basic"}
    await move(bank, customer["id"], "accounts", currency="JPY")
    assert await levels() == {"basic"}


async def test_a_history_comes_in_pages(bank: Bank) -> None:
    customer = (await register(bank))["id"]
    await move(bank, customer, "kyc", level="basic")
    await move(bank, customer, "kyc/decision", decision="reject", level="basic", reason="No")
    await move(bank, customer, "kyc", level="full")
    states, cursor = [], None
    for _ in range(3):
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await bank.http["bank"].get(f"/v1/customers/{customer}/kyc-events", params=params)).json()
        states += [(one["state"], one["level"]) for one in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert states == [("submitted", "full"), ("rejected", "basic"), ("submitted", "basic")]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("kyc/decision", {"decision": "approve", "level": "basic"}, "state"),
        ("kyc/decision", {"decision": "reject", "level": "basic", "reason": "No"}, "state"),
    ],
)
async def test_nothing_is_decided_that_was_not_asked_for(
    bank: Bank, path: str, body: Any, field: str
) -> None:
    customer = (await register(bank))["id"]
    answer = await move(bank, customer, path, **body)
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_kyc_move")
    assert [one["field"] for one in answer.json()["errors"]] == [field]


async def test_another_level_than_was_asked_for_is_not_granted(bank: Bank) -> None:
    customer = (await register(bank))["id"]
    await move(bank, customer, "kyc", level="basic")
    answer = await move(bank, customer, "kyc/decision", decision="approve", level="full")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_kyc_move")
    assert [one["field"] for one in answer.json()["errors"]] == ["level"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("kyc", {"level": "none"}),
        ("kyc", {}),
        ("kyc/decision", {"decision": "reject", "level": "basic"}),
        ("kyc/decision", {"decision": "maybe", "level": "basic"}),
        ("kyc/decision", {"decision": "approve", "level": "basic", "reason": ""}),
        ("kyc/decision", {"decision": "approve"}),
    ],
)
async def test_nonsense_is_refused(bank: Bank, path: str, body: Any) -> None:
    customer = (await register(bank))["id"]
    answer = await move(bank, customer, path, **body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_only_those_who_may_decide_decide(bank: Bank) -> None:
    customer = (await register(bank, caller="other"))["id"]
    await bank.send("POST", f"/v1/customers/{customer}/kyc", {"level": "basic"}, caller="other")
    body = {"decision": "approve", "level": "basic"}
    answer = await bank.send("POST", f"/v1/customers/{customer}/kyc/decision", body, caller="other")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_of_contrary_decisions_at_once_one_wins(bank: Bank) -> None:
    customer = (await register(bank))["id"]
    await move(bank, customer, "kyc", level="basic")
    answers = await asyncio.gather(
        *(
            move(bank, customer, "kyc/decision", decision=decision, level="basic", reason="Seen")
            for decision in ["approve", "reject"] * 10
        )
    )
    won = {answer.json()["kyc"]["state"] for answer in answers if answer.status_code == 200}
    assert len(won) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [409] * 10
    page = (await bank.send("GET", f"/v1/customers/{customer}/kyc-events", key=None)).json()
    assert len(page["items"]) == 2


@pytest.mark.parametrize(
    "change",
    [
        "kyc_level = 'basic'",
        "kyc_level = 'full', kyc_state = 'approved', kyc_asked = 'full'",
        "kyc_state = 'approved', kyc_asked = 'basic'",
        "kyc_state = 'rejected', kyc_asked = 'basic'",
        "kyc_state = 'submitted', kyc_asked = 'basic', kyc_level = 'basic'",
        "kyc_state = 'submitted'",
    ],
)
async def test_the_database_knows_the_way_too(bank: Bank, change: str) -> None:
    customer = (await register(bank))["id"]
    with pytest.raises(DBAPIError, match=r"cannot go from|customers_asked_for_a_level"):
        async with bank.database.transaction() as connection:
            await connection.execute(text(f"UPDATE customers SET {change} WHERE id = :id"), {"id": customer})


@pytest.mark.parametrize(
    "change",
    [
        "kyc_state = 'approved', kyc_level = 'full'",
        "kyc_asked = 'full'",
        "kyc_state = 'new', kyc_asked = NULL",
    ],
)
async def test_the_database_grants_what_was_asked_for_only(bank: Bank, change: str) -> None:
    customer = (await register(bank))["id"]
    await move(bank, customer, "kyc", level="basic")
    with pytest.raises(DBAPIError, match="cannot go from"):
        async with bank.database.transaction() as connection:
            await connection.execute(text(f"UPDATE customers SET {change} WHERE id = :id"), {"id": customer})


async def test_a_customer_begins_without_a_level(bank: Bank) -> None:
    with pytest.raises(DBAPIError, match="must begin without a level"):
        async with bank.database.transaction() as connection:
            await connection.execute(
                text(
                    "INSERT INTO customers (id, client_id, name, mobile, email, mobile_handle, email_handle, "
                    "data_key, key_encryption_key, version, registered_at, updated_at, kyc_level) "
                    "SELECT gen_random_uuid(), 'x', '', '', '', repeat('0', 64), repeat('0', 64), '', '', 1, "
                    "now(), now(), 'full'"
                )
            )
