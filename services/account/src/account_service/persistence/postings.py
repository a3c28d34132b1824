"""The ledger: what a payment was answered before, and one statement that writes a batch of postings."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from messaging.statement import Statement
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.account import Account
from account_service.domain.decision import Completed, Recorded
from account_service.domain.posting import Posting, PostingKind, PostingRequest
from account_service.domain.rules import DeclineCode, Declined

_RECORDED = Statement(
    """
    SELECT p.payment_id, p.client_id, p.kind, d.reference AS debtor, c.reference AS creditor,
           credit.amount_minor, credit.currency, p.reverses, p.id AS posting_id, p.posted_at,
           NULL AS code, NULL AS field
    FROM postings p
    JOIN entries debit ON debit.posting_id = p.id AND debit.leg = 1
    JOIN entries credit ON credit.posting_id = p.id AND credit.leg = 2
    JOIN accounts d ON d.id = debit.account_id
    JOIN accounts c ON c.id = credit.account_id
    WHERE p.payment_id = ANY(CAST(:payment_ids AS uuid[]))
    UNION ALL
    SELECT payment_id, client_id, kind, debtor, creditor, amount_minor, currency, reverses, NULL, NULL,
           code, field
    FROM posting_declines
    WHERE payment_id = ANY(CAST(:payment_ids AS uuid[]))
    """
)
# Postings, entries and balances in one statement: one round trip, and nothing can come between them.
_RECORD = Statement(
    """
    WITH written AS (
        INSERT INTO postings (id, client_id, kind, payment_id, reverses, reference, description, posted_at)
        SELECT n.*, CAST(:at AS timestamptz)
        FROM unnest(CAST(:ids AS uuid[]), CAST(:client_ids AS text[]),
            CAST(:kinds AS text[]), CAST(:payment_ids AS uuid[]), CAST(:reverses AS uuid[]),
            CAST(:references AS text[]), CAST(:descriptions AS text[])) AS n
    ), legs AS (
        INSERT INTO entries (posting_id, leg, account_id, entry_number, amount_minor, balance_after_minor,
            currency, posted_at)
        SELECT n.*, CAST(:at AS timestamptz)
        FROM unnest(CAST(:posting_ids AS uuid[]), CAST(:legs AS smallint[]),
            CAST(:account_ids AS bigint[]), CAST(:entry_numbers AS bigint[]), CAST(:amounts AS bigint[]),
            CAST(:balances_after AS bigint[]), CAST(:currencies AS text[])) AS n
    )
    UPDATE accounts SET posted_minor = n.posted_minor, version = n.version,
        updated_at = CAST(:at AS timestamptz)
    FROM unnest(CAST(:changed_ids AS bigint[]), CAST(:posted AS bigint[]), CAST(:versions AS bigint[]))
        AS n (id, posted_minor, version)
    WHERE accounts.id = n.id
    """
)
_RECORD_DECLINES = Statement(
    """
    INSERT INTO posting_declines (payment_id, client_id, kind, debtor, creditor, amount_minor, currency,
        reverses, code, field, declined_at)
    SELECT n.*, CAST(:at AS timestamptz)
        FROM unnest(CAST(:payment_ids AS uuid[]), CAST(:client_ids AS text[]),
        CAST(:kinds AS text[]), CAST(:debtors AS text[]), CAST(:creditors AS text[]),
        CAST(:amounts AS bigint[]), CAST(:currencies AS text[]), CAST(:reverses AS uuid[]),
        CAST(:codes AS text[]), CAST(:fields AS text[])) AS n
    """
)


async def load_recorded(connection: AsyncConnection, payment_ids: Iterable[UUID]) -> list[Recorded]:
    """What those of the payments that have been answered were asked and answered."""
    rows = await _RECORDED.rows(connection, {"payment_ids": list(payment_ids)})
    return [_recorded(row) for row in rows]


async def record_postings(
    connection: AsyncConnection, postings: Sequence[Posting], changed: Sequence[Account], *, at: datetime
) -> None:
    """Write the postings with their entries and set the balances of the accounts, which must be locked."""
    if not postings:
        return
    requests = [posting.request for posting in postings]
    entries = [entry for posting in postings for entry in posting.entries]
    parameters = {
        "at": at,
        "ids": [posting.id for posting in postings],
        "client_ids": [request.client_id for request in requests],
        "kinds": [request.kind.value for request in requests],
        "payment_ids": [request.payment_id for request in requests],
        "reverses": [request.reverses for request in requests],
        "references": [request.reference for request in requests],
        "descriptions": [request.description for request in requests],
        "posting_ids": [entry.posting_id for entry in entries],
        "legs": [entry.leg for entry in entries],
        "account_ids": [entry.account_id for entry in entries],
        "entry_numbers": [entry.entry_number for entry in entries],
        "amounts": [entry.amount_minor for entry in entries],
        "balances_after": [entry.balance_after_minor for entry in entries],
        "currencies": [entry.currency for entry in entries],
        "changed_ids": [account.id for account in changed],
        "posted": [account.posted_minor for account in changed],
        "versions": [account.version for account in changed],
    }
    written = await _RECORD.run(connection, parameters)
    assert written == len(changed), "every account that moved is written"


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
    }
    await _RECORD_DECLINES.run(connection, parameters)


def _recorded(row: Sequence[Any]) -> Recorded:
    payment_id, client_id, kind, debtor, creditor, amount_minor, currency, reverses, *answer = row
    posting_id, posted_at, code, field = answer
    request = PostingRequest(
        kind=PostingKind(kind),
        client_id=client_id,
        debtor=debtor,
        creditor=creditor,
        amount_minor=amount_minor,
        currency=currency,
        payment_id=payment_id,
        reverses=reverses,
    )
    if code is None:
        return Recorded(request, Completed(posting_id, posted_at))
    return Recorded(request, Declined(DeclineCode(code), field))
