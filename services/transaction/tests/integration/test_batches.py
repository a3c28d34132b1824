"""Up to a thousand payments a request, each with its own outcome and paid once however it is retried."""

from typing import Any
from uuid import uuid4

from .conftest import Service


def item(**changes: Any) -> dict[str, Any]:
    """A good item with a reference of its own."""
    return {
        "debtor": "A",
        "creditor": "B",
        "amount_minor": 10,
        "currency": "EUR",
        "reference": uuid4().hex,
    } | changes


async def send(service: Service, items: list[Any], *, key: str | None = None) -> Any:
    """POST a batch; returns the response."""
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await service.api.post("/v1/payments/batches", json={"payments": items}, headers=headers)


async def test_each_item_has_its_own_outcome_at_its_own_place(service: Service) -> None:
    """Good ones are accepted beside bad ones of every kind."""
    items: list[Any] = [
        item(),
        item(amount_minor=0),
        item(currency="XXX"),
        item(creditor="A"),
        "not an object",
        item(status="SETTLED"),
        item(amount_minor=10**30),
        item(amount_minor=0.5),
        item(),
    ]
    answer = (await send(service, items)).json()
    assert [one["outcome"] for one in answer["items"]] == ["accepted", *["refused"] * 7, "accepted"]
    codes = [one["problem"]["code"] for one in answer["items"][1:8]]
    codes_expected = ["too_small", "unknown_currency", "same_account", "not_an_object", "unknown_field"]
    codes_expected += ["too_large", "not_an_integer"]
    assert codes == codes_expected
    assert (answer["accepted"], answer["replayed"], answer["refused"]) == (2, 0, 7)


async def test_the_same_batch_again_is_replayed_whole(service: Service) -> None:
    """Same ids, same refusals, nothing new."""
    key, items = uuid4().hex, [item(), item(amount_minor=-1), item()]
    first, second = await send(service, items, key=key), await send(service, items, key=key)
    assert second.headers["Idempotency-Replayed"] == "true"
    outcomes = [one["outcome"] for one in second.json()["items"]]
    assert outcomes == ["replayed", "refused", "replayed"]
    assert [one["payment_id"] for one in first.json()["items"]] == [
        one["payment_id"] for one in second.json()["items"]
    ]


async def test_another_batch_under_the_same_key_is_refused_whole(service: Service) -> None:
    """And names the item that differs; nothing of it is done."""
    key, items = uuid4().hex, [item(), item()]
    await send(service, items, key=key)
    before = await service.scalar("SELECT count(*) FROM payments")
    changed = await send(service, [items[0], item()], key=key)
    assert (changed.status_code, changed.json()["errors"][0]["field"]) == (422, "payments.1")
    longer = await send(service, [*items, item()], key=key)
    assert longer.json()["errors"][0]["field"] == "payments.2"
    assert await service.scalar("SELECT count(*) FROM payments") == before


async def test_an_item_with_a_key_of_its_own_is_paid_once_in_whatever_batch_it_comes(
    service: Service,
) -> None:
    """An importer may cut its file differently the second time."""
    one, two = item(idempotency_key=uuid4().hex), item(idempotency_key=uuid4().hex)
    await send(service, [one, two])
    again = (await send(service, [two])).json()
    assert [one["outcome"] for one in again["items"]] == ["replayed"]
    changed = (await send(service, [one | {"amount_minor": 11}])).json()["items"][0]
    assert (changed["outcome"], changed["problem"]["code"]) == ("refused", "idempotency_key_reused")
    assert changed["problem"]["field"] == "amount_minor"


async def test_a_twin_within_a_batch_is_paid_once(service: Service) -> None:
    """The second of two equal references is the first one's retry; a different one is refused."""
    twin = item()
    answer = (await send(service, [twin, twin, twin | {"amount_minor": 11}])).json()
    assert [one["outcome"] for one in answer["items"]] == ["accepted", "replayed", "refused"]


async def test_a_batch_is_bounded(service: Service) -> None:
    """Neither empty nor above a thousand."""
    assert (await send(service, [])).json()["errors"][0]["code"] == "too_short"
    assert (await send(service, [item() for _ in range(1001)])).json()["errors"][0]["code"] == "too_long"
    assert (await send(service, [item() for _ in range(1000)])).json()["accepted"] == 1000


async def test_a_number_of_five_thousand_digits_is_refused_and_not_choked_on(service: Service) -> None:
    """Neither alone nor in a batch does it give a 5xx."""
    huge = "9" * 5000
    one = f'{{"debtor":"A","creditor":"B","amount_minor":{huge},"currency":"EUR","reference":"x"}}'
    for path, body in (("/v1/payments", one), ("/v1/payments/batches", f'{{"payments":[{one}]}}')):
        answer = await service.api.post(
            path, content=body, headers={"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
        )
        assert answer.status_code < 500, answer.text
