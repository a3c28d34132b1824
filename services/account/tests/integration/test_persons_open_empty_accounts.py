"""What a person opens alone is empty: an overdraft, and money from nowhere, take two."""

import asyncpg
import pytest
from account_service.domain.opening import OpeningTerms
from account_service.operations.open_accounts import open_accounts
from service_kit.audit import Origin
from service_kit.ids import uuid7
from sqlalchemy.exc import DBAPIError

from .bank import Bank, terms
from .callers import PEOPLE
from .proposing import told


@pytest.mark.parametrize(
    ("field", "kind"), [("overdraft_minor", "overdraft-change"), ("opening_balance_minor", "adjustment")]
)
async def test_a_person_opens_an_account_without_it_and_proposes_the_rest(
    bank: Bank, field: str, kind: str
) -> None:
    body = terms() | {field: 1}
    refused = await bank.send("POST", "/v1/accounts", body, caller="clerk")
    assert (*told(refused), refused.json()["kind"]) == (403, "approval_required", kind)
    batch = await bank.send("POST", "/v1/accounts/batches", {"accounts": [body, terms()]}, caller="clerk")
    first, second = batch.json()["items"]
    assert (first["problem"]["code"], first["problem"]["field"]) == ("approval_required", field)
    assert second["outcome"] == "opened"
    assert (await bank.send("POST", "/v1/accounts", body | {field: 0}, caller="clerk")).status_code == 201
    assert await bank.figures(body["account"]) == (0, 0, 0)


async def test_a_person_pays_nothing_in_alone(bank: Bank) -> None:
    account = await bank.open(caller="clerk")
    body = {"amount_minor": 5, "currency": "CZK"}
    refused = await bank.send("POST", f"/v1/accounts/{account}/deposits", body, caller="clerk")
    assert (*told(refused), refused.json()["kind"]) == (403, "approval_required", "adjustment")


@pytest.mark.parametrize("field", ["overdraft_minor", "opening_balance_minor"])
async def test_the_database_lets_no_person_open_an_account_with_it(bank: Bank, field: str) -> None:
    """At commit, past the API; the same by a system passes."""

    async def open_as(actor: str) -> None:
        asked = OpeningTerms(**{"overdraft_minor": 0, "opening_balance_minor": 0, **terms(), field: 7})
        async with bank.database.transaction() as connection:
            await open_accounts(
                connection,
                "bank",
                [asked],
                origin=Origin(client_id="bank", actor=actor),
                vault=bank.vault,
                clock=bank.clock,
                new_id=uuid7,
            )

    await open_as("client:bank")
    with pytest.raises(DBAPIError) as refusal:
        await open_as(PEOPLE["clerk"])
    cause = refusal.value.orig.__cause__ if refusal.value.orig is not None else None
    assert isinstance(cause, asyncpg.CheckViolationError)
    assert cause.constraint_name == "persons_open_empty_accounts"
