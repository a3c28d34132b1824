"""The ledger: what a payment was answered before, and one statement that writes what a batch comes to."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from messaging.statement import Statement
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import Account
from account_service.domain.decision import Decision, Recorded
from account_service.domain.hold import Hold
from account_service.domain.outcome import Completed, Held
from account_service.domain.posting import Posting, PostingKind, PostingRequest
from account_service.domain.rules import DeclineCode, Declined
from account_service.persistence.terms import read_terms, write_conditions, write_terms

_RECORDED = Statement(
    """
    SELECT p.payment_id, p.client_id, p.kind, coalesce(o.reference, d.reference) AS debtor,
           c.reference AS creditor, credit.amount_minor, credit.currency, p.reverses,
           CAST(p.terms AS text) AS terms, p.id AS posting_id, p.posted_at,
           NULL AS code, NULL AS field, NULL AS figures
    FROM postings p
    JOIN entries debit ON debit.posting_id = p.id AND debit.leg = 1
    JOIN entries credit ON credit.posting_id = p.id AND credit.leg = 2
    JOIN accounts d ON d.id = debit.account_id
    JOIN accounts c ON c.id = credit.account_id
    LEFT JOIN accounts o ON o.id = p.owed_by
    WHERE p.payment_id = ANY(CAST(:payment_ids AS uuid[]))
    UNION ALL
    SELECT h.payment_id, h.client_id, 'hold', a.reference, h.creditor, h.amount_minor, h.currency, NULL,
           CAST(jsonb_build_object('conditions', h.conditions, 'hold', jsonb_build_object(
               'expires_at', h.expires_at, 'captured_many_times', h.captured_many_times,
               'tolerance_minor', h.tolerance_minor)) AS text),
           NULL, h.placed_at, NULL, NULL, NULL
    FROM holds h JOIN accounts a ON a.id = h.account_id
    WHERE h.payment_id = ANY(CAST(:payment_ids AS uuid[]))
    UNION ALL
    SELECT payment_id, client_id, kind, debtor, creditor, amount_minor, currency, reverses,
           CAST(terms AS text), NULL, NULL, code, field, CAST(figures AS text)
    FROM posting_declines
    WHERE payment_id = ANY(CAST(:payment_ids AS uuid[]))
    """
)
# Postings, entries and balances in one statement: one round trip, and nothing can come between them.
_LEGS = """
        INSERT INTO entries (posting_id, leg, account_id, entry_number, amount_minor, balance_after_minor,
            currency, posted_at)
        SELECT n.*, CAST(:at AS timestamptz)
        FROM unnest(CAST(:posting_ids AS uuid[]), CAST(:legs AS smallint[]),
            CAST(:account_ids AS bigint[]), CAST(:entry_numbers AS bigint[]), CAST(:amounts AS bigint[]),
            CAST(:balances_after AS bigint[]), CAST(:currencies AS text[])) AS n
"""
_RECORD = Statement(
    f"""
    WITH written AS (
        INSERT INTO postings (id, client_id, kind, payment_id, reverses, reference, description, posted_at)
        SELECT n.*, CAST(:at AS timestamptz)
        FROM unnest(CAST(:ids AS uuid[]), CAST(:client_ids AS text[]),
            CAST(:kinds AS text[]), CAST(:payment_ids AS uuid[]), CAST(:reverses AS uuid[]),
            CAST(:references AS text[]), CAST(:descriptions AS text[])) AS n
    ), legs AS ({_LEGS})
    UPDATE accounts SET posted_minor = n.posted_minor, version = n.version,
        updated_at = CAST(:at AS timestamptz)
    FROM unnest(CAST(:changed_ids AS bigint[]), CAST(:posted AS bigint[]), CAST(:versions AS bigint[]))
        AS n (id, posted_minor, version)
    WHERE accounts.id = n.id
    """  # noqa: S608
)
# The same for batches that hold, capture, release, set conditions, lend or adjust: others do not pay for it.
_RECORD_WITH_TERMS = Statement(
    f"""
    WITH written AS (
        INSERT INTO postings (id, client_id, kind, payment_id, reverses, reference, description, captures,
            owed_by, proposal_id, terms, posted_at)
        SELECT n.id, n.client_id, n.kind, n.payment_id, n.reverses, n.reference, n.description, n.captures,
            n.owed_by, n.proposal_id, CAST(n.terms AS jsonb), CAST(:at AS timestamptz)
        FROM unnest(CAST(:ids AS uuid[]), CAST(:client_ids AS text[]),
            CAST(:kinds AS text[]), CAST(:payment_ids AS uuid[]), CAST(:reverses AS uuid[]),
            CAST(:references AS text[]), CAST(:descriptions AS text[]), CAST(:captures AS uuid[]),
            CAST(:owed_by AS bigint[]), CAST(:proposals AS uuid[]), CAST(:terms AS text[]))
            AS n (id, client_id, kind, payment_id, reverses, reference, description, captures, owed_by,
                proposal_id, terms)
    ), legs AS ({_LEGS}), placed AS (
        INSERT INTO holds (payment_id, client_id, account_id, creditor, amount_minor, currency,
            tolerance_minor, captured_many_times, expires_at, conditions, placed_at, captured_minor, state,
            ended_at, reason, author)
        SELECT n.payment_id, n.client_id, n.account_id, n.creditor, n.amount_minor, n.currency,
            n.tolerance_minor, n.many_times, n.expires_at, CAST(n.conditions AS jsonb),
            CAST(:at AS timestamptz), n.captured_minor, n.state, n.ended_at, n.reason, n.author
        FROM unnest(CAST(:holds AS uuid[]), CAST(:hold_clients AS text[]), CAST(:hold_accounts AS bigint[]),
            CAST(:hold_creditors AS text[]), CAST(:hold_amounts AS bigint[]),
            CAST(:hold_currencies AS text[]), CAST(:hold_tolerances AS bigint[]),
            CAST(:hold_many_times AS boolean[]), CAST(:hold_expiries AS timestamptz[]),
            CAST(:hold_conditions AS text[]), CAST(:hold_captured AS bigint[]),
            CAST(:hold_states AS text[]), CAST(:hold_ended AS timestamptz[]), CAST(:hold_reasons AS text[]),
            CAST(:hold_authors AS text[]))
            AS n (payment_id, client_id, account_id, creditor, amount_minor, currency, tolerance_minor,
                many_times, expires_at, conditions, captured_minor, state, ended_at, reason, author)
    ), resolved AS (
        UPDATE holds SET captured_minor = n.captured_minor, state = n.state, ended_at = n.ended_at,
            reason = n.reason, author = n.author
        FROM unnest(CAST(:standing AS uuid[]), CAST(:now_captured AS bigint[]), CAST(:now_states AS text[]),
            CAST(:now_ended AS timestamptz[]), CAST(:now_reasons AS text[]), CAST(:now_authors AS text[]))
            AS n (payment_id, captured_minor, state, ended_at, reason, author)
        WHERE holds.payment_id = n.payment_id
    )
    UPDATE accounts SET posted_minor = n.posted_minor, held_minor = n.held_minor, version = n.version,
        updated_at = CAST(:at AS timestamptz)
    FROM unnest(CAST(:changed_ids AS bigint[]), CAST(:posted AS bigint[]), CAST(:held AS bigint[]),
        CAST(:versions AS bigint[])) AS n (id, posted_minor, held_minor, version)
    WHERE accounts.id = n.id
    """  # noqa: S608
)
_RECORD_DECLINES = Statement(
    """
    INSERT INTO posting_declines (payment_id, client_id, kind, debtor, creditor, amount_minor, currency,
        reverses, code, field, terms, figures, declined_at)
    SELECT n.payment_id, n.client_id, n.kind, n.debtor, n.creditor, n.amount_minor, n.currency, n.reverses,
        n.code, n.field, CAST(n.terms AS jsonb), CAST(n.figures AS jsonb), CAST(:at AS timestamptz)
    FROM unnest(CAST(:payment_ids AS uuid[]), CAST(:client_ids AS text[]),
        CAST(:kinds AS text[]), CAST(:debtors AS text[]), CAST(:creditors AS text[]),
        CAST(:amounts AS bigint[]), CAST(:currencies AS text[]), CAST(:reverses AS uuid[]),
        CAST(:codes AS text[]), CAST(:fields AS text[]), CAST(:terms AS text[]), CAST(:figures AS text[]))
        AS n (payment_id, client_id, kind, debtor, creditor, amount_minor, currency, reverses, code, field,
            terms, figures)
    """
)


async def load_recorded(connection: AsyncConnection, payment_ids: Iterable[UUID]) -> list[Recorded]:
    """What those of the payments that have been answered were asked and answered."""
    rows = await _RECORDED.rows(connection, {"payment_ids": list(payment_ids)})
    return [_recorded(row) for row in rows]


async def record_decision(connection: AsyncConnection, decision: Decision, *, at: datetime) -> None:
    """Write the postings with their entries, the holds, and the balances of the accounts, which must be
    locked."""
    if not decision.accounts:
        assert not decision.postings, "a posting moves accounts"
        assert not decision.placed, "a hold holds an account's money"
        return
    postings, changed = decision.postings, decision.accounts
    parameters = {"at": at} | _of_postings(postings) | _of_entries(postings) | _of_accounts(changed)
    beyond = any(
        posting.request.conditions or posting.owed_by is not None or posting.request.proposal_id is not None
        for posting in postings
    )
    if decision.placed or decision.changed or beyond:
        parameters |= _of_terms(postings) | _of_placed(decision.placed) | _of_changed(decision.changed)
        parameters["held"] = [account.held_minor for account in changed]
        written = await _RECORD_WITH_TERMS.run(connection, parameters)
    else:
        written = await _RECORD.run(connection, parameters)
    assert written == len(changed), "every account that changed is written"


async def record_declines(
    connection: AsyncConnection, declines: Sequence[tuple[PostingRequest, Declined]], *, at: datetime
) -> None:
    """Write why payments were declined, so that asking again is answered the same."""
    if not declines:
        return
    requests = [request for request, _ in declines]
    parameters = {
        "at": at,
        "payment_ids": [request.payment_id for request in requests],
        "client_ids": [request.client_id for request in requests],
        "kinds": [request.kind.value for request in requests],
        "debtors": [request.debtor for request in requests],
        "creditors": [request.creditor for request in requests],
        "amounts": [request.amount_minor for request in requests],
        "currencies": [request.currency for request in requests],
        "reverses": [request.reverses for request in requests],
        "codes": [declined.code.value for _, declined in declines],
        "fields": [declined.field for _, declined in declines],
        "terms": [write_terms(request) for request in requests],
        "figures": [
            None if declined.figures is None else orjson.dumps(dict(declined.figures)).decode()
            for _, declined in declines
        ],
    }
    await _RECORD_DECLINES.run(connection, parameters)


def _of_postings(postings: Sequence[Posting]) -> dict[str, Any]:
    requests = [posting.request for posting in postings]
    return {
        "ids": [posting.id for posting in postings],
        "client_ids": [request.client_id for request in requests],
        "kinds": [request.kind.value for request in requests],
        "payment_ids": [request.payment_id for request in requests],
        "reverses": [request.reverses for request in requests],
        "references": [request.reference for request in requests],
        "descriptions": [request.description for request in requests],
    }


def _of_entries(postings: Sequence[Posting]) -> dict[str, Any]:
    entries = [entry for posting in postings for entry in posting.entries]
    return {
        "posting_ids": [entry.posting_id for entry in entries],
        "legs": [entry.leg for entry in entries],
        "account_ids": [entry.account_id for entry in entries],
        "entry_numbers": [entry.entry_number for entry in entries],
        "amounts": [entry.amount_minor for entry in entries],
        "balances_after": [entry.balance_after_minor for entry in entries],
        "currencies": [entry.currency for entry in entries],
    }


def _of_accounts(changed: Sequence[Account]) -> dict[str, Any]:
    return {
        "changed_ids": [account.id for account in changed],
        "posted": [account.posted_minor for account in changed],
        "versions": [account.version for account in changed],
    }


def _of_terms(postings: Sequence[Posting]) -> dict[str, Any]:
    captures = [posting.request.capture for posting in postings]
    return {
        "captures": [None if capture is None else capture.of for capture in captures],
        "owed_by": [posting.owed_by for posting in postings],
        "proposals": [posting.request.proposal_id for posting in postings],
        "terms": [write_terms(posting.request) for posting in postings],
    }


def _of_placed(holds: Sequence[Hold]) -> dict[str, Any]:
    return {
        "holds": [hold.payment_id for hold in holds],
        "hold_clients": [hold.client_id for hold in holds],
        "hold_accounts": [hold.account_id for hold in holds],
        "hold_creditors": [hold.creditor for hold in holds],
        "hold_amounts": [hold.amount_minor for hold in holds],
        "hold_currencies": [hold.currency for hold in holds],
        "hold_tolerances": [hold.terms.tolerance_minor for hold in holds],
        "hold_many_times": [hold.terms.captured_many_times for hold in holds],
        "hold_expiries": [hold.terms.expires_at for hold in holds],
        "hold_conditions": [write_conditions(hold.conditions) for hold in holds],
        "hold_captured": [hold.captured_minor for hold in holds],
        "hold_states": [hold.state.value for hold in holds],
        "hold_ended": [None if hold.end is None else hold.end.at for hold in holds],
        "hold_reasons": [None if hold.end is None else hold.end.reason for hold in holds],
        "hold_authors": [None if hold.end is None else hold.end.author for hold in holds],
    }


def _of_changed(holds: Sequence[Hold]) -> dict[str, Any]:
    return {
        "standing": [hold.payment_id for hold in holds],
        "now_captured": [hold.captured_minor for hold in holds],
        "now_states": [hold.state.value for hold in holds],
        "now_ended": [None if hold.end is None else hold.end.at for hold in holds],
        "now_reasons": [None if hold.end is None else hold.end.reason for hold in holds],
        "now_authors": [None if hold.end is None else hold.end.author for hold in holds],
    }


def _recorded(row: Sequence[Any]) -> Recorded:
    payment_id, client_id, kind, debtor, creditor, amount_minor, currency, reverses, terms, *answer = row
    posting_id, posted_at, code, field, figures = answer
    request = PostingRequest(
        kind=PostingKind(kind),
        client_id=client_id,
        debtor=debtor,
        creditor=creditor,
        amount_minor=amount_minor,
        currency=currency,
        payment_id=payment_id,
        reverses=reverses,
        **read_terms(terms),
    )
    if code is not None:
        told = None if figures is None else orjson.loads(figures)
        return Recorded(request, Declined(DeclineCode(code), field, told))
    if request.hold is not None:
        return Recorded(request, Held(posted_at, request.hold.expires_at))
    return Recorded(request, Completed(posting_id, posted_at))
