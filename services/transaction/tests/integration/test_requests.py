"""What is asked badly is refused clearly; what is asked well can be found, and waited for."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from service_kit.protection import assert_all_routes_protected
from testkit.waiting import eventually

from .conftest import Service

BAD_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"amount_minor": 0}, "amount_minor", "too_small"),
    ({"amount_minor": -1}, "amount_minor", "too_small"),
    ({"amount_minor": 10**15}, "amount_minor", "too_large"),
    ({"amount_minor": 10**400}, "amount_minor", "too_large"),
    ({"amount_minor": 1.5}, "amount_minor", "not_an_integer"),
    ({"amount_minor": "100"}, "amount_minor", "not_an_integer"),
    ({"amount_minor": True}, "amount_minor", "not_an_integer"),
    ({"amount_minor": None}, "amount_minor", "not_an_integer"),
    ({"currency": "eur"}, "currency", "bad_format"),
    ({"currency": "XXX"}, "currency", "unknown_currency"),
    ({"currency": "DEM"}, "currency", "unknown_currency"),
    ({"debtor": "../etc/passwd"}, "debtor", "bad_format"),
    ({"debtor": ""}, "debtor", "bad_format"),
    ({"debtor": "A" * 65}, "debtor", "bad_format"),
    ({"creditor": "A"}, "creditor", "same_account"),
    ({"reference": "two\nlines"}, "reference", "bad_format"),
    ({"reference": "r" * 141}, "reference", "too_long"),
    ({"metadata": {"k": 1}}, "metadata.k", "not_a_string"),
    ({"metadata": {f"k{i}": "v" for i in range(21)}}, "metadata", "too_long"),
    ({"capture": "later"}, "capture", "not_a_choice"),
    ({"hold": {}}, "hold", "hold_not_allowed"),
    ({"capture": "manual", "hold": {"expires_in_s": 0}}, "hold.expires_in_s", "too_small"),
    ({"capture": "manual", "hold": {"expires_in_s": 10**8}}, "hold.expires_in_s", "too_large"),
    (
        {"capture": "manual", "hold": {"expires_at": "2020-01-01T00:00:00Z"}},
        "hold.expires_at",
        "expiry_out_of_range",
    ),
    (
        {"capture": "manual", "hold": {"expires_at": "9000-01-01T00:00:00Z"}},
        "hold.expires_at",
        "expiry_out_of_range",
    ),
    ({"capture": "manual", "hold": {"expires_at": "2020-02-30T00:00:00Z"}}, "hold.expires_at", "not_a_time"),
    ({"capture": "manual", "hold": {"expires_at": "tomorrow"}}, "hold.expires_at", "not_a_time"),
    ({"capture": "manual", "hold": {"expires_at": 1800000000}}, "hold.expires_at", "not_a_time"),
    ({"capture": "manual", "hold": {"tolerance_minor": -1}}, "hold.tolerance_minor", "too_small"),
    ({"capture": "manual", "hold": {"captured_many_times": 1}}, "hold.captured_many_times", "not_a_boolean"),
    ({"capture": "manual", "hold": {"until": "x"}}, "hold.until", "unknown_field"),
    (
        {"capture": "manual", "hold": {"expires_in_s": 60, "expires_at": "2030-01-01T00:00:00Z"}},
        "hold",
        "only_one_of",
    ),
    ({"if_version": -1}, "if_version", "too_small"),
    ({"if_version": "1"}, "if_version", "not_an_integer"),
    ({"if_available_at_least_minor": 1.5}, "if_available_at_least_minor", "not_an_integer"),
    ({"debtor": {}}, "debtor", "only_one_of"),
    ({"debtor": {"account": "A", "mobile": "+420601123456"}}, "debtor", "only_one_of"),
    ({"debtor": {"account": "../etc"}}, "debtor.account", "bad_format"),
    ({"debtor": {"phone": "1"}}, "debtor.phone", "unknown_field"),
    ({"debtor": 7}, "debtor", "not_a_string"),
    ({"creditor": {"mobile": "0601 123 456"}}, "creditor.mobile", "invalid_mobile"),
    ({"creditor": {"email": "nobody"}}, "creditor.email", "invalid_email"),
    ({"creditor": {"customer_id": "7"}}, "creditor.customer_id", "bad_format"),
    ({"creditor": {"account": "A"}}, "creditor", "same_account"),
    ({"status": "SETTLED"}, "status", "unknown_field"),
    ({"client_id": "beta"}, "client_id", "unknown_field"),
]


@pytest.mark.parametrize(
    ("change", "field", "code"), BAD_FIELDS, ids=[str(case[0])[:40] for case in BAD_FIELDS]
)
async def test_a_bad_field_is_named_with_a_stable_code(
    service: Service, change: dict[str, Any], field: str, code: str
) -> None:
    """422, the field, the code, a trace id; and nothing is done."""
    before = await service.scalar("SELECT count(*) FROM payments")
    answer = await service.pay(**change)
    problem = answer.json()
    assert answer.status_code == 422, problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]
    assert len(problem["trace_id"]) == 32
    assert await service.scalar("SELECT count(*) FROM payments") == before


@pytest.mark.parametrize(
    "body",
    [
        b'{"debtor":"A","debtor":"B","creditor":"C","amount_minor":1,"currency":"EUR"}',
        b'{"debtor":"A","creditor":"C","amount_minor":NaN,"currency":"EUR"}',
        b'{"debtor":"A\\u0000","creditor":"C","amount_minor":1,"currency":"EUR"}',
        b'{"debtor":"\\ud800","creditor":"C","amount_minor":1,"currency":"EUR"}',
        b'{"debtor":"A","creditor":"C","amount_minor":1.0,"currency":"EUR"}',
        b'{"debtor":"A","creditor":"C","amount_minor":1e2,"currency":"EUR"}',
        b"[" * 100_000,
        b"",
        b"null",
        b"\xff\xfe",
        b"{",
    ],
)
async def test_a_body_that_is_no_proper_json_is_refused(service: Service, body: bytes) -> None:
    """4xx with a code, never a 5xx."""
    headers = {"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
    answer = await service.api.post("/v1/payments", content=body, headers=headers)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"]


async def test_each_exponent_is_taken_as_minor_units(service: Service) -> None:
    """1250 is 1250 JPY, 12.50 USD and 1.250 KWD; nothing is scaled on the way."""
    for currency in ("JPY", "USD", "KWD"):
        found = await service.get(await service.accepted(currency=currency))
        assert (found["amount_minor"], found["currency"]) == (1250, currency)


async def test_every_route_says_what_it_requires(service: Service) -> None:
    """Deny by default."""
    transport: Any = service.api._transport
    assert_all_routes_protected(transport.app)


async def test_without_a_good_key_nothing_is_answered(service: Service) -> None:
    """401 for none and for a wrong one."""
    for authorization in ("", "Bearer nonsense", "Bearer flk_aaaaaaaa_" + "x" * 43):
        answer = await service.api.get("/v1/payments", headers={"Authorization": authorization})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.fixture(scope="module")
async def ledger(service: Service) -> dict[str, str]:
    """A few payments that differ in everything one can look for."""
    return {
        "settled": await service.settled(debtor="L1", creditor="L2", amount_minor=100, reference="first"),
        "pending": await service.accepted(debtor="L2", creditor="L3", amount_minor=200, reference="second"),
        "usd": await service.accepted(
            debtor="L1",
            creditor="L3",
            amount_minor=300,
            currency="USD",
            metadata={"order": "7", "shop": "a:b"},
        ),
        "held": await service.held(debtor="L4", creditor="L5", metadata={"order": "7"}),
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"account": "L1"}, ["usd", "settled"]),
        ({"account": "L2"}, ["pending", "settled"]),
        ({"account": "L1", "status": "SETTLED"}, ["settled"]),
        ({"account": "L3", "status": "PENDING"}, ["usd", "pending"]),
        ({"reference": "second"}, ["pending"]),
        ({"account": "L1", "amount_from_minor": 101}, ["usd"]),
        ({"account": "L1", "amount_to_minor": 100}, ["settled"]),
        ({"account": "L3", "currency": "USD"}, ["usd"]),
        ({"account": "L1", "created_from": "2020-01-01T00:00:00Z"}, ["usd", "settled"]),
        ({"account": "L1", "created_to": "2020-01-01T00:00:00Z"}, []),
        ({"account": "NOBODY"}, []),
        ({"debtor": "L2"}, ["pending"]),
        ({"creditor": "L3"}, ["usd", "pending"]),
        ({"debtor": "L1", "creditor": "L3"}, ["usd"]),
        ({"account": "L3", "debtor": "L2"}, ["pending"]),
        ({"metadata": "order:7"}, ["held", "usd"]),
        ({"metadata": ["order:7", "shop:a:b"]}, ["usd"]),
        ({"metadata": "order:7", "status": "APPROVED"}, ["held"]),
        ({"metadata": "order:70"}, []),
        ({"capture": "manual", "debtor": "L4"}, ["held"]),
        ({"capture": "manual", "account": "L1"}, []),
        ({"kind": "transfer", "capture": "immediate", "account": "L1"}, ["usd", "settled"]),
        ({"reference": "first", "status": "SETTLED", "kind": "transfer"}, ["settled"]),
        ({"status": "APPROVED", "currency": "EUR", "creditor": "L5"}, ["held"]),
    ],
)
async def test_payments_are_found_by_what_they_say(
    service: Service, ledger: dict[str, str], query: dict[str, Any], expected: list[str]
) -> None:
    """Newest first, each filter alone and together."""
    answer = await service.api.get("/v1/payments", params=query)
    assert [item["id"] for item in answer.json()["items"]] == [ledger[name] for name in expected]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"cursor": "nonsense"},
        {"status": "GONE"},
        {"created_from": "yesterday"},
        {"created_from": "2020-01-01T00:00:00"},
        {"amount_from_minor": "-1"},
        {"amount_from_minor": "9" * 40},
        {"currency": "ABC"},
        {"account": "'; DROP TABLE payments"},
        {"metadata": "no-colon"},
        {"metadata": ":no-key"},
        {"kind": "gift"},
        {"capture": "later"},
        {"reverses": "7"},
        {"customer_id": "7"},
        {"customer_id": "00000000-0000-0000-0000-000000000000"},
        {"customer_id": "00000000-0000-0000-0000-000000000000", "account": "A"},
    ],
)
async def test_a_question_that_cannot_be_answered_is_an_error_and_not_an_empty_list(
    service: Service, query: dict[str, str]
) -> None:
    """4xx with a code."""
    answer = await service.api.get("/v1/payments", params=query)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] in {"invalid_request", "invalid_cursor", "party_not_found"}


async def test_a_list_holds_the_clients_own_payments_only(service: Service) -> None:
    """With or without a filter; another client's accounts may bear the same names."""
    mine = await service.accepted(debtor="SHARED")
    theirs = (await service.pay(debtor="SHARED", client=service.other)).json()["id"]
    for params in ({"account": "SHARED"}, {"status": "PENDING", "limit": "200"}, {}):
        listed = (await service.api.get("/v1/payments", params=params)).json()["items"]
        ids = [item["id"] for item in listed]
        assert mine in ids
        assert theirs not in ids


async def test_pages_neither_repeat_nor_skip(service: Service) -> None:
    """Cursor by cursor, every payment once, also while new ones arrive."""
    made = [await service.accepted(debtor="PAGED") for _ in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        params: dict[str, Any] = {"account": "PAGED", "limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await service.api.get("/v1/payments", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        await service.accepted(debtor="PAGED")
    assert seen == made[::-1]


async def test_a_caller_may_wait_for_the_end(service: Service) -> None:
    """`Prefer: wait`: 200 with the final state as soon as there is one."""
    headers = {"Idempotency-Key": uuid4().hex, "Prefer": "wait=10"}
    body = {"debtor": "A", "creditor": "B", "amount_minor": 1, "currency": "EUR", "reference": uuid4().hex}
    waiting = asyncio.create_task(service.api.post("/v1/payments", json=body, headers=headers))
    query = "SELECT id FROM payments WHERE reference = :r"
    found = await eventually(lambda: service.rows(query, r=body["reference"]))
    await service.assessed(str(found[0].id))
    await service.declined(str(found[0].id), "debtor_frozen")
    answer = await waiting
    assert (answer.status_code, answer.json()["status"]) == (200, "REJECTED")
    assert answer.json()["reason"] == "debtor_frozen"
    assert answer.headers["Preference-Applied"] == "wait=10"


async def test_waiting_ends_with_what_is_known(service: Service) -> None:
    """202 and PENDING when the time is over; a preference that cannot be read is ignored."""
    body = {"debtor": "A", "creditor": "B", "amount_minor": 1, "currency": "EUR"}
    for prefer in ("wait=1", "wait=soon", "respond-async"):
        headers = {"Idempotency-Key": uuid4().hex, "Prefer": prefer}
        answer = await service.api.post("/v1/payments", json=body, headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
