"""A request by each route that is told whose doing it is, and what it is to leave in the audit log."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from account_service.domain.limits import Limit
from account_service.domain.naming import wallet_reference
from service_kit.audit.masking import MASK, MASK_CHANGED

from .bank import Bank, name, terms
from .people import person, register
from .proposing import adjustment, proposed
from .test_collections import owing

NO_LIMITS: dict[str, Any] = {limit.value: None for limit in Limit}


@dataclass
class Done:
    """One request, and what it is to leave: `fields` of its first entry."""

    path: str
    body: Any = None
    action: str = ""
    subject: str = ""
    fields: Mapping[str, Any] | None = None
    caller: str = "cashier"


Prepare = Callable[[Bank], Awaitable[Done]]
DEEDS: dict[tuple[str, str], Prepare] = {}


def deed(method: str, path: str) -> Callable[[Prepare], Prepare]:
    """What is done by this route."""

    def keep(prepare: Prepare) -> Prepare:
        DEEDS[method, path] = prepare
        return prepare

    return keep


@deed("POST", "/v1/accounts")
async def opening(_bank: Bank) -> Done:
    asked = terms(overdraft_minor=7, opening_balance_minor=9)
    after = {"holder": MASK, "currency": "CZK", "overdraft_minor": 7, "opening_balance_minor": 9}
    return Done("/v1/accounts", asked, "account.opened", asked["account"], {"before": None, "after": after})


@deed("POST", "/v1/accounts/batches")
async def opening_many(_bank: Bank) -> Done:
    asked = [terms(), terms()]
    return Done("/v1/accounts/batches", {"accounts": asked}, "account.opened", asked[0]["account"])


@deed("POST", "/v1/accounts/{account}/state")
async def freezing(bank: Bank) -> Done:
    account = await bank.open()
    body = {"state": "FROZEN", "reason": "Asked for"}
    told = {"before": {"state": "ACTIVE"}, "after": {"state": "FROZEN"}, "reason": "Asked for"}
    return Done(f"/v1/accounts/{account}/state", body, "account.state-changed", account, told)


@deed("PUT", "/v1/accounts/{account}/overdraft")
async def changing_an_overdraft(bank: Bank) -> Done:
    account = await bank.open(overdraft_minor=1)
    body = {"overdraft_minor": 2, "reason": "Asked for"}
    told = {"before": {"overdraft_minor": 1}, "after": {"overdraft_minor": 2}, "reason": "Asked for"}
    return Done(f"/v1/accounts/{account}/overdraft", body, "account.overdraft-changed", account, told)


@deed("PUT", "/v1/accounts/{account}/time-zone")
async def moving(bank: Bank) -> Done:
    account = await bank.open()
    body = {"time_zone": "Europe/Prague", "reason": "Moved"}
    told = {"before": {"time_zone": "UTC"}, "after": {"time_zone": "Europe/Prague"}, "reason": "Moved"}
    path = f"/v1/accounts/{account}/time-zone"
    return Done(path, body, "account.time-zone-changed", account, told, caller="bank")


@deed("PUT", "/v1/accounts/{account}/limits")
async def limiting_an_account(bank: Bank) -> Done:
    account = await bank.open()
    path = f"/v1/accounts/{account}/limits"
    assert (await bank.send("PUT", path, {"daily_count": 1, "reason": "First"}, key=None)).is_success
    standing = NO_LIMITS | {"currency": "CZK"}
    told = {
        "subject_type": "account",
        "before": standing | {"daily_count": 1},
        "after": standing | {"daily_sum": 5},
        "reason": "Then",
    }
    return Done(path, {"daily_sum_minor": 5, "reason": "Then"}, "limits.set", account, told, caller="bank")


@deed("PUT", "/v1/limits")
async def limiting_all(_bank: Bank) -> Done:
    body = {"currency": "SEK", "daily_count": 3, "reason": "Policy"}
    told = {"subject_type": "client", "before": None}
    return Done("/v1/limits", body, "limits.set", "bank", told, caller="bank")


@deed("PUT", "/v1/limits/kyc/{level}")
async def limiting_a_level(_bank: Bank) -> Done:
    body = {"currency": "SEK", "daily_count": 3, "reason": "Policy"}
    told = {"subject_type": "kyc-level"}
    return Done("/v1/limits/kyc/basic", body, "limits.set", "basic", told, caller="bank")


@deed("PUT", "/v1/reversal-policy")
async def setting_the_policy(bank: Bank) -> Done:
    path = "/v1/reversal-policy"
    for policy in ("receivable", "refuse"):
        await bank.send("PUT", path, {"policy": policy, "reason": "First"}, key=None, caller="cashier")
    told = {"before": {"policy": "refuse"}, "after": {"policy": "receivable"}, "reason": "Then"}
    return Done(path, {"policy": "receivable", "reason": "Then"}, "reversal-policy.set", "bank", told)


@deed("POST", "/v1/settlement-accounts")
async def opening_a_settlement_account(_bank: Bank) -> Done:
    till = name("till")
    body = {"name": till, "currency": "CZK"}
    subject = f"system:settlement:{till}:CZK"
    return Done("/v1/settlement-accounts", body, "settlement-account.opened", subject)


@deed("POST", "/v1/accounts/{account}/deposits")
async def paying_in(bank: Bank) -> Done:
    account = await bank.open()
    body = {"amount_minor": 5, "currency": "CZK"}
    return Done(f"/v1/accounts/{account}/deposits", body, "deposit.made", account)


@deed("POST", "/v1/accounts/{account}/withdrawals")
async def paying_out(bank: Bank) -> Done:
    account = await bank.open(balance=5)
    body = {"amount_minor": 5, "currency": "CZK"}
    return Done(f"/v1/accounts/{account}/withdrawals", body, "withdrawal.made", account)


@deed("POST", "/v1/accounts/{account}/receivable-collections")
async def collecting(bank: Bank) -> Done:
    account = await owing(bank, 10, balance=10)
    path = f"/v1/accounts/{account}/receivable-collections"
    told = {"reason": "Agreed"}
    return Done(path, {"amount_minor": 5, "reason": "Agreed"}, "receivable.collected", account, told)


@deed("POST", "/v1/customers")
async def registering(_bank: Bank) -> Done:
    masked = {"after": {"name": MASK, "mobile": MASK, "email": MASK}}
    return Done("/v1/customers", person(), "customer.registered", "", masked)


@deed("PATCH", "/v1/customers/{customer_id}")
async def renaming(bank: Bank) -> Done:
    customer = (await register(bank))["id"]
    masked = {
        "before": {"name": MASK, "mobile": MASK, "email": MASK},
        "after": {"name": MASK_CHANGED, "mobile": MASK, "email": MASK},
    }
    return Done(f"/v1/customers/{customer}", {"name": "Eva Nová"}, "customer.changed", customer, masked)


@deed("POST", "/v1/customers/{customer_id}/accounts")
async def opening_a_wallet(bank: Bank) -> Done:
    customer = (await register(bank))["id"]
    path = f"/v1/customers/{customer}/accounts"
    wallet = wallet_reference(UUID(customer), "EUR")
    return Done(path, {"currency": "EUR"}, "account.opened", wallet)


@deed("POST", "/v1/customers/{customer_id}/kyc")
async def asking_for_a_level(bank: Bank) -> Done:
    customer = (await register(bank))["id"]
    told = {
        "before": {"level": "none", "state": "new", "requested_level": None},
        "after": {"level": "none", "state": "submitted", "requested_level": "basic"},
        "reason": None,
    }
    body = {"level": "basic", "reason": "Has a passport"}
    return Done(f"/v1/customers/{customer}/kyc", body, "kyc.submitted", customer, told)


@deed("POST", "/v1/customers/{customer_id}/kyc/decision")
async def deciding_on_a_level(bank: Bank) -> Done:
    customer = (await register(bank))["id"]
    await bank.send("POST", f"/v1/customers/{customer}/kyc", {"level": "basic"}, key=None)
    body = {"decision": "approve", "level": "basic", "reason": "Passport 1234 seen"}
    told = {"reason": None, "actor": "client:bank"}
    path = f"/v1/customers/{customer}/kyc/decision"
    return Done(path, body, "kyc.approved", customer, told, caller="bank")


@deed("GET", "/v1/customers")
async def looking_for_a_customer(bank: Bank) -> Done:
    known = await register(bank)
    masked = {"after": {"mobile": None, "email": MASK, "customers": [known["id"]]}}
    return Done(f"/v1/customers?email={known['email']}", None, "customers.listed", "bank", masked)


@deed("GET", "/v1/customers/{customer_id}")
async def opening_a_customer(bank: Bank) -> Done:
    customer = (await register(bank))["id"]
    return Done(f"/v1/customers/{customer}", None, "customer.read", customer)


@deed("GET", "/v1/customers/{customer_id}/accounts")
async def opening_their_accounts(bank: Bank) -> Done:
    customer = (await register(bank))["id"]
    return Done(f"/v1/customers/{customer}/accounts", None, "customer.accounts-read", customer)


@deed("GET", "/v1/customers/{customer_id}/entries")
async def opening_their_entries(bank: Bank) -> Done:
    customer = (await register(bank))["id"]
    return Done(f"/v1/customers/{customer}/entries", None, "customer.entries-read", customer)


@deed("GET", "/v1/customers/{customer_id}/kyc-events")
async def opening_their_history(bank: Bank) -> Done:
    customer = (await register(bank))["id"]
    return Done(f"/v1/customers/{customer}/kyc-events", None, "customer.kyc-read", customer)


async def _proposed(bank: Bank, caller: str) -> str:
    return await proposed(bank, caller, **adjustment(await bank.open(), 7))


@deed("POST", "/v1/proposals")
async def proposing(bank: Bank) -> Done:
    body = {"reason": "Ticket 12"} | adjustment(await bank.open(), 7)
    told = {"subject_type": "proposal", "before": None, "reason": "Ticket 12"}
    return Done("/v1/proposals", body, "proposal.made", "", told, caller="proposing-system")


@deed("POST", "/v1/proposals/{proposal_id}/approval")
async def approving(bank: Bank) -> Done:
    proposal = await _proposed(bank, "maker")
    path, body = f"/v1/proposals/{proposal}/approval", {"reason": "Looked"}
    return Done(path, body, "proposal.approved", proposal, {"reason": "Looked"}, caller="deciding-system")


@deed("POST", "/v1/proposals/{proposal_id}/rejection")
async def rejecting(bank: Bank) -> Done:
    proposal = await _proposed(bank, "maker")
    path, body = f"/v1/proposals/{proposal}/rejection", {"reason": "Looked"}
    return Done(path, body, "proposal.rejected", proposal, {"reason": "Looked"}, caller="deciding-system")


@deed("POST", "/v1/proposals/{proposal_id}/withdrawal")
async def withdrawing_a_proposal(bank: Bank) -> Done:
    proposal = await _proposed(bank, "proposing-system")
    path, body = f"/v1/proposals/{proposal}/withdrawal", {"reason": "Mistaken"}
    return Done(path, body, "proposal.withdrawn", proposal, None, caller="proposing-system")


@deed("GET", "/v1/audit")
async def auditing(_bank: Bank) -> Done:
    return Done("/v1/audit?action=audit.read", None, "audit.read", "bank", caller="auditor")
