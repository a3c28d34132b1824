"""At most one payment per client and key, for ever; every edge of it."""

import asyncio
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from testkit.waiting import eventually
from transaction_service.domain.payment import PaymentOrder
from transaction_service.operations.accept_payments import (
    Accepted,
    Outcome,
    PaymentRequest,
    accept_payments,
)

from .conftest import Service

WAITING = """
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE NOT l.granted AND a.datname = current_database()
"""


async def test_the_same_request_again_is_answered_alike_and_makes_nothing(service: Service) -> None:
    """A retry gets the first answer, marked as replayed."""
    key = uuid4().hex
    first, second = await service.pay(key=key), await service.pay(key=key)
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert await service.scalar("SELECT count(*) FROM payments WHERE idempotency_key = :k", k=key) == 1


async def test_a_retry_after_settlement_gets_the_first_answer_still(service: Service) -> None:
    """The first outcome is replayed, not today's; who wants today's reads the payment or asks to wait."""
    key = uuid4().hex
    first = await service.pay(key=key)
    await service.assessed(first.json()["id"])
    await service.posted(first.json()["id"])
    again = await service.pay(key=key)
    assert again.json() == first.json()


async def test_two_hundred_requests_at_once_make_one_payment_and_get_equal_answers(service: Service) -> None:
    """However they fall into commits, one makes the payment and 199 find it."""
    key = uuid4().hex
    answers = await asyncio.gather(*(service.pay(key=key) for _ in range(200)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert await service.scalar("SELECT count(*) FROM payments WHERE idempotency_key = :k", k=key) == 1
    assert len(await service.told(answers[0].json()["id"])) == 1


async def test_two_writers_with_overlapping_keys_neither_double_nor_deadlock(service: Service) -> None:
    """Two processes take the same retries in opposite order at the same time."""
    keys = [uuid4().hex for _ in range(50)]
    requests = [PaymentRequest(PaymentOrder("alpha", key, "A", "B", 1, "EUR")) for key in keys]

    async def write(batch: list[PaymentRequest]) -> int:
        async with service.database.transaction() as connection:
            outcomes = await accept_payments(
                connection, batch, at=service.parts.clock.now(), new_id=service.parts.new_id
            )
        return sum(isinstance(one, Accepted) and not one.replayed for one in outcomes)

    made = await asyncio.gather(*(write(requests[::step]) for step in (1, -1) * 8))
    assert sum(made) == 50


async def test_two_writers_that_wait_for_a_key_between_theirs_do_not_deadlock(service: Service) -> None:
    """Both take their keys in one order, so that neither holds what the other one waits for."""
    keys = [f"{letter}-{uuid4().hex}" for letter in "amz"]
    requests = [PaymentRequest(PaymentOrder("alpha", key, "A", "B", 1, "EUR")) for key in keys]

    async def write(connection: AsyncConnection, batch: list[PaymentRequest]) -> list[Outcome]:
        parts = service.parts
        return await accept_payments(connection, batch, at=parts.clock.now(), new_id=parts.new_id)

    async def write_alone(batch: list[PaymentRequest]) -> list[Outcome]:
        async with service.database.transaction() as connection:
            return await write(connection, batch)

    async def waiting(number: int) -> bool:
        return bool(await service.scalar(f"SELECT count(*) = {number} {WAITING}"))

    async with service.database.engine.connect() as holder:
        await write(holder, requests[1:2])
        writers = []
        for number, batch in enumerate((requests, requests[::-1]), start=1):
            writers.append(asyncio.create_task(write_alone(batch)))
            await eventually(partial(waiting, number))
        await holder.rollback()
    made = [one for outcomes in await asyncio.gather(*writers) for one in outcomes]
    assert sum(isinstance(one, Accepted) and not one.replayed for one in made) == 3


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount_minor": 1251}, "amount_minor"),
        ({"creditor": "C"}, "creditor"),
        ({"currency": "USD"}, "currency"),
        ({"reference": "other"}, "reference"),
        ({"metadata": {"a": "b"}}, "metadata"),
    ],
)
async def test_the_same_key_with_another_body_is_refused_and_names_the_field(
    service: Service, change: dict[str, Any], field: str
) -> None:
    """422, the differing field, and the first payment untouched."""
    key = uuid4().hex
    first = await service.pay(key=key)
    second = await service.pay(key=key, **change)
    assert second.status_code == 422
    assert second.json()["code"] == "idempotency_key_reused"
    assert [error["field"] for error in second.json()["errors"]] == [field]
    assert second.json()["payment_id"] == first.json()["id"]


async def test_the_same_key_with_two_bodies_at_once_lets_one_win(service: Service) -> None:
    """Whichever is first stands; the other is told."""
    key = uuid4().hex
    answers = await asyncio.gather(*(service.pay(key=key, amount_minor=1 + i % 2) for i in range(40)))
    assert {answer.status_code for answer in answers} == {202, 422}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 202}) == 1


async def test_a_key_belongs_to_its_client(service: Service) -> None:
    """Another client's same key is another payment."""
    key = uuid4().hex
    mine, theirs = await service.pay(key=key), await service.pay(key=key, client=service.other)
    assert mine.status_code == theirs.status_code == 202
    assert mine.json()["id"] != theirs.json()["id"]


async def test_a_refused_request_does_not_use_up_its_key(service: Service) -> None:
    """Nothing was done, so the corrected request may bear the same key."""
    key = uuid4().hex
    assert (await service.pay(key=key, amount_minor=0)).status_code == 422
    assert (await service.pay(key=key)).status_code == 202


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], "idempotency_key_missing"),
        ([("Idempotency-Key", "")], "idempotency_key_invalid"),
        ([("Idempotency-Key", "x" * 256)], "idempotency_key_invalid"),
        ([("Idempotency-Key", "two words")], "idempotency_key_invalid"),
        ([("Idempotency-Key", "a"), ("Idempotency-Key", "b")], "idempotency_key_repeated"),
    ],
)
async def test_a_bad_key_is_refused(service: Service, headers: list[tuple[str, str]], code: str) -> None:
    """400 with a code for each way of being bad."""
    body = {"debtor": "A", "creditor": "B", "amount_minor": 1, "currency": "EUR"}
    answer = await service.api.post("/v1/payments", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
