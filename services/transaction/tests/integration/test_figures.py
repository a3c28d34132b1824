"""What is counted of payments is what was committed, under names that stay few."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from service_kit.database import Database
from testkit.databases import ServiceDatabase
from transaction_service.domain.lifecycle import Standing as Where
from transaction_service.domain.lifecycle import Status, first_event, move
from transaction_service.domain.payment import Payment, PaymentOrder
from transaction_service.operations import figures


@pytest.fixture
async def database(database_for: Callable[[str], ServiceDatabase]) -> AsyncIterator[Database]:
    """One connection, so that each transaction meets what the one before has left on it."""
    opened = Database(database_for("transaction").app_url, after_commit=figures.count_committed, pool_size=1)
    yield opened
    await opened.close()


def payment() -> Payment:
    order = PaymentOrder("demo", uuid4().hex, "A", "B", 7, "CHF")
    return Payment.accept(order, payment_id=uuid4(), at=datetime.now(UTC))


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"florin_{name}", labels) or 0.0


async def test_what_was_rolled_back_is_not_counted_then_or_with_the_next(database: Database) -> None:
    def accepted() -> float:
        return counted("payments_amount_minor_total", stage="accepted", currency="CHF")

    async def accept_and_fail() -> None:
        async with database.transaction() as connection:
            figures.note_accepted(connection, [payment()])
            raise LookupError

    before = accepted()
    with pytest.raises(LookupError):
        await accept_and_fail()
    assert accepted() == before
    async with database.transaction():
        pass
    assert accepted() == before
    async with database.transaction() as connection:
        figures.note_accepted(connection, [payment(), payment()])
        assert accepted() == before
    assert accepted() == before + 14


async def test_a_reason_that_is_no_code_counts_as_other(database: Database) -> None:
    """Reasons come from another service: whatever it may send, the names of a metric stay few."""
    other = counted("payment_moves_total", status="REJECTED", reason="other")
    for reason in ("Ada Lovelace said so", None, "x" * 60, "screening_declined"):
        async with database.transaction() as connection:
            made = payment()
            first = first_event(made.id, made.hash, at=made.created_at)
            before = Where(made.id, Status.PENDING, 1, first.hash)
            moves, _ = move(before, Status.REJECTED, at=made.created_at, reason=reason)
            figures.note_moves(connection, made, before, moves)
    assert counted("payment_moves_total", status="REJECTED", reason="other") == other + 3
    assert counted("payment_moves_total", status="REJECTED", reason="screening_declined") == 1
