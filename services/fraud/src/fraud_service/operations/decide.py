"""What the rules make of payments: one way to it, for payments that are made and those only asked about."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.payments import ScreenedPayment
from fraud_service.domain.rules import PublishedRules
from fraud_service.domain.screening import Assessment, screen
from fraud_service.domain.velocity import Counters, ranges_needed
from fraud_service.persistence import velocity


async def decide(
    connection: AsyncConnection, rules: PublishedRules, payments: Sequence[ScreenedPayment]
) -> tuple[list[Assessment], Counters]:
    """Assess the payments in order, on top of what was counted so far; writes nothing.

    The counters hold what the payments add. Who means to store that has locked the debtors before.
    """
    counters = Counters(rules.rule_set.windows())
    if ranges := ranges_needed(payments, counters.windows):
        counters.load(await velocity.load_counters(connection, ranges))
    return screen(rules, payments, counters), counters
