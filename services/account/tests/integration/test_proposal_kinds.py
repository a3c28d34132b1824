"""What each kind of proposal does, what one person may do alone, and what is refused from the start."""

from typing import Any

import httpx2
import pytest

from .bank import Bank, transfer
from .callers import PEOPLE
from .proposing import adjustment, end, propose, proposed, told


async def test_only_tightening_is_done_by_one(bank: Bank) -> None:
    """Who may only freeze, and every person, freezes at once and proposes to unfreeze."""
    for caller in ("maker", "clerk"):
        account = await bank.open()
        path = f"/v1/accounts/{account}/state"

        async def ask(state: str, path: str = path, caller: str = caller) -> httpx2.Response:
            return await bank.send("POST", path, {"state": state, "reason": "Test"}, key=None, caller=caller)

        for state in ("DEBIT_FROZEN", "FROZEN"):
            assert told(await ask(state)) == (200, state)
        for state in ("ACTIVE", "DEBIT_FROZEN", "CREDIT_FROZEN"):
            answer = await ask(state)
            assert told(answer) == (403, "approval_required")
            assert answer.json()["kind"] == "unfreezing"
        assert told(await ask("FROZEN")) == (200, "FROZEN")
    assert told(await ask("CLOSED")) == (200, "CLOSED")


async def test_who_may_only_freeze_closes_nothing(bank: Bank) -> None:
    account = await bank.open()
    for state in ("CLOSING", "CLOSED"):
        body = {"state": state, "reason": "Test"}
        answer = await bank.send("POST", f"/v1/accounts/{account}/state", body, key=None, caller="maker")
        assert told(answer) == (403, "forbidden")
        assert "accounts:write" in answer.headers["www-authenticate"]


async def test_an_unfreezing_is_carried_out(bank: Bank) -> None:
    account = await bank.open()
    await bank.set_state(account, "FROZEN")
    proposal = await proposed(bank, kind="unfreezing", account=account)
    assert told(await end(bank, proposal, "approve")) == (200, "APPROVED")
    changes = await bank.send("GET", f"/v1/accounts/{account}/state-changes", key=None)
    last = changes.json()["items"][0]
    assert (last["state"], last["author"], last["proposal_id"]) == ("ACTIVE", PEOPLE["maker"], proposal)


async def test_what_is_so_already_is_neither_proposed_nor_approved(bank: Bank) -> None:
    """An approval that carries nothing out would tell of something that never happened."""
    account = await bank.open()
    asked: dict[str, Any] = {"kind": "unfreezing", "account": account}
    assert told(await propose(bank, **asked)) == (409, "nothing_to_change")
    await bank.set_state(account, "FROZEN")
    bodies = (asked, {"kind": "overdraft-change", "account": account, "overdraft_minor": 5})
    both = [await proposed(bank, **body) for body in bodies]
    limits = await proposed(bank, kind="limit-change", account=account, daily_count=4)
    await bank.set_state(account, "ACTIVE")
    body = {"overdraft_minor": 5, "reason": "By the system"}
    await bank.send("PUT", f"/v1/accounts/{account}/overdraft", body, key=None)
    body = {"daily_count": 4, "reason": "By the system"}
    await bank.send("PUT", f"/v1/accounts/{account}/limits", body, key=None)
    for proposal in (*both, limits):
        assert told(await end(bank, proposal, "approve")) == (409, "nothing_to_change")


async def test_a_person_lowers_an_overdraft_and_proposes_a_higher_one(bank: Bank) -> None:
    account = await bank.open(overdraft_minor=100)
    path = f"/v1/accounts/{account}/overdraft"
    for minor, answer in ((50, (200, None)), (51, (403, "approval_required"))):
        body = {"overdraft_minor": minor, "reason": "Test"}
        given = await bank.send("PUT", path, body, key=None, caller="clerk")
        assert (given.status_code, given.json().get("code")) == answer
    proposal = await proposed(bank, kind="overdraft-change", account=account, overdraft_minor=80)
    assert told(await end(bank, proposal, "approve")) == (200, "APPROVED")
    assert await bank.figures(account) == (0, 0, 80)
    proposal = await proposed(bank, kind="overdraft-change", account=account, overdraft_minor=5)
    await bank.post(transfer(account, await bank.open(), 70))
    assert told(await end(bank, proposal, "approve")) == (409, "overdraft_in_use")


@pytest.mark.parametrize(
    ("path", "terms"),
    [
        ("/v1/accounts/{account}/limits", {"account": "{account}"}),
        ("/v1/limits", {"currency": "SEK"}),
        ("/v1/limits/kyc/basic", {"currency": "SEK", "kyc_level": "basic"}),
    ],
)
async def test_a_person_proposes_limits(bank: Bank, path: str, terms: dict[str, str]) -> None:
    account = await bank.open()
    path = path.format(account=account)
    terms = {name: text.format(account=account) for name, text in terms.items()}
    body: dict[str, Any] = {"daily_count": 3, "payment_max_minor": 900, "reason": "Test"}
    currency = {} if "account" in terms else {"currency": "SEK"}
    asked = await bank.send("PUT", path, body | currency, key=None, caller="clerk")
    assert told(asked) == (403, "approval_required")
    proposal = await proposed(bank, kind="limit-change", **terms, daily_count=3, payment_max_minor=900)
    assert told(await end(bank, proposal, "approve")) == (200, "APPROVED")
    history = await bank.send("GET", f"{path}/changes", key=None)
    newest = history.json()["items"][0]
    assert (newest["daily_count"], newest["payment_max_minor"], newest["monthly_count"]) == (3, 900, None)
    assert (newest["author"], newest["proposal_id"]) == (PEOPLE["maker"], proposal)


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "kind", "missing"),
        ({"kind": "gift"}, "kind", "not_a_choice"),
        (adjustment("a", 0), "amount_minor", "too_small"),
        (adjustment("a", direction="up"), "direction", "not_a_choice"),
        (adjustment("a", currency="XXQ"), "currency", "unknown_currency"),
        (adjustment("a", status="APPROVED"), "status", "unknown_field"),
        (adjustment("a", expires_in_s=7 * 86400 + 1), "expires_in_s", "too_large"),
        (adjustment("a", expires_in_s=0), "expires_in_s", "too_small"),
        (adjustment("a", reason=""), "reason", "too_short"),
        ({"kind": "unfreezing", "account": "a", "state": "CLOSED"}, "state", "not_a_choice"),
        ({"kind": "limit-change", "account": "a", "currency": "CZK"}, "", "only_one_of"),
        ({"kind": "limit-change"}, "", "only_one_of"),
        (
            {"kind": "limit-change", "account": "a", "payment_min_minor": 5, "payment_max_minor": 4},
            "payment_max_minor",
            "below_minimum",
        ),
        ({"kind": "overdraft-change", "account": "a", "overdraft_minor": -1}, "overdraft_minor", "too_small"),
    ],
)
async def test_a_bad_proposal_is_refused_at_its_field(
    bank: Bank, body: dict[str, Any], field: str, code: str
) -> None:
    answer = await propose(bank, **body)
    assert answer.status_code == 422, answer.text
    [fault] = answer.json()["errors"]
    assert (fault["field"], fault["code"]) == (field or "body", code)


async def test_what_can_never_be_done_is_not_proposed(bank: Bank) -> None:
    account, closed = await bank.open(balance=1), await bank.open()
    await bank.set_state(closed, "CLOSED")
    for body, expected in (
        (adjustment("nobodys"), (404, "not_found")),
        (adjustment(account, currency="EUR"), (409, "currency_mismatch")),
        (adjustment(closed), (409, "account_closed")),
        (adjustment("system:opening-balances:CZK"), (409, "system_account")),
        ({"kind": "unfreezing", "account": account, "state": "CLOSING"}, (201, "OPEN")),
    ):
        assert told(await propose(bank, **body)) == expected
    answer = await propose(bank, "proposing-system", kind="unfreezing", account="x" * 65)
    assert answer.status_code == 422
