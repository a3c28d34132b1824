"""Opening one account over HTTP."""

import asyncio
from typing import Any

import pytest
from account_service.operations.answer_once import KeyedRequest, remember

from .bad_fields import BAD_FIELDS
from .bank import Bank, name, terms, transfer


async def test_an_account_opens_with_a_real_posting_from_a_system_account(bank: Bank) -> None:
    reference = name()
    body = terms(reference, opening_balance_minor=2_50, overdraft_minor=1_00)
    answer = await bank.send("POST", "/v1/accounts", body)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/accounts/{reference}"
    told = answer.json()
    assert told | {"opened_at": None} == {
        "account": reference,
        "holder": "Jana Nová",
        "currency": "CZK",
        "kind": "customer",
        "state": "ACTIVE",
        "posted_minor": 250,
        "held_minor": 0,
        "overdraft_minor": 100,
        "available_minor": 350,
        "version": 1,
        "opened_at": None,
    }
    assert (await bank.send("GET", f"/v1/accounts/{reference}", key=None)).json() == told
    [entry] = (await bank.send("GET", f"/v1/accounts/{reference}/entries", key=None)).json()["items"]
    assert (entry["kind"], entry["counterparty"]) == ("opening_balance", "system:opening-balances:CZK")
    await bank.assert_books_balance()


async def test_the_same_key_and_body_is_answered_the_same_and_does_nothing(bank: Bank) -> None:
    body = terms(opening_balance_minor=100)
    first = await bank.send("POST", "/v1/accounts", body, key="once-a")
    await bank.post(transfer(body["account"], await bank.open(), 40))
    again = await bank.send("POST", "/v1/accounts", body, key="once-a")
    assert (first.status_code, again.status_code) == (201, 200)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert await bank.balance(body["account"]) == 60


async def test_the_same_reference_on_the_same_terms_is_a_replay_under_any_key(bank: Bank) -> None:
    body = terms(opening_balance_minor=100)
    first = await bank.send("POST", "/v1/accounts", body)
    again = await bank.send("POST", "/v1/accounts", body)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert again.json() == first.json()
    assert await bank.balance(body["account"]) == 100


async def test_the_same_reference_on_other_terms_is_refused_and_the_fields_named(bank: Bank) -> None:
    body = terms(opening_balance_minor=100)
    await bank.send("POST", "/v1/accounts", body)
    other = body | {"holder": "Petr Starý", "opening_balance_minor": 200}
    answer = await bank.send("POST", "/v1/accounts", other)
    assert (answer.status_code, answer.json()["code"]) == (409, "account_exists")
    assert [fault["field"] for fault in answer.json()["errors"]] == ["holder", "opening_balance_minor"]
    assert await bank.balance(body["account"]) == 100


async def test_the_same_key_with_another_body_is_refused_and_the_field_named(bank: Bank) -> None:
    body = terms()
    await bank.send("POST", "/v1/accounts", body, key="once-b")
    answer = await bank.send("POST", "/v1/accounts", body | {"currency": "EUR"}, key="once-b")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert [fault["field"] for fault in answer.json()["errors"]] == ["currency"]


async def test_a_key_is_one_operations_and_one_clients(bank: Bank) -> None:
    body = terms()
    await bank.send("POST", "/v1/accounts", body, key="once-c")
    deposit = {"amount_minor": 1, "currency": "CZK"}
    answer = await bank.send("POST", f"/v1/accounts/{body['account']}/deposits", deposit, key="once-c")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    theirs = await bank.send("POST", "/v1/accounts", body, key="once-c", caller="other")
    assert theirs.status_code == 201


async def test_a_refused_request_leaves_its_key_free(bank: Bank) -> None:
    taken, body = await bank.open(), terms()
    refused = await bank.send("POST", "/v1/accounts", body | {"account": taken, "holder": "X"}, key="once-d")
    assert refused.status_code == 409
    assert (await bank.send("POST", "/v1/accounts", body, key="once-d")).status_code == 201


async def test_200_requests_with_one_key_open_one_account_and_get_one_answer(bank: Bank) -> None:
    body = terms(opening_balance_minor=77)
    answers: list[Any] = []
    for _ in range(10):
        answers += await asyncio.gather(
            *(bank.send("POST", "/v1/accounts", body, key="once-e") for _ in range(20))
        )
    assert sorted(one.status_code for one in answers) == [200] * 199 + [201]
    assert len({one.text for one in answers}) == 1
    assert await bank.balance(body["account"]) == 77


async def test_one_key_with_two_bodies_at_once_has_one_winner(bank: Bank) -> None:
    bodies = [terms(), terms()]
    answers = await asyncio.gather(
        *(bank.send("POST", "/v1/accounts", bodies[n % 2], key="once-f") for n in range(16))
    )
    assert sorted({one.status_code for one in answers}) == [200, 201, 422]
    opened = await bank.rows(
        "SELECT 1 FROM accounts WHERE reference = ANY(:names)", names=[body["account"] for body in bodies]
    )
    assert len(opened) == 1


async def test_one_reference_under_many_keys_at_once_opens_once(bank: Bank) -> None:
    body = terms(opening_balance_minor=5, currency="SEK")
    answers = await asyncio.gather(*(bank.send("POST", "/v1/accounts", body) for _ in range(18)))
    assert sorted(one.status_code for one in answers) == [200] * 17 + [201]
    assert await bank.balance(body["account"]) == 5
    await bank.assert_books_balance()


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency_key_missing"),
        ("x" * 256, "idempotency_key_invalid"),
        (" ", "idempotency_key_invalid"),
    ],
)
async def test_a_key_must_be_there_and_fit(bank: Bank, key: str | None, code: str) -> None:
    answer = await bank.send("POST", "/v1/accounts", terms(), key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(("field", "value", "code"), BAD_FIELDS)
async def test_a_bad_field_is_named_and_nothing_is_opened(
    bank: Bank, field: str, value: Any, code: str
) -> None:
    before = await bank.rows("SELECT count(*) AS n FROM accounts")
    answer = await bank.send("POST", "/v1/accounts", terms() | {field: value})
    assert answer.status_code == 422, answer.text
    assert (field, code) in [(fault["field"], fault["code"]) for fault in answer.json()["errors"]]
    assert await bank.rows("SELECT count(*) AS n FROM accounts") == before


@pytest.mark.parametrize(
    ("caller", "status"), [("nobody", 401), ("stranger", 403), ("reader", 403), ("bank", 201)]
)
async def test_opening_needs_a_key_with_the_scope(bank: Bank, caller: str, status: int) -> None:
    answer = await bank.send("POST", "/v1/accounts", terms(), caller=caller)
    assert answer.status_code == status


async def test_what_is_kept_of_a_request_cannot_be_guessed(bank: Bank) -> None:
    """Digests are keyed: who knows everything but the key cannot tell the holder's name from another."""
    body = terms(holder="Jana Nová")
    await bank.send("POST", "/v1/accounts", body, key="guess-a")
    guessed = KeyedRequest("bank", "guess-a", "open_account", body).digests()
    keyed = KeyedRequest("bank", "guess-a", "open_account", body, bank.vault.digest_key).digests()
    [row] = await bank.rows("SELECT field_digests FROM idempotency_keys WHERE idempotency_key = 'guess-a'")
    assert row.field_digests["holder"] == keyed["holder"] != guessed["holder"]


async def test_a_key_of_an_earlier_release_is_still_known(bank: Bank) -> None:
    """It kept plain digests; the same request is answered again, and another refused."""
    body = terms(overdraft_minor=0, opening_balance_minor=0)
    plain = KeyedRequest("bank", "old-a", "open_account", body)
    async with bank.database.transaction() as connection:
        await remember(connection, plain, {"opened_at": "2026-01-01T00:00:00+00:00"}, at=bank.clock.now())
    again = await bank.send("POST", "/v1/accounts", body, key="old-a")
    other = await bank.send("POST", "/v1/accounts", body | {"holder": "Petr Starý"}, key="old-a")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (200, "true")
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "holder")
