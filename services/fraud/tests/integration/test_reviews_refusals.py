"""Reviews over HTTP: what is asked badly is refused, and changes nothing."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from contracts.messages import PaymentInitiated
from messaging.event import Event
from service_kit.cursors import encode_cursor

MakePayment = Callable[..., Event[PaymentInitiated]]
APPROVE = {"decision": "approve", "reason": "Known payer"}


async def _decide(http: httpx2.AsyncClient, held: Event[PaymentInitiated]) -> httpx2.Response:
    path = f"/v1/reviews/{held.data.payment_id}/decision"
    return await http.post(path, json=APPROVE, headers={"idempotency-key": uuid4().hex})


@pytest.mark.parametrize(
    "body",
    [
        {}, [], None, "approve", {"decision": "approve"}, APPROVE | {"decision": "review"},
        APPROVE | {"decision": True}, APPROVE | {"reason": ""}, APPROVE | {"reason": "   "},
        APPROVE | {"reason": "a\nb"}, APPROVE | {"reason": "x" * 256}, APPROVE | {"reason": 7},
        APPROVE | {"resolved_by": "me"},
    ],
)  # fmt: skip
async def test_bad_bodies_are_refused_and_change_nothing(
    fraud: Any, held: Any, bank: httpx2.AsyncClient, body: Any
) -> None:
    refused = await bank.post(
        f"/v1/reviews/{held.data.payment_id}/decision", json=body, headers={"idempotency-key": uuid4().hex}
    )
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert len(await fraud.told(held.data.payment_id)) == 1


async def test_key_must_be_there_once_and_visible(held: Any, bank: httpx2.AsyncClient) -> None:
    path = f"/v1/reviews/{held.data.payment_id}/decision"
    for headers, code in [
        ([], "idempotency_key_missing"),
        ([("idempotency-key", "")], "idempotency_key_invalid"),
        ([("idempotency-key", "x" * 256)], "idempotency_key_invalid"),
        ([("idempotency-key", "a"), ("idempotency-key", "a")], "idempotency_key_repeated"),
    ]:
        refused = await bank.post(path, json=APPROVE, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("cursor=", 400), ("cursor=%00", 400), ("cursor=AAAA", 400), ("cursor=W10", 400),
        ("cursor=bnVsbA", 400),
        ("cursor=é", 400), ("limit=0", 422), ("limit=201", 422), ("limit=x", 422), ("limit=1e2", 422),
        ("status=all", 422), ("status=", 422), ("cursor=" + "x" * 501, 422),
    ],
)  # fmt: skip
async def test_bad_queries_are_refused(bank: httpx2.AsyncClient, query: str, status: int) -> None:
    refused = await bank.get(f"/v1/reviews?{query}")
    assert refused.status_code == status, refused.text


@pytest.mark.parametrize(
    "position",
    [
        "2026-11-20T12:00:00 00000000-0000-0000-0000-000000000000",
        "9999-12-31T23:59:59-23:59 00000000-0000-0000-0000-000000000000",
        "0001-01-01T00:00:00+23:59 00000000-0000-0000-0000-000000000000",
        "2026-11-20T12:00:00+00:00 x",
        "x",
    ],
)
async def test_forged_cursors_are_refused(bank: httpx2.AsyncClient, position: str) -> None:
    """A cursor is no secret: whoever knows its form may write one that never was."""
    refused = await bank.get("/v1/reviews", params={"cursor": encode_cursor("reviews open", position)})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")


async def test_cursor_of_another_list_is_refused(fraud: Any, make_payment: MakePayment, bank: Any) -> None:
    await fraud.deliver(*(make_payment(amount_minor=1_000_000) for _ in range(2)))
    cursor = (await bank.get("/v1/reviews?limit=1")).json()["next_cursor"]
    assert cursor is not None
    refused = await bank.get(f"/v1/reviews?status=resolved&cursor={cursor}")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")


async def test_bad_ids_and_missing_rights_are_refused(held: Any, as_caller: Callable[[str], Any]) -> None:
    async with as_caller("reader") as reader, as_caller("") as nobody:
        for path in ("/v1/reviews", f"/v1/reviews/{held.data.payment_id}", f"/v1/decisions/{uuid4()}"):
            assert (await reader.get(path)).status_code == 403
            assert (await nobody.get(path)).status_code == 401
        assert (await _decide(reader, held)).status_code == 403
    async with as_caller("bank") as bank:
        for bad in ("x", "%00", "0" * 400, str(held.data.payment_id) + "0"):
            assert (await bank.get(f"/v1/reviews/{bad}")).status_code in {400, 404, 422}
            assert (await bank.get(f"/v1/decisions/{bad}")).status_code in {400, 404, 422}
