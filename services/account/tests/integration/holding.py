"""What came of holds, in words that tests compare."""

from typing import Any
from uuid import UUID

from account_service.domain.outcome import Ended, Outcome
from account_service.domain.rules import Declined

from .bank import Bank


def word(outcome: Outcome) -> str:
    """The outcome in a word: a decline's code, how a hold ended."""
    if isinstance(outcome, Declined):
        return outcome.code
    if isinstance(outcome, Ended):
        return outcome.end.state.lower()
    return type(outcome).__name__.lower()


async def words(bank: Bank, *requests: Any) -> list[str]:
    return [word(outcome) for outcome in await bank.post(*requests)]


async def types(bank: Bank, payment_id: UUID | None) -> list[str]:
    return [answer["type"].split(".")[-2] for answer in await bank.told(payment_id)]
