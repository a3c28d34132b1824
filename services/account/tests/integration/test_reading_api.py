"""Reading accounts over HTTP."""

import pytest

from .bank import Bank, name


async def test_accounts_are_listed_in_pages_by_state_and_currency(bank: Bank) -> None:
    opened = [await bank.open(caller="other", currency="CHF") for _ in range(5)]
    await bank.open(caller="other", currency="EUR")
    freeze = {"state": "FROZEN", "reason": "Test"}
    await bank.send("POST", f"/v1/accounts/{opened[3]}/state", freeze, caller="other")

    async def pages(query: str) -> list[str]:
        seen: list[str] = []
        cursor = ""
        while True:
            path = f"/v1/accounts?limit=2&{query}{cursor}"
            page = (await bank.send("GET", path, key=None, caller="other")).json()
            assert len(page["items"]) <= 2
            seen += [item["account"] for item in page["items"]]
            if page["next_cursor"] is None:
                return seen
            cursor = f"&cursor={page['next_cursor']}"

    assert await pages("currency=CHF") == opened
    assert await pages("currency=CHF&state=FROZEN") == [opened[3]]
    assert await pages("currency=CHF&state=ACTIVE") == [*opened[:3], opened[4]]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "state=active",
        "currency=XXX",
        "stat=ACTIVE",
        "cursor=abc",
        "cursor=%00",
        "kind=both",
        "state=ACTIVE&state=FROZEN&state=x",
    ],
)
async def test_a_query_that_cannot_be_evaluated_is_refused(bank: Bank, query: str) -> None:
    answer = await bank.send("GET", f"/v1/accounts?{query}", key=None)
    assert answer.status_code in {400, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_cursor_belongs_to_its_list(bank: Bank) -> None:
    for _ in range(2):
        await bank.open(currency="DKK")
    first = await bank.send("GET", "/v1/accounts?currency=DKK&limit=1", key=None)
    cursor = first.json()["next_cursor"]
    answer = await bank.send("GET", f"/v1/accounts?limit=1&cursor={cursor}", key=None)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("path", ["", "/balance", "/entries", "/state-changes"])
async def test_an_account_of_another_client_answers_like_one_that_never_was(bank: Bank, path: str) -> None:
    theirs = await bank.open(caller="other", balance=5)
    answers = [
        await bank.send("GET", f"/v1/accounts/{reference}{path}", key=None) for reference in (theirs, name())
    ]
    assert [one.status_code for one in answers] == [404, 404]
    told = [{k: v for k, v in one.json().items() if k != "trace_id"} for one in answers]
    assert told[0] == told[1]


async def test_system_accounts_can_be_read_and_are_listed_only_when_asked_for(bank: Bank) -> None:
    await bank.open(balance=5, currency="ISK")
    system = (await bank.send("GET", "/v1/accounts?kind=system&currency=ISK", key=None)).json()["items"]
    assert [item["account"] for item in system] == ["system:opening-balances:ISK"]
    assert (system[0]["overdraft_minor"], system[0]["available_minor"]) == (None, None)
    customers = (await bank.send("GET", "/v1/accounts?currency=ISK", key=None)).json()["items"]
    assert {item["kind"] for item in customers} == {"customer"}
