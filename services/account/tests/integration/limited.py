"""Ways to limit accounts, and to see what they have used."""

from datetime import UTC, datetime, timedelta
from typing import Any

from account_service.domain.outcome import Outcome
from account_service.domain.rules import Declined
from sqlalchemy import text

from .bank import Bank

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=9)


async def limit(bank: Bank, account: str, **figures: int) -> None:
    """Set the account's own limits."""
    body = {"reason": "Policy 7"} | figures
    answer = await bank.send("PUT", f"/v1/accounts/{account}/limits", body, key=None)
    assert answer.status_code == 200, answer.text


async def limit_all(bank: Bank, currency: str, level: str | None = None, **figures: int) -> None:
    """Set the limits of all the client's accounts in the currency, or of those of a level."""
    path = "/v1/limits" if level is None else f"/v1/limits/kyc/{level}"
    body = {"reason": "Policy 7", "currency": currency} | figures
    answer = await bank.send("PUT", path, body, key=None)
    assert answer.status_code == 200, answer.text


async def used(bank: Bank, account: str) -> dict[str, int]:
    """What the account has used of each of its limits, as it is told."""
    answer = await bank.send("GET", f"/v1/accounts/{account}/limits", key=None)
    return {one["limit"]: one["used"] for one in answer.json()["effective"] if one["used"] is not None}


async def forget(bank: Bank, account: str) -> None:
    """Lose what was counted of the account."""
    async with bank.database.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE limit_usage SET counted_under = 0 WHERE account_id = "
                "(SELECT id FROM accounts WHERE reference = :reference)"
            ),
            {"reference": account},
        )


async def assert_counted_as_the_ledger_says(bank: Bank, account: str) -> None:
    """Working usage out anew comes to what was kept."""
    kept = await used(bank, account)
    await forget(bank, account)
    assert await used(bank, account) == kept


def word(outcome: Outcome) -> str:
    """The outcome in a word: a decline's limit or code."""
    if isinstance(outcome, Declined):
        return str((outcome.figures or {}).get("limit", outcome.code.value))
    return type(outcome).__name__.lower()


async def words(bank: Bank, *requests: Any) -> list[str]:
    return [word(outcome) for outcome in await bank.post(*requests)]
