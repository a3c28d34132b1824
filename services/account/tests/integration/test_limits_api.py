"""Limits and time zones over HTTP: set, read, told with their history."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from .bank import Bank, name

NOTHING: dict[str, Any] = {
    "payment_min_minor": None,
    "payment_max_minor": None,
    "daily_count": None,
    "daily_sum_minor": None,
    "monthly_count": None,
    "monthly_sum_minor": None,
}


async def put(bank: Bank, path: str, caller: str = "bank", **body: Any) -> httpx2.Response:
    return await bank.send("PUT", path, {"reason": "Policy 7"} | body, key=None, caller=caller)


async def get(bank: Bank, path: str, caller: str = "bank") -> Any:
    answer = await bank.send("GET", path, key=None, caller=caller)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_an_account_is_held_to_its_own_limits(bank: Bank) -> None:
    account = await bank.open(balance=100)
    bank.clock.at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    answer = await put(
        bank, f"/v1/accounts/{account}/limits", payment_min_minor=5, daily_sum_minor=500, monthly_count=9
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told == await get(bank, f"/v1/accounts/{account}/limits")
    assert told["own"] == NOTHING | {
        "currency": "CZK",
        "payment_min_minor": 5,
        "daily_sum_minor": 500,
        "monthly_count": 9,
        "reason": "Policy 7",
        "author": "client:bank",
        "changed_at": "2026-11-20T12:00:00Z",
        "proposal_id": None,
    }
    assert (told["account"], told["currency"], told["time_zone"]) == (account, "CZK", "UTC")
    assert told["kyc_level"] is None
    assert told["effective"] == [
        {
            "limit": "payment_min",
            "scope": "account",
            "allowed": 5,
            "used": None,
            "left": None,
            "window_start": None,
            "resets_at": None,
        },
        {
            "limit": "daily_sum",
            "scope": "account",
            "allowed": 500,
            "used": 0,
            "left": 500,
            "window_start": "2026-11-20T00:00:00Z",
            "resets_at": "2026-11-21T00:00:00Z",
        },
        {
            "limit": "monthly_count",
            "scope": "account",
            "allowed": 9,
            "used": 0,
            "left": 9,
            "window_start": "2026-11-01T00:00:00Z",
            "resets_at": "2026-12-01T00:00:00Z",
        },
    ]


async def test_an_account_without_limits_says_so(bank: Bank) -> None:
    account = await bank.open(currency="EUR")
    told = await get(bank, f"/v1/accounts/{account}/limits", caller="bank")
    assert (told["own"], told["effective"]) == (None, [])


@pytest.mark.parametrize("path", ["/v1/limits", "/v1/limits/kyc/basic"])
async def test_a_set_replaces_the_one_before_and_the_history_keeps_both(bank: Bank, path: str) -> None:
    first = await put(bank, path, currency="SEK", daily_sum_minor=500, payment_max_minor=7)
    second = await put(bank, path, currency="SEK", monthly_sum_minor=900, reason="Policy 8")
    assert (first.status_code, second.status_code) == (200, 200)
    [in_force] = [one for one in (await get(bank, path))["items"] if one["currency"] == "SEK"]
    assert in_force == second.json()
    assert in_force["daily_sum_minor"] is None
    assert (await get(bank, f"{path}/changes"))["items"][:2] == [second.json(), first.json()]


async def test_the_same_set_again_is_no_change(bank: Bank) -> None:
    account = await bank.open()
    path = f"/v1/accounts/{account}/limits"
    answers = await asyncio.gather(*(put(bank, path, daily_count=3) for _ in range(8)))
    answers.append(await put(bank, path, daily_count=3, reason="Another reason"))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len((await get(bank, f"{path}/changes"))["items"]) == 1


async def test_the_history_of_an_account_is_its_own_and_comes_in_pages(bank: Bank) -> None:
    account, other = await bank.open(), await bank.open()
    for count in range(5):
        await put(bank, f"/v1/accounts/{account}/limits", daily_count=count)
        await put(bank, f"/v1/accounts/{other}/limits", daily_count=10 + count)
    path, seen = f"/v1/accounts/{account}/limits/changes", list[int]()
    page = await get(bank, f"{path}?limit=2")
    while True:
        seen += [item["daily_count"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        page = await get(bank, f"{path}?limit=2&cursor={page['next_cursor']}")
    assert seen == [4, 3, 2, 1, 0]


async def test_limits_are_the_clients_own(bank: Bank) -> None:
    await put(bank, "/v1/limits", currency="NOK", daily_sum_minor=500)
    assert (await get(bank, "/v1/limits", caller="other"))["items"] == []
    assert (await get(bank, "/v1/limits/changes", caller="other"))["items"] == []
    account = await bank.open(currency="NOK")
    for path in (f"/v1/accounts/{account}/limits", f"/v1/accounts/{account}/limits/changes"):
        assert (await bank.send("GET", path, key=None, caller="other")).status_code == 404
    foreign = await bank.open(currency="NOK", caller="other")
    assert (await get(bank, f"/v1/accounts/{foreign}/limits", caller="other"))["effective"] == []
    assert (await put(bank, f"/v1/accounts/{foreign}/limits", daily_count=1)).status_code == 404


@pytest.mark.parametrize(
    "path", ["/v1/limits", "/v1/limits/kyc/full", "/v1/accounts/{}/limits", "/v1/accounts/{}/time-zone"]
)
async def test_limits_and_time_zones_are_set_by_who_may(bank: Bank, path: str) -> None:
    account = await bank.open(caller="other")
    answer = await put(bank, path.format(account), caller="other")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"payment_max_minor": -1}, "payment_max_minor", "too_small"),
        ({"payment_max_minor": 10**15}, "payment_max_minor", "too_large"),
        ({"payment_max_minor": "5"}, "payment_max_minor", "not_an_integer"),
        ({"payment_min_minor": 9, "payment_max_minor": 8}, "payment_max_minor", "below_minimum"),
        ({"daily_sum_minor": 2**53}, "daily_sum_minor", "too_large"),
        ({"daily_count": 1.5}, "daily_count", "not_an_integer"),
        ({"monthly_count": 10**10}, "monthly_count", "too_large"),
        ({"monthly_sum_minor": True}, "monthly_sum_minor", "not_an_integer"),
        ({"yearly_sum_minor": 5}, "yearly_sum_minor", "unknown_field"),
        ({"reason": ""}, "reason", "too_short"),
        ({"reason": "a\u202eb"}, "reason", "bad_format"),
        ({"reason": None}, "reason", "not_a_string"),
    ],
)
async def test_figures_that_cannot_be_are_refused_by_field(
    bank: Bank, fields: dict[str, Any], field: str, code: str
) -> None:
    account = await bank.open()
    for path, more in (
        ("/v1/limits", {"currency": "PLN"}),
        ("/v1/limits/kyc/none", {"currency": "PLN"}),
        (f"/v1/accounts/{account}/limits", {}),
    ):
        answer = await put(bank, path, **more, **fields)
        assert answer.status_code == 422, answer.text
        assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [(field, code)]
    assert (await get(bank, f"/v1/accounts/{account}/limits"))["own"] is None


@pytest.mark.parametrize(
    ("currency", "code"), [("XXX", "unknown_currency"), ("czk", "bad_format"), (None, "")]
)
async def test_limits_of_many_accounts_are_for_a_known_currency(
    bank: Bank, currency: str | None, code: str
) -> None:
    answer = await put(bank, "/v1/limits", **({} if currency is None else {"currency": currency}))
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == "currency"
    assert error["code"] == (code or error["code"])


async def test_a_level_that_is_none_is_refused(bank: Bank) -> None:
    answer = await put(bank, "/v1/limits/kyc/golden", currency="CZK")
    assert answer.status_code in {404, 422}, answer.text


async def test_a_system_account_has_no_limits_to_set(bank: Bank) -> None:
    await bank.open(balance=1)
    for path, body in (("limits", {"daily_count": 1}), ("time-zone", {"time_zone": "Europe/Prague"})):
        answer = await put(bank, f"/v1/accounts/system:opening-balances:CZK/{path}", **body)
        assert (answer.status_code, answer.json()["code"]) == (409, "system_account")
        answer = await put(bank, f"/v1/accounts/{name()}/{path}", **body)
        assert answer.status_code == 404


async def test_a_time_zone_moves_days_and_months_and_is_kept_with_its_reason(bank: Bank) -> None:
    account = await bank.open()
    bank.clock.at = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    await put(bank, f"/v1/accounts/{account}/limits", daily_count=1, monthly_count=1)
    path = f"/v1/accounts/{account}/time-zone"
    for zone in ("Europe/Prague", "Europe/Prague", "America/Los_Angeles"):
        assert (await put(bank, path, time_zone=zone)).status_code == 200
    told = await get(bank, f"/v1/accounts/{account}/limits")
    assert told["time_zone"] == "America/Los_Angeles"
    assert [(one["window_start"], one["resets_at"]) for one in told["effective"]] == [
        ("2026-10-31T07:00:00Z", "2026-11-01T07:00:00Z"),
        ("2026-10-01T07:00:00Z", "2026-11-01T07:00:00Z"),
    ]
    changes = (await get(bank, f"{path}/changes"))["items"]
    assert [(one["previous"], one["time_zone"]) for one in changes] == [
        ("Europe/Prague", "America/Los_Angeles"),
        ("UTC", "Europe/Prague"),
    ]
    assert {(one["reason"], one["author"]) for one in changes} == {("Policy 7", "client:bank")}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "x" * 65, "localtime", "../../etc/passwd", 1, None])
async def test_a_time_zone_that_is_none_is_refused(bank: Bank, zone: Any) -> None:
    account = await bank.open()
    answer = await put(bank, f"/v1/accounts/{account}/time-zone", time_zone=zone)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "time_zone")
