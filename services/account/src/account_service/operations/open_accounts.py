"""Open accounts: any number at once, an outcome each; an opening balance is a real posting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from service_kit.vault import Vault
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import AccountKind
from account_service.domain.naming import SystemPurpose, system_reference
from account_service.domain.opening import OpeningRefused, OpeningTerms, account_exists, that_do_not_fit
from account_service.domain.outcome import Completed
from account_service.domain.posting import PostingKind, PostingRequest
from account_service.operations.post_batch import post_batch
from account_service.operations.system_accounts import ensure_system_accounts, opening_changes
from account_service.persistence import accounts
from account_service.persistence.accounts import NewAccount, OpenedAccount
from account_service.persistence.holders import insert_holders
from account_service.persistence.state_changes import record_state_changes


@dataclass(frozen=True, slots=True)
class Opening:
    """An account is open on these terms: since just now, or (`replayed`) since an earlier request."""

    terms: OpeningTerms
    opened_at: datetime
    replayed: bool


OpeningOutcome = Opening | OpeningRefused


async def open_accounts(
    connection: AsyncConnection,
    client_id: str,
    asked: Sequence[OpeningTerms],
    *,
    origin: Origin,
    vault: Vault,
    clock: Clock,
    new_id: Callable[[], UUID],
) -> list[OpeningOutcome]:
    """Open what can be opened; one outcome for each of `asked`, in order.

    A reference that is open on the same terms is answered as opened before; on other terms it is refused.
    Locks in the order system accounts, then new accounts by reference: see `post_batch` for why order counts.
    """
    first: dict[str, OpeningTerms] = {}
    for terms in asked:
        first.setdefault(terms.account, terms)
    at = clock.now()
    known = await accounts.load_opened(connection, [(client_id, reference) for reference in first])
    outcomes = {key[1]: _already_open(vault, first[key[1]], opened) for key, opened in known.items()}
    fresh = [terms for terms in first.values() if terms.account not in outcomes]
    unfit = await _beyond_the_source(connection, client_id, fresh, at)
    outcomes |= {reference: _source_exhausted() for reference in unfit}
    fresh = [terms for terms in fresh if terms.account not in unfit]
    opened_now = await _insert(connection, vault, client_id, fresh, origin, at) if fresh else {}
    await _post_opening_balances(
        connection, client_id, [terms for terms in fresh if terms.account in opened_now], clock, new_id
    )
    outcomes |= {reference: Opening(first[reference], at, replayed=False) for reference in opened_now}
    late = [(client_id, terms.account) for terms in fresh if terms.account not in opened_now]
    if late:  # Another request opened them between our look and our insert.
        overtaken = await accounts.load_opened(connection, late)
        outcomes |= {key[1]: _already_open(vault, first[key[1]], opened) for key, opened in overtaken.items()}
    return _in_order(asked, first, outcomes)


def _source_exhausted() -> OpeningRefused:
    return OpeningRefused(
        "balance_limit_exceeded",
        ("opening_balance_minor",),
        "all opening balances of this currency together would pass the largest balance there can be",
    )


async def _beyond_the_source(
    connection: AsyncConnection, client_id: str, fresh: Sequence[OpeningTerms], at: datetime
) -> set[str]:
    currencies = {terms.currency for terms in fresh if terms.opening_balance_minor > 0}
    if not currencies:
        return set()
    await ensure_system_accounts(connection, client_id, SystemPurpose.OPENING_BALANCES, currencies, at=at)
    keys = [(client_id, system_reference(SystemPurpose.OPENING_BALANCES, one)) for one in currencies]
    sources = {account.currency: account for account in await accounts.lock_accounts(connection, keys)}
    return that_do_not_fit(fresh, sources)


async def _insert(
    connection: AsyncConnection,
    vault: Vault,
    client_id: str,
    fresh: Sequence[OpeningTerms],
    origin: Origin,
    at: datetime,
) -> set[str]:
    opened = await accounts.insert_accounts(
        connection, [_new_account(client_id, terms) for terms in fresh], at=at
    )
    held = [(opened[key], terms.holder) for terms in fresh if (key := (client_id, terms.account)) in opened]
    holders = {account_id: holder for account_id, holder in held if holder is not None}
    await insert_holders(connection, vault, holders)
    await record_state_changes(connection, opening_changes(opened.values(), origin.actor, at))
    entries = [_entry(terms) for terms in fresh if (client_id, terms.account) in opened]
    await record(connection, origin, *entries, at=at)
    return {reference for _, reference in opened}


def _entry(terms: OpeningTerms) -> Entry:
    facts = {name: value for name, value in asdict(terms).items() if name != "account"}
    return Entry(action="account.opened", subject_type="account", subject=terms.account, after=facts)


async def _post_opening_balances(
    connection: AsyncConnection,
    client_id: str,
    opened: Sequence[OpeningTerms],
    clock: Clock,
    new_id: Callable[[], UUID],
) -> None:
    requests = [
        PostingRequest(
            kind=PostingKind.OPENING_BALANCE,
            client_id=client_id,
            debtor=system_reference(SystemPurpose.OPENING_BALANCES, terms.currency),
            creditor=terms.account,
            amount_minor=terms.opening_balance_minor,
            currency=terms.currency,
        )
        for terms in opened
        if terms.opening_balance_minor > 0
    ]
    if requests:
        outcomes = await post_batch(connection, requests, clock=clock, new_id=new_id)
        assert all(isinstance(outcome, Completed) for outcome in outcomes), "the source was locked and asked"


def _new_account(client_id: str, terms: OpeningTerms) -> NewAccount:
    return NewAccount(
        client_id=client_id,
        reference=terms.account,
        holder=None,  # sealed, once the account has its id
        currency=terms.currency,
        kind=AccountKind.CUSTOMER,
        overdraft_minor=terms.overdraft_minor,
    )


def _already_open(vault: Vault, asked: OpeningTerms, opened: OpenedAccount) -> OpeningOutcome:
    account = opened.record.account
    standing = OpeningTerms(
        account=account.reference,
        holder=vault.reveal(opened.record.holder),
        currency=account.currency,
        overdraft_minor=opened.opening_overdraft_minor,
        opening_balance_minor=opened.opening_balance_minor,
    )
    differing = asked.differing(standing)
    return account_exists(differing) if differing else Opening(asked, opened.record.opened_at, replayed=True)


def _in_order(
    asked: Sequence[OpeningTerms],
    first: Mapping[str, OpeningTerms],
    outcomes: Mapping[str, OpeningOutcome],
) -> list[OpeningOutcome]:
    """An outcome each; the second mention of a reference is a replay of the first, or differs."""
    told: list[OpeningOutcome] = []
    for terms in asked:
        outcome = outcomes[terms.account]
        if terms is not first[terms.account]:
            differing = terms.differing(first[terms.account])
            if differing:
                outcome = account_exists(differing)
            elif isinstance(outcome, Opening):
                outcome = Opening(terms, outcome.opened_at, replayed=True)
        told.append(outcome)
    return told
