"""Above a limit a reversal takes two people, however it is cut up, and whoever asks."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from testkit.databases import ServiceDatabase, connect

from .conftest import PEOPLE, Service, now


async def limit(service: Service, currency: str, amount_minor: int | None) -> None:
    """Put a limit in force, as the system may."""
    body = {"currency": currency, "amount_minor": amount_minor, "reason": "Policy 3"}
    answer = await service.api.put("/v1/reversal-approval-limits", json=body)
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def currency(service: Service) -> str:
    """One in which one alone may give back 100 of a payment."""
    await limit(service, "NOK", 100)
    return "NOK"


async def reverse(service: Service, payment_id: str, **body: Any) -> httpx2.Response:
    """Ask for a reversal without a second person."""
    path, headers = f"/v1/payments/{payment_id}/reversals", {"Idempotency-Key": uuid4().hex}
    return await service.api.post(path, json=body, headers=headers)


async def propose(service: Service, caller: str = "maker", key: str = "", **body: Any) -> httpx2.Response:
    """Ask for a proposal."""
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await service.people[caller].post(
        "/v1/proposals", json={"reason": "Ticket 12"} | body, headers=headers
    )


async def proposed(service: Service, payment_id: str, amount_minor: int, caller: str = "maker") -> str:
    """The id of a proposal to give so much back."""
    body: dict[str, Any] = {"kind": "reversal", "payment_id": payment_id, "amount_minor": amount_minor}
    answer = await propose(service, caller, **body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def end(
    service: Service, proposal: str, word: str = "approval", caller: str = "checker"
) -> httpx2.Response:
    """Approve, reject or withdraw."""
    return await service.people[caller].post(f"/v1/proposals/{proposal}/{word}", json={"reason": "Looked"})


def told(answer: httpx2.Response) -> tuple[int, str]:
    """The status and the code, or the state."""
    body = answer.json()
    return answer.status_code, str(body.get("code") or body.get("state") or body.get("status"))


async def test_a_reversal_above_the_limit_is_carried_out_when_another_approves_it(
    service: Service, currency: str
) -> None:
    original = await service.settled(amount_minor=1000, currency=currency)
    refused = await reverse(service, original, amount_minor=101)
    assert told(refused) == (409, "approval_required")
    assert refused.json()["figures"] == {"limit_minor": 100, "reversed_minor": 0, "asked_minor": 101}
    assert told(await reverse(service, original)) == (409, "approval_required")
    proposal = await proposed(service, original, 400)
    assert (await service.get(original))["reversed_minor"] == 0
    approved = await end(service, proposal)
    assert told(approved) == (200, "APPROVED")
    made = await service.get(approved.json()["end"]["outcome"]["payment_id"])
    assert (made["kind"], made["reverses"], made["amount_minor"]) == ("reversal", original, 400)
    assert (await service.get(original))["reversed_minor"] == 400
    # It goes the way of every other from here on.
    await service.assessed(made["id"])
    await service.posted(made["id"])
    assert (await service.get(made["id"]))["status"] == "SETTLED"


async def test_many_small_reversals_count_as_a_large_one(service: Service, currency: str) -> None:
    """Also at once."""
    original = await service.settled(amount_minor=1000, currency=currency)
    answers = await asyncio.gather(*(reverse(service, original, amount_minor=30) for _ in range(10)))
    assert [answer.status_code for answer in answers].count(202) == 3
    refused = next(answer for answer in answers if answer.status_code != 202)
    assert refused.json()["figures"] == {"limit_minor": 100, "reversed_minor": 90, "asked_minor": 30}
    assert told(await reverse(service, original, amount_minor=10)) == (202, "PENDING")
    assert told(await reverse(service, original, amount_minor=1)) == (409, "approval_required")


async def test_within_the_limit_one_is_enough_and_so_where_there_is_none(
    service: Service, currency: str
) -> None:
    within = await service.settled(amount_minor=100, currency=currency)
    assert told(await reverse(service, within)) == (202, "PENDING")
    other = await service.settled(amount_minor=9_000_000, currency="ISK")
    assert told(await reverse(service, other)) == (202, "PENDING")
    await limit(service, "DKK", 0)
    original = await service.settled(amount_minor=9, currency="DKK")
    assert told(await reverse(service, original, amount_minor=1)) == (409, "approval_required")
    await limit(service, "DKK", None)
    assert told(await reverse(service, original)) == (202, "PENDING")


async def test_a_system_may_propose_and_nobody_decides_their_own(service: Service, currency: str) -> None:
    original = await service.settled(amount_minor=1000, currency=currency)
    # The key of `alpha` has every scope.
    proposal = await proposed(service, original, 200, "alpha")
    assert told(await end(service, proposal, caller="alpha")) == (403, "own_proposal")
    assert told(await end(service, proposal, "withdrawal", "maker")) == (403, "not_the_proposer")
    for caller in ("maker", "clerk"):
        assert told(await end(service, proposal, caller=caller)) == (403, "forbidden")
    assert told(await end(service, proposal, "withdrawal", "alpha")) == (200, "WITHDRAWN")
    assert told(await end(service, proposal)) == (409, "proposal_withdrawn")
    assert (await service.get(original))["reversed_minor"] == 0


async def test_twenty_approvals_at_once_give_back_once(service: Service, currency: str) -> None:
    original = await service.settled(amount_minor=1000, currency=currency)
    proposal = await proposed(service, original, 300)
    deciders = ("checker", "other-checker") * 10
    answers = await asyncio.gather(*(end(service, proposal, caller=caller) for caller in deciders))
    assert {told(answer) for answer in answers} == {(200, "APPROVED"), (409, "proposal_approved")}
    assert sum("idempotency-replayed" not in one.headers for one in answers if one.is_success) == 1
    found = await service.get(original)
    assert (found["reversed_minor"], len(found["reversals"])) == (300, 1)


async def test_what_cannot_be_given_back_any_more_is_not_decided(service: Service, currency: str) -> None:
    """Two proposals of 600 of 1,000: the first takes what the second would need."""
    original = await service.settled(amount_minor=1000, currency=currency)
    first, second = [await proposed(service, original, 600) for _ in range(2)]
    assert told(await end(service, first)) == (200, "APPROVED")
    assert told(await end(service, second)) == (409, "exceeds_original")
    assert told(await service.people["maker"].get(f"/v1/proposals/{second}")) == (200, "OPEN")
    assert told(await end(service, second, "rejection")) == (200, "REJECTED")


async def test_what_can_never_be_given_back_is_not_proposed(service: Service, currency: str) -> None:
    pending = await service.accepted(currency=currency)
    settled = await service.settled(amount_minor=10, currency=currency)
    for payment_id, amount_minor, expected in (
        (pending, 1, (409, "not_settled")),
        (settled, 11, (409, "exceeds_original")),
        (str(uuid4()), 1, (404, "not_found")),
    ):
        body: dict[str, Any] = {"kind": "reversal", "payment_id": payment_id, "amount_minor": amount_minor}
        assert told(await propose(service, **body)) == expected
    bad = await propose(service, kind="reversal", payment_id="x", amount_minor=1)
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "payment_id")
    none = await propose(service, kind="reversal", payment_id=settled)
    assert (none.status_code, none.json()["errors"][0]["field"]) == (422, "amount_minor")


async def test_a_retried_proposal_is_replayed(service: Service, currency: str) -> None:
    body = {"kind": "reversal", "payment_id": await service.settled(amount_minor=900, currency=currency)}
    key = uuid4().hex
    answers = [await propose(service, key=key, amount_minor=300, **body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json()
    other = await propose(service, key=key, amount_minor=301, **body)
    assert [one["field"] for one in other.json()["errors"]] == ["amount_minor"]


async def test_another_clients_proposal_is_as_absent_as_one_that_never_was(
    service: Service, currency: str
) -> None:
    proposal = await proposed(service, await service.settled(amount_minor=900, currency=currency), 300)
    answers = []
    for one in (proposal, str(uuid4())):
        words = ("approval", "rejection", "withdrawal")
        ends = [await end(service, one, word, "beta") for word in words]
        read = await service.other.get(f"/v1/proposals/{one}")
        answers.append([(a.status_code, a.json() | {"trace_id": None}) for a in (read, *ends)])
    assert answers[0] == answers[1]
    assert {status for status, _ in answers[0]} == {404}


async def test_the_limit_itself_is_changed_by_two_people_or_a_system(service: Service) -> None:
    """With its history."""
    await limit(service, "SEK", 5)
    asked: dict[str, Any] = {"kind": "reversal-limit-change", "currency": "SEK"}
    assert told(await propose(service, **asked, amount_minor=5)) == (409, "nothing_to_change")
    answer = await propose(service, **asked, amount_minor=7)
    assert told(answer) == (201, "OPEN")
    assert told(await end(service, answer.json()["id"])) == (200, "APPROVED")
    path = "/v1/reversal-approval-limits"
    page = (await service.api.get(f"{path}/changes?limit=1")).json()
    assert page["items"][0]["proposal_id"] == answer.json()["id"]
    rest = (await service.api.get(f"{path}/changes?limit=1&cursor={page['next_cursor']}")).json()
    told_of = [
        (one["currency"], one["amount_minor"], one["author"]) for one in (*page["items"], *rest["items"])
    ]
    assert told_of == [("SEK", 7, PEOPLE["maker"].actor), ("SEK", 5, "client:alpha")]
    standing = (await service.api.get(path)).json()["items"]
    assert {one["currency"]: one["amount_minor"] for one in standing}["SEK"] == 7
    assert (await service.other.get(path)).json()["items"] == []


async def test_a_change_of_the_limit_and_reversals_at_once_never_pass_it(service: Service) -> None:
    """No reversal is answered by a limit that is no longer in force, nor with a fault of ours."""
    for _ in range(5):
        await limit(service, "PLN", None)
        original = await service.settled(amount_minor=1000, currency="PLN")
        reversals = asyncio.gather(*(reverse(service, original, amount_minor=10) for _ in range(5)))
        await limit(service, "PLN", 0)
        assert {answer.status_code for answer in await reversals} <= {202, 409}


@pytest.mark.parametrize("named", ["nothing", "an open proposal", "one approved for another amount"])
async def test_the_database_lets_nobody_pass_the_limit_alone(
    service: Service, transaction_database: ServiceDatabase, currency: str, named: str
) -> None:
    """At commit, past all code."""
    original = await service.settled(amount_minor=1000, currency=currency)
    proposal, made = await proposed(service, original, 500), uuid4()
    rule = "reversals_above_the_limit_are_approved" if named == "nothing" else "reversals_are_as_approved"
    connection = await connect(transaction_database.app_url)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            """
            INSERT INTO payments (id, client_id, idempotency_key, kind, debtor, creditor, amount_minor,
                currency, metadata, capture, reverses, created_at, hash)
            SELECT $1, client_id, $2, 'reversal', creditor, debtor, 501, currency, '{}', 'immediate', id, $3,
                hash FROM payments WHERE id = $4
            """,
            *(made, uuid4().hex, now(), original),
        )
        given = "UPDATE payment_states SET reversed_minor = 501 WHERE payment_id = $1"
        await connection.execute(given, original)
        if named != "nothing":
            await connection.execute("INSERT INTO approved_reversals VALUES ($1, $2)", made, proposal)
        if named == "one approved for another amount":
            approval = "INSERT INTO proposal_ends VALUES ($1, 'APPROVED', 'r', 'person:x', now(), '{}')"
            await connection.execute(approval, proposal)
        with pytest.raises(asyncpg.CheckViolationError) as refusal:
            await transaction.commit()
    finally:
        await connection.close()
    assert refusal.value.constraint_name == rule


async def test_the_database_lets_no_person_set_the_limit_alone(transaction_database: ServiceDatabase) -> None:
    written = (
        "INSERT INTO reversal_limit_changes (client_id, currency, reason, author, changed_at) "
        "VALUES ('gamma', 'EUR', 'r', $1, now())"
    )
    connection = await connect(transaction_database.app_url)
    try:
        await connection.execute(written, "client:gamma")
        with pytest.raises(asyncpg.CheckViolationError) as refusal:
            await connection.execute(written, "person:1")
    finally:
        await connection.close()
    assert refusal.value.constraint_name == "reversal_limits_are_approved"
