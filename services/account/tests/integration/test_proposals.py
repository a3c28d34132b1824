"""What takes two people: proposed by one, approved by another, carried out once or not at all."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from .bank import Bank
from .callers import PEOPLE
from .proposing import WORD, adjustment, end, propose, proposed, told


@pytest.mark.parametrize(("direction", "sign"), [("credit", 1), ("debit", -1)])
async def test_an_adjustment_moves_money_when_another_approves_it(
    bank: Bank, direction: str, sign: int
) -> None:
    """Against the client's adjustment account, and not before."""
    account = await bank.open(balance=1000)
    answer = await propose(bank, **adjustment(account, direction=direction))
    made = answer.json()
    assert (answer.status_code, made["state"], made["end"]) == (201, "OPEN", None)
    assert made["proposed_by"] == PEOPLE["maker"]
    assert made["terms"] == {
        "account": account,
        "direction": direction,
        "amount_minor": 300,
        "currency": "CZK",
    }
    assert await bank.balance(account) == 1000
    approved = (await end(bank, made["id"], "approve")).json()
    assert (approved["state"], approved["end"]["author"]) == ("APPROVED", PEOPLE["checker"])
    assert approved["end"]["reason"] == "Looked at it"
    assert approved["end"]["outcome"]["balance_after_minor"] == 1000 + sign * 300
    assert await bank.balance(account) == 1000 + sign * 300
    [posting] = await bank.rows("SELECT id, kind FROM postings WHERE proposal_id = :id", id=made["id"])
    assert (str(posting.id), posting.kind) == (approved["end"]["outcome"]["posting_id"], "adjustment")
    read = await bank.send("GET", f"/v1/proposals/{made['id']}", key=None, caller="maker")
    assert read.json() == approved
    await bank.assert_books_balance()


async def test_each_word_is_in_the_audit_log_once(bank: Bank) -> None:
    """Who, by what, what and why; a word that was spoken before or in vain is not in it."""
    account = await bank.open(balance=9)
    proposal, key = "", uuid4().hex
    for _ in range(2):
        answer = await propose(bank, key=key, **adjustment(account, 7, direction="debit"))
        proposal = answer.json()["id"]
    await end(bank, proposal, "approve", "both")
    for _ in range(2):
        await end(bank, proposal, "approve")
    await end(bank, proposal, "reject", "other-checker")
    rows = await bank.rows("SELECT * FROM audit_entries WHERE subject = :id ORDER BY id", id=proposal)
    assert [(row.action, row.actor, row.reason) for row in rows] == [
        ("proposal.made", PEOPLE["maker"], "Ticket 12"),
        ("proposal.approved", PEOPLE["both"], "Looked at it"),
    ]
    made, approved = rows
    terms = {"account": account, "amount_minor": 7, "direction": "debit", "currency": "CZK"}
    assert made.before is None
    assert terms.items() <= made.after.items()
    assert (approved.before["state"], approved.after["state"]) == ("OPEN", "APPROVED")
    assert approved.credential == f"key:{bank.callers.keys['both'][4:12]}"


async def test_who_proposed_it_cannot_decide_it(bank: Bank) -> None:
    """Whatever roles they hold; and a system no better than a person."""
    account = await bank.open()
    for proposer, decider in (("both", "both"), ("proposing-system", "deciding-system")):
        proposal = await proposed(bank, proposer, **adjustment(account))
        for word in ("approve", "reject"):
            assert told(await end(bank, proposal, word, decider)) == (403, "own_proposal")
    assert await bank.balance(account) == 0


async def test_roles_cannot_do_each_others_part(bank: Bank) -> None:
    account = await bank.open()
    assert told(await propose(bank, "checker", **adjustment(account))) == (403, "forbidden")
    proposal = await proposed(bank, **adjustment(account))
    assert told(await end(bank, proposal, "approve", "maker")) == (403, "forbidden")
    assert told(await end(bank, proposal, "withdraw", "checker")) == (403, "forbidden")
    assert told(await end(bank, proposal, "withdraw", "both")) == (403, "not_the_proposer")


async def test_a_decision_asks_a_person_for_a_fresh_second_factor(bank: Bank) -> None:
    proposal = await proposed(bank, **adjustment(await bank.open()))
    for word in ("approve", "reject"):
        answer = await end(bank, proposal, word, "checker-of-yesterday")
        assert told(answer) == (401, "insufficient_user_authentication")


async def test_twenty_approvals_at_once_carry_it_out_once(bank: Bank) -> None:
    account = await bank.open()
    proposal = await proposed(bank, **adjustment(account, 7))
    deciders = ["checker", "other-checker"] * 10
    answers = await asyncio.gather(*(end(bank, proposal, "approve", one) for one in deciders))
    first = next(one for one in answers if one.is_success and "idempotency-replayed" not in one.headers)
    winner = first.json()["end"]["author"]
    for decider, answer in zip(deciders, answers, strict=True):
        if PEOPLE[decider] == winner:
            # The same word by the same person is answered alike, however often it is spoken.
            assert answer.json() == first.json()
        else:
            assert told(answer) == (409, "proposal_approved")
    assert sum("idempotency-replayed" not in one.headers for one in answers if one.is_success) == 1
    assert await bank.balance(account) == 7
    await bank.assert_books_balance()


async def test_approval_rejection_and_withdrawal_at_once_have_one_winner(bank: Bank) -> None:
    for _ in range(10):
        account = await bank.open()
        proposal = await proposed(bank, **adjustment(account, 5))
        answers = await asyncio.gather(
            end(bank, proposal, "approve", "checker"),
            end(bank, proposal, "reject", "other-checker"),
            end(bank, proposal, "withdraw", "maker"),
        )
        won = [answer.json() for answer in answers if answer.is_success]
        assert [answer.status_code for answer in answers].count(409) == 2
        assert len(won) == 1
        assert await bank.balance(account) == (5 if won[0]["state"] == "APPROVED" else 0)


async def test_a_proposal_expires_by_itself(bank: Bank) -> None:
    """Told as expired wherever it is read, ended by nobody, and carried out by nobody."""
    account = await bank.open()
    made = (await propose(bank, **adjustment(account), expires_in_s=60)).json()
    begun, over = (datetime.fromisoformat(made[name]) for name in ("proposed_at", "expires_at"))
    assert over - begun == timedelta(minutes=1)
    bank.clock.at = over - timedelta(milliseconds=1)
    path = f"/v1/proposals/{made['id']}"
    assert told(await bank.send("GET", path, key=None, caller="maker")) == (200, "OPEN")
    bank.clock.at = over
    assert told(await bank.send("GET", path, key=None, caller="maker")) == (200, "EXPIRED")
    listed = await bank.send("GET", "/v1/proposals?state=EXPIRED&limit=200", key=None, caller="maker")
    assert made["id"] in {one["id"] for one in listed.json()["items"]}
    for word, caller in (("approve", "checker"), ("reject", "checker"), ("withdraw", "maker")):
        assert told(await end(bank, made["id"], word, caller)) == (409, "proposal_expired")
    assert await bank.balance(account) == 0


async def test_what_the_ledger_declines_is_not_decided(bank: Bank) -> None:
    """The approval is refused with the ledger's code, and may be given once the reason is gone."""
    account = await bank.open()
    proposal = await proposed(bank, **adjustment(account, 50, direction="debit"))
    assert told(await end(bank, proposal, "approve")) == (409, "insufficient_funds")
    await bank.set_state(account, "FROZEN")
    assert told(await end(bank, proposal, "approve")) == (409, "account_frozen")
    assert told(await bank.send("GET", f"/v1/proposals/{proposal}", key=None, caller="maker"))[1] == "OPEN"
    await bank.set_state(account, "ACTIVE")
    deposit = {"amount_minor": 50, "currency": "CZK"}
    assert (await bank.send("POST", f"/v1/accounts/{account}/deposits", deposit)).is_success
    assert told(await end(bank, proposal, "approve")) == (200, "APPROVED")
    assert await bank.balance(account) == 0


async def test_another_clients_proposal_is_as_absent_as_one_that_never_was(bank: Bank) -> None:
    proposal = await proposed(bank, **adjustment(await bank.open()))
    answers = []
    for one in (proposal, str(uuid4())):
        read = await bank.send("GET", f"/v1/proposals/{one}", key=None, caller="foreign-checker")
        ends = [await end(bank, one, word, "foreign-checker") for word in WORD]
        answers.append([(a.status_code, a.json() | {"trace_id": None}) for a in (read, *ends)])
    assert answers[0] == answers[1]
    assert {status for status, _ in answers[0]} == {404}
    listed = await bank.send("GET", "/v1/proposals?limit=200", key=None, caller="foreign-checker")
    assert proposal not in {one["id"] for one in listed.json()["items"]}


async def test_a_retried_proposal_is_replayed_and_another_under_its_key_refused(bank: Bank) -> None:
    account, key = await bank.open(), uuid4().hex
    body = adjustment(account)
    answers = await asyncio.gather(*(propose(bank, key=key, **body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    # However it has ended since: also one that could not be made any more.
    await end(bank, answers[0].json()["id"], "reject")
    await bank.set_state(account, "CLOSED")
    again = await propose(bank, key=key, **body)
    assert (again.status_code, again.json()["state"]) == (200, "REJECTED")
    for changed, field in (
        ({"amount_minor": 301}, "amount_minor"),
        ({"reason": "Another"}, "reason"),
        ({"expires_in_s": 60}, "expires_in_s"),
    ):
        other = await propose(bank, key=key, **body | changed)
        assert told(other) == (422, "idempotency_key_reused")
        assert [one["field"] for one in other.json()["errors"]] == [field]
    of_another = await propose(bank, "both", key=key, **body)
    assert [one["field"] for one in of_another.json()["errors"]] == ["Idempotency-Key"]


async def test_proposals_are_listed_newest_first_page_by_page(bank: Bank) -> None:
    account = await bank.open()
    made = [await proposed(bank, **adjustment(account, n)) for n in range(1, 6)]
    await end(bank, made[2], "reject")
    seen: list[str] = []
    path = "/v1/proposals?limit=2&state=OPEN&kind=adjustment"
    cursor = ""
    for _ in range(100):
        page = (await bank.send("GET", path + cursor, key=None, caller="checker")).json()
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None or made[0] in seen:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [one for one in seen if one in made] == [made[4], made[3], made[1], made[0]]
    other = f"/v1/proposals?limit=2&state=REJECTED&kind=adjustment{cursor}"
    assert told(await bank.send("GET", other, key=None, caller="checker")) == (400, "invalid_cursor")
    bad = await bank.send("GET", "/v1/proposals?kind=gift", key=None, caller="checker")
    assert (told(bad), bad.json()["errors"][0]["field"]) == ((422, "invalid_request"), "kind")
