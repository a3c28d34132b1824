"""The load's requests are what they say: whole, of the length they tell, and no two alike."""

import itertools
import json

import pytest

from .plan import HOT, Plan, account, key, requests


def _plan(**words: object) -> Plan:
    return Plan(port=1, bearer="flk_key", name="bench-test", **words)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [0, 1, 7, 1000])
def test_each_request_is_whole(batch: int) -> None:
    plan = _plan(batch=batch)
    for number, request in enumerate(itertools.islice(requests(plan), 3)):
        head, _, body = request.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        assert int(lines["Content-Length"]) == len(body)
        assert lines["Idempotency-Key"] == key(plan, number)
        document = json.loads(body)
        items = document["payments"] if batch else [document]
        assert len(items) == plan.payments_a_request
        assert all(item["debtor"] != item["creditor"] for item in items)


def test_no_two_payments_bear_one_reference() -> None:
    bodies = [
        json.loads(one.partition(b"\r\n\r\n")[2]) for one in itertools.islice(requests(_plan(batch=50)), 20)
    ]
    references = [item["reference"] for body in bodies for item in body["payments"]]
    assert len(set(references)) == 1000


@pytest.mark.parametrize(("shape", "side"), [("hot_payer", "debtor"), ("hot_payee", "creditor")])
def test_one_hot_account_takes_part_in_every_payment(shape: str, side: str) -> None:
    for request in itertools.islice(requests(_plan(shape=shape)), 500):
        assert json.loads(request.partition(b"\r\n\r\n")[2])[side] == account(HOT)


def test_waiting_for_the_end_is_asked_for_only_when_planned() -> None:
    assert b"Prefer: wait=10\r\n" in next(requests(_plan(wait_s=10)))
    assert b"Prefer" not in next(requests(_plan()))
