"""Holds: money that counts at once, is captured within its terms, and is resolved exactly once."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from account_service.domain.hold import HoldState
from account_service.domain.outcome import Completed, Held
from account_service.domain.posting import PostingKind, PostingRequest

from .bank import Bank, capture, hold, requested, transfer, void, void_requested
from .holding import types, word, words


async def test_a_hold_counts_at_once_and_moves_nothing(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    authorised = hold(payer, payee, 60)
    await bank.deliver(requested(authorised))
    assert await bank.figures(payer) == (100, 60, 40)
    assert await bank.figures(payee) == (0, 0, 0)
    [answer] = await bank.told(authorised.payment_id)
    assert answer["type"] == "florin.hold.placed.v1"
    assert authorised.hold is not None
    assert datetime.fromisoformat(answer["data"]["expires_at"]) == authorised.hold.expires_at
    assert await words(bank, transfer(payer, payee, 41), hold(payer, payee, 41)) == ["insufficient_funds"] * 2
    assert await words(bank, transfer(payer, payee, 40)) == ["completed"]
    await bank.assert_books_balance()


async def test_a_capture_of_part_releases_the_rest(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    authorised = hold(payer, payee, 60)
    taken = capture(authorised, 25)
    await bank.deliver(requested(authorised))
    await bank.deliver(requested(taken))
    assert await bank.figures(payer) == (75, 0, 75)
    assert await bank.figures(payee) == (25, 0, 25)
    assert await types(bank, taken.payment_id) == ["completed"]
    placed, ended = await bank.told(authorised.payment_id)
    assert (placed["sequence"], ended["sequence"]) == ("1", "2")
    assert ended["type"] == "florin.hold.ended.v1"
    assert ended["data"] | {"ended_at": ""} == {
        "payment_id": str(authorised.payment_id),
        "end": "captured",
        "captured_minor": 25,
        "released_minor": 35,
        "reason": "captured in part",
        "author": "client:bank",
        "ended_at": "",
    }
    [posting] = await bank.rows("SELECT * FROM postings WHERE payment_id = :id", id=taken.payment_id)
    assert (posting.kind, posting.captures) == ("capture", authorised.payment_id)
    await bank.assert_books_balance()


async def test_a_hold_opened_for_many_captures_ends_with_the_final_one(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    authorised = hold(payer, payee, 60, captured_many_times=True)
    assert await words(bank, authorised, capture(authorised, 20), capture(authorised, 10)) == [
        "held",
        "completed",
        "completed",
    ]
    assert await bank.figures(payer) == (70, 30, 40)
    assert await words(bank, capture(authorised, 5, final=True)) == ["completed"]
    assert await bank.figures(payer) == (65, 0, 65)
    assert await words(bank, capture(authorised, 1)) == ["hold_captured"]
    await bank.assert_books_balance()


async def test_a_hold_of_which_nothing_is_left_has_ended(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    authorised = hold(payer, payee, 60, captured_many_times=True)
    await bank.post(authorised, capture(authorised, 20))
    [outcome] = await bank.post(capture(authorised, 40))
    assert isinstance(outcome, Completed)
    assert outcome.hold is not None
    assert outcome.hold.state is HoldState.CAPTURED
    assert outcome.hold.released_minor == 0


async def test_a_capture_beyond_the_hold_is_refused_with_its_figures(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    authorised = hold(payer, payee, 60, captured_many_times=True)
    await bank.post(authorised, capture(authorised, 20))
    over = capture(authorised, 41)
    for _ in range(2):
        await bank.deliver(requested(over))
    told = [answer["data"] for answer in await bank.told(over.payment_id)]
    assert (
        told
        == [
            {
                "payment_id": str(over.payment_id),
                "code": "capture_exceeds_hold",
                "field": "amount_minor",
                "figures": {"limit": 60, "used": 20, "asked": 41},
            }
        ]
        * 2
    )
    assert await bank.figures(payer) == (80, 40, 40)


async def test_a_tolerance_lets_captures_pass_the_hold_as_far_as_money_is_there(bank: Bank) -> None:
    payer, payee = await bank.open(balance=65), await bank.open()
    authorised = hold(payer, payee, 60, tolerance_minor=10)
    assert await words(
        bank, authorised, capture(authorised, 71), capture(authorised, 66), capture(authorised, 65)
    ) == ["held", "capture_exceeds_hold", "insufficient_funds", "completed"]
    assert await bank.figures(payer) == (0, 0, 0)
    await bank.assert_books_balance()


@pytest.mark.parametrize("kind", ["hold", "capture"])
async def test_a_hold_and_its_capture_are_answered_once_for_ever(bank: Bank, kind: str) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    authorised = hold(payer, payee, 60, captured_many_times=True)
    taken = capture(authorised, 20)
    await bank.deliver(requested(authorised), requested(taken))
    asked = authorised if kind == "hold" else taken
    for _ in range(2):
        await bank.deliver(requested(asked))
    told = await bank.told(asked.payment_id)
    assert len(told) == 3
    assert len({str(answer["data"]) for answer in told}) == 1
    assert await bank.figures(payer) == (80, 40, 40)


@pytest.mark.parametrize(
    "other",
    [
        {"amount_minor": 61},
        {"hold": {"tolerance_minor": 1}},
        {"hold": {"captured_many_times": True}},
        {"hold": {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}},
        {"kind": PostingKind.TRANSFER, "hold": None},
    ],
)
@pytest.mark.parametrize("balance", [100, 0])
async def test_a_hold_with_other_content_under_its_id_is_parked(
    bank: Bank, other: dict[str, Any], balance: int
) -> None:
    payer, payee = await bank.open(balance=balance), await bank.open()
    first = hold(payer, payee, 60)
    facts = {name: getattr(first, name) for name in PostingRequest.__slots__} | other
    if other.get("hold"):
        assert first.hold is not None
        facts["hold"] = replace(first.hold, **other["hold"])
    altered = requested(PostingRequest(**facts))
    await bank.deliver(requested(first))
    await bank.deliver(altered)
    [parked] = await bank.rows("SELECT reason FROM parked WHERE event_id = :id", id=altered.id)
    assert parked.reason == "payment_already_decided"
    assert len(await bank.told(first.payment_id)) == 1


async def test_a_capture_with_other_content_under_its_id_is_parked(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    one, two = (hold(payer, payee, 20, captured_many_times=True) for _ in range(2))
    taken = capture(one, 5)
    await bank.post(one, two, taken)
    for other in (capture(two, 5, payment_id=taken.payment_id), capture(one, 5, final=True)):
        altered = requested(PostingRequest(**_facts(other) | {"payment_id": taken.payment_id}))
        await bank.deliver(altered)
        [parked] = await bank.rows("SELECT reason FROM parked WHERE event_id = :id", id=altered.id)
        assert parked.reason == "payment_already_decided"


def _facts(request: PostingRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in PostingRequest.__slots__}


async def test_a_capture_finds_only_the_hold_of_its_client_and_parties(bank: Bank) -> None:
    payer, payee, other = await bank.open(balance=100), await bank.open(), await bank.open(balance=5)
    authorised = hold(payer, payee, 20)
    await bank.post(authorised)
    strange = [
        capture(hold(payer, payee), 1),
        PostingRequest(**_facts(capture(authorised, 1)) | {"debtor": other}),
        PostingRequest(**_facts(capture(authorised, 1)) | {"creditor": other}),
    ]
    assert await words(bank, *strange) == ["hold_not_found"] * 3
    mine = [await bank.open(balance=100, caller="other"), await bank.open(caller="other")]
    foreign = _facts(capture(authorised, 1)) | {"client_id": "other", "debtor": mine[0], "creditor": mine[1]}
    assert await words(bank, PostingRequest(**foreign)) == ["hold_not_found"]


async def test_a_capture_can_be_reversed(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    authorised = hold(payer, payee, 60)
    taken = capture(authorised, 60)
    back = transfer(payee, payer, 60, kind=PostingKind.REVERSAL, reverses=taken.payment_id)
    assert await words(bank, authorised, taken, back) == ["held", "completed", "completed"]
    assert await bank.figures(payer) == (100, 0, 100)


async def test_many_holds_of_a_batch_are_placed_and_resolved_together(bank: Bank) -> None:
    payer, payee = await bank.open(balance=1_000), await bank.open()
    holds = [hold(payer, payee, 10) for _ in range(100)]
    assert await words(bank, *holds, hold(payer, payee, 1)) == ["held"] * 100 + ["insufficient_funds"]
    resolved = [capture(one, 10) if n % 2 else void(one) for n, one in enumerate(holds)]
    outcomes = await bank.post(*resolved)
    assert [word(outcome) for outcome in outcomes] == ["voided", "completed"] * 50
    assert await bank.figures(payer) == (500, 0, 500)
    await bank.assert_books_balance()


async def test_requests_of_both_types_are_handled_in_the_order_in_which_they_came(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    authorised = hold(payer, payee, 100)
    after = transfer(payer, payee, 100)
    await bank.deliver(requested(authorised), void_requested(void(authorised)), requested(after))
    assert await types(bank, after.payment_id) == ["completed"]


async def test_holds_are_listed_with_what_became_of_them(bank: Bank) -> None:
    payer, payee = await bank.open(balance=100), await bank.open()
    ids = sorted(uuid4() for _ in range(3))
    open_one, voided, taken = (hold(payer, payee, 10, payment_id=one) for one in ids)
    outcomes = await bank.post(open_one, voided, taken, void(voided, "Lost"), capture(taken, 4))
    assert isinstance(outcomes[0], Held)
    answer = await bank.send("GET", f"/v1/accounts/{payer}/holds?limit=2", key=None)
    page = answer.json()
    seen = [(one["payment_id"], one["state"], one["captured_minor"]) for one in page["items"]]
    assert seen == [(str(ids[2]), "CAPTURED", 4), (str(ids[1]), "VOIDED", 0)]
    assert (page["items"][1]["reason"], page["items"][1]["author"]) == ("Lost", "bank")
    more = f"/v1/accounts/{payer}/holds?limit=2&cursor={page['next_cursor']}"
    rest = (await bank.send("GET", more, key=None)).json()
    assert [(one["payment_id"], one["remaining_minor"]) for one in rest["items"]] == [(str(ids[0]), 10)]
    assert rest["next_cursor"] is None
    only = await bank.send("GET", f"/v1/accounts/{payer}/holds?state=OPEN", key=None)
    assert len(only.json()["items"]) == 1
    foreign = await bank.send("GET", f"/v1/accounts/{payer}/holds", key=None, caller="other")
    assert foreign.status_code == 404
