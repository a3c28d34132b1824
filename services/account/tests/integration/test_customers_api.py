"""Customers over HTTP: register, read, look up, change; each number is one customer's of a client."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from contracts.handles import handle

from .bank import Bank
from .people import email, mobile, person, register, told_of


async def test_a_customer_is_registered_with_an_account(bank: Bank) -> None:
    body = person(mobile="602 123 456", email="Jana.Nova@Example.COM")
    answer = await bank.send("POST", "/v1/customers", body)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert answer.headers["location"] == f"/v1/customers/{told['id']}"
    assert (told["name"], told["mobile"], told["email"]) == (
        "Jana Nová",
        "+420602123456",
        "jana.nova@example.com",
    )
    assert told["kyc"] == {"level": "none", "state": "new", "asked": None}
    read = await bank.send("GET", f"/v1/customers/{told['id']}", key=None)
    assert (read.status_code, read.json()) == (200, told)
    account = await bank.send("GET", f"/v1/accounts/{told['accounts']['CZK']}", key=None)
    assert (account.json()["holder"], account.json()["currency"]) == ("Jana Nová", "CZK")


async def test_others_are_told_of_hashes_and_of_the_account(bank: Bank) -> None:
    customer = await register(bank)
    registered, opened = await told_of(bank, customer["id"])
    key = bank.vault.handle_key
    assert registered["type"] == "florin.customer.registered.v1"
    assert registered["data"] == {
        "customer_id": customer["id"],
        "client_id": "bank",
        "handles": [
            handle("mobile", "bank", customer["mobile"], key),
            handle("email", "bank", customer["email"], key),
        ],
        "version": 1,
    }
    assert opened["type"] == "florin.customer.account-opened.v1"
    assert opened["data"]["account"] == customer["accounts"]["CZK"]
    assert (opened["data"]["currency"], int(registered["sequence"]), int(opened["sequence"])) == ("CZK", 1, 2)


async def test_the_same_key_and_body_registers_once(bank: Bank) -> None:
    body = person()
    first = await bank.send("POST", "/v1/customers", body, key="reg-a")
    again = await bank.send("POST", "/v1/customers", body, key="reg-a")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert len(await told_of(bank, first.json()["id"])) == 2


async def test_another_spelling_is_the_same_body(bank: Bank) -> None:
    number = mobile()
    body = person(mobile=number)
    await bank.send("POST", "/v1/customers", body, key="reg-b")
    again = await bank.send(
        "POST", "/v1/customers", body | {"mobile": f"{number[4:7]} {number[7:]}"}, key="reg-b"
    )
    assert again.status_code == 200, again.text


async def test_the_same_key_with_another_body_is_refused_and_the_field_named(bank: Bank) -> None:
    body = person()
    await bank.send("POST", "/v1/customers", body, key="reg-c")
    answer = await bank.send("POST", "/v1/customers", body | {"email": email()}, key="reg-c")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert [fault["field"] for fault in answer.json()["errors"]] == ["email"]


@pytest.mark.parametrize("field", ["mobile", "email"])
async def test_a_number_or_address_belongs_to_one_customer_of_a_client(bank: Bank, field: str) -> None:
    customer = await register(bank)
    taken = person(**{field: customer[field].upper()})
    answer = await bank.send("POST", "/v1/customers", taken)
    assert (answer.status_code, answer.json()["code"]) == (409, f"{field}_taken")
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert customer[field] not in answer.text
    theirs = await bank.send("POST", "/v1/customers", taken, caller="other")
    assert theirs.status_code == 201, theirs.text


@pytest.mark.parametrize("field", ["mobile", "email"])
async def test_of_many_who_register_one_number_at_once_one_gets_it(bank: Bank, field: str) -> None:
    wanted = {"mobile": mobile(), "email": email()}[field]
    answers = await asyncio.gather(
        *(bank.send("POST", "/v1/customers", person(**{field: wanted})) for _ in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 19]
    found = await bank.http["bank"].get("/v1/customers", params={field: wanted})
    [winner] = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert [one["id"] for one in found.json()["items"]] == [winner]
    refused = [answer.json()["code"] for answer in answers if answer.status_code == 409]
    assert set(refused) == {f"{field}_taken"}


async def test_a_refused_registration_leaves_nothing(bank: Bank) -> None:
    customer = await register(bank)
    before = await bank.rows("SELECT count(*) FROM accounts")
    await bank.send("POST", "/v1/customers", person(mobile=customer["mobile"]), key="reg-d")
    assert await bank.rows("SELECT count(*) FROM accounts") == before
    retried = await bank.send("POST", "/v1/customers", person(), key="reg-d")
    assert retried.status_code == 201


async def test_a_customer_is_found_by_any_spelling(bank: Bank) -> None:
    customer = await register(bank)
    number = customer["mobile"]
    for wanted in (
        {"mobile": number},
        {"mobile": f"00420 {number[4:7]} {number[7:]}"},
        {"mobile": number[4:], "region": "CZ"},
        {"email": customer["email"].upper()},
    ):
        found = await bank.http["bank"].get("/v1/customers", params=wanted)
        assert found.status_code == 200, found.text
        assert found.json() == {"items": [customer], "next_cursor": None}


async def test_an_unknown_and_a_foreign_number_are_found_alike(bank: Bank) -> None:
    customer = await register(bank, caller="other")
    foreign = await bank.http["bank"].get("/v1/customers", params={"mobile": customer["mobile"]})
    unknown = await bank.http["bank"].get("/v1/customers", params={"mobile": mobile()})
    assert foreign.status_code == unknown.status_code == 200
    assert foreign.json() == unknown.json() == {"items": [], "next_cursor": None}


async def test_customers_are_listed_in_order_and_in_pages(bank: Bank) -> None:
    mine = [(await register(bank, caller="reg"))["id"] for _ in range(5)]
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await bank.http["reg"].get("/v1/customers", params=params)).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == mine


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("mobile", "", "too_short"),
        ("mobile", "12", "invalid_mobile"),
        ("mobile", "+420 224 123 456", "invalid_mobile"),
        ("mobile", "jana@example.com", "invalid_mobile"),
        ("mobile", "1" * 41, "too_long"),
        ("mobile", 420601123456, "not_a_string"),
        ("mobile", None, "not_a_string"),
        ("email", "jana", "invalid_email"),
        ("email", "jana@localhost", "invalid_email"),
        ("email", "x" * 255, "too_long"),
        ("name", "", "too_short"),
        ("name", "a\u202eb", "bad_format"),
        ("name", "x" * 141, "too_long"),
        ("currency", "XXX", "unknown_currency"),
        ("region", "cz", "bad_format"),
        ("region", "XX", "invalid"),
        ("kyc_level", "full", "unknown_field"),
        ("id", "00000000-0000-0000-0000-000000000001", "unknown_field"),
    ],
)
async def test_a_bad_field_is_named_and_not_quoted(bank: Bank, field: str, value: Any, code: str) -> None:
    answer = await bank.send("POST", "/v1/customers", person(**{field: value}))
    assert answer.status_code == 422
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [(field, code)]
    assert not isinstance(value, str) or len(value) < 10 or value not in answer.text


async def test_a_number_and_an_address_that_are_bad_are_both_named(bank: Bank) -> None:
    answer = await bank.send("POST", "/v1/customers", person(mobile="1", email="x"))
    assert [one["field"] for one in answer.json()["errors"]] == ["mobile", "email"]


@pytest.mark.parametrize(
    "params",
    [
        {"mobile": "nonsense"},
        {"email": "nonsense"},
        {"mobile": "+420601123456", "email": "jana@example.com"},
        {"mobile": "224 123 456"},
        {"phone": "+420601123456"},
        {"region": "ZZ"},
        {"limit": "0"},
    ],
)
async def test_a_look_up_that_cannot_be_made_is_refused(bank: Bank, params: dict[str, str]) -> None:
    answer = await bank.http["bank"].get("/v1/customers", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_contact_data_is_changed_and_others_are_told(bank: Bank) -> None:
    customer = await register(bank)
    number = mobile()
    answer = await bank.send(
        "PATCH", f"/v1/customers/{customer['id']}", {"mobile": number, "name": "Jana Malá"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == customer | {
        "mobile": number,
        "name": "Jana Malá",
        "updated_at": answer.json()["updated_at"],
    }
    last = (await told_of(bank, customer["id"]))[-1]
    key = bank.vault.handle_key
    assert (last["data"]["version"], int(last["sequence"])) == (3, 3)
    assert last["data"]["handles"] == [
        handle("mobile", "bank", number, key),
        handle("email", "bank", customer["email"], key),
    ]
    gone = await bank.http["bank"].get("/v1/customers", params={"mobile": customer["mobile"]})
    assert gone.json()["items"] == []
    account = await bank.send("GET", f"/v1/accounts/{customer['accounts']['CZK']}", key=None)
    assert account.json()["holder"] == "Jana Malá"


async def test_a_new_name_or_the_same_data_is_not_told(bank: Bank) -> None:
    customer = await register(bank)
    path = f"/v1/customers/{customer['id']}"
    await bank.send("PATCH", path, {"name": "Jana Malá"})
    again = await bank.send("PATCH", path, {"mobile": customer["mobile"], "email": customer["email"].upper()})
    assert again.status_code == 200
    assert len(await told_of(bank, customer["id"])) == 2


@pytest.mark.parametrize("field", ["mobile", "email"])
async def test_of_two_customers_who_take_one_number_at_once_one_gets_it(bank: Bank, field: str) -> None:
    people = [await register(bank) for _ in range(10)]
    wanted = {"mobile": mobile(), "email": email()}[field]
    answers = await asyncio.gather(
        *(bank.send("PATCH", f"/v1/customers/{one['id']}", {field: wanted}) for one in people)
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 9]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {f"{field}_taken"}


async def test_a_number_that_was_given_up_is_free(bank: Bank) -> None:
    customer = await register(bank)
    await bank.send("PATCH", f"/v1/customers/{customer['id']}", {"mobile": mobile()})
    assert (await register(bank, mobile=customer["mobile"]))["mobile"] == customer["mobile"]


@pytest.mark.parametrize(
    "body", [{}, {"region": "CZ"}, {"name": None}, {"mobile": "12"}, {"kyc_level": "full"}]
)
async def test_a_change_that_says_nothing_or_nonsense_is_refused(bank: Bank, body: dict[str, Any]) -> None:
    customer = await register(bank)
    answer = await bank.send("PATCH", f"/v1/customers/{customer['id']}", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"name": "X"}),
        ("GET", "/accounts", None),
        ("POST", "/accounts", {"currency": "EUR"}),
        ("GET", "/entries", None),
        ("GET", "/kyc-events", None),
        ("POST", "/kyc", {"level": "basic"}),
        ("POST", "/kyc/decision", {"decision": "approve", "level": "basic"}),
    ],
)
async def test_another_clients_customer_answers_like_an_absent_one(
    bank: Bank, method: str, path: str, body: Any
) -> None:
    theirs = (await register(bank, caller="other"))["id"]
    foreign = await bank.send(method, f"/v1/customers/{theirs}{path}", body)
    absent = await bank.send(method, f"/v1/customers/{uuid4()}{path}", body)
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json() | {"trace_id": ""} == absent.json() | {"trace_id": ""}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/customers", {"name": "x"}),
        ("PATCH", f"/v1/customers/{UUID(int=1)}", {"name": "x"}),
        ("POST", f"/v1/customers/{UUID(int=1)}/accounts", {"currency": "CZK"}),
        ("POST", f"/v1/customers/{UUID(int=1)}/kyc", {"level": "basic"}),
        ("POST", f"/v1/customers/{UUID(int=1)}/kyc/decision", {"decision": "approve", "level": "basic"}),
    ],
)
async def test_who_may_only_read_changes_nothing(bank: Bank, method: str, path: str, body: Any) -> None:
    assert (await bank.send(method, path, body, caller="reader")).status_code == 403
