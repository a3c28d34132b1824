"""Between services: what one did is what the other knows, both ways, once."""

from florin.verification.checks import Check, query
from florin.verification.in_flight import AWAITED_SUBJECTS

# ruff: noqa: S608 - what is put into these statements are constants of this module and its neighbours

_REJECTED = "SELECT count(*) FROM transaction.payment_states WHERE status = 'REJECTED'"
# An authorisation's money is moved by its captures, each of which is a payment of its own.
_MOVED = """transaction.payments p JOIN transaction.payment_states s
    ON s.payment_id = p.id AND s.status = 'SETTLED' AND p.capture = 'immediate'"""
_SETTLED = f"SELECT count(*) FROM {_MOVED}"
_POSTED = "SELECT count(*) FROM account.postings WHERE payment_id IS NOT NULL"

REFUSED: tuple[Check, ...] = (
    query(
        4,
        "no payment that was rejected has been posted",
        count=_REJECTED,
        offender="""
            SELECT format('payment %s was rejected (%s), but posting %s moved its money', s.payment_id,
                          s.reason, p.id)
            FROM transaction.payment_states s JOIN account.postings p ON p.payment_id = s.payment_id
            WHERE s.status IN ('REJECTED', 'VOIDED', 'EXPIRED') ORDER BY s.payment_id LIMIT 1
        """,
    ),
    query(
        4,
        "each payment that the ledger declined has no posting, and was rejected for the ledger's reason",
        count="SELECT count(*) FROM account.posting_declines",
        offender=f"""
            SELECT format('payment %s was declined (%s) and yet stands as %s %s', d.payment_id, d.code,
                          coalesce(s.status, 'unknown'), coalesce(s.reason, p.id::text))
            FROM account.posting_declines d
            LEFT JOIN transaction.payment_states s ON s.payment_id = d.payment_id
            LEFT JOIN account.postings p ON p.payment_id = d.payment_id
            WHERE p.id IS NOT NULL
               OR ((s.status IS DISTINCT FROM 'REJECTED' OR s.reason IS DISTINCT FROM d.code)
                   AND d.payment_id::text NOT IN ({AWAITED_SUBJECTS}))
            ORDER BY d.payment_id LIMIT 1
        """,
    ),
    query(
        4,
        "no payment that screening or a person declined has been posted",
        count="SELECT count(*) FROM fraud.decisions WHERE decision <> 'approve'",
        offender="""
            SELECT format('payment %s was posted (%s) although it was told to %s', d.payment_id, p.id,
                          coalesce(r.decision, d.decision))
            FROM fraud.decisions d JOIN account.postings p ON p.payment_id = d.payment_id
            LEFT JOIN fraud.review_resolutions r ON r.payment_id = d.payment_id
            WHERE d.decision = 'decline' OR (d.decision = 'review' AND r.decision IS DISTINCT FROM 'approve')
            ORDER BY d.payment_id LIMIT 1
        """,
    ),
)

ONCE: tuple[Check, ...] = (
    query(
        5,
        "no two payments of a client bear one key",
        count="SELECT count(*) FROM transaction.payments",
        offender="""
            SELECT format('client %s has %s payments under the key %s', client_id, count(*), idempotency_key)
            FROM transaction.payments GROUP BY client_id, idempotency_key HAVING count(*) > 1
            ORDER BY min(id::text) LIMIT 1
        """,
    ),
    query(
        5,
        "the database itself refuses a second one",
        count="SELECT 1",
        offender="""
            SELECT 'transaction.payments has no valid unique index on (client_id, idempotency_key)'
            WHERE NOT EXISTS (
                SELECT FROM pg_index i
                WHERE i.indrelid = 'transaction.payments'::regclass AND i.indisunique AND i.indisvalid
                  AND i.indpred IS NULL AND i.indnkeyatts = 2
                  AND (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a
                       WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey::smallint[]))
                      = ARRAY['client_id', 'idempotency_key'])
        """,
    ),
)

AGREED: tuple[Check, ...] = (
    query(
        6,
        "each settled payment was posted once, between its parties, for its amount",
        count=_SETTLED,
        offender=f"""
            SELECT format('payment %s is settled, and %s', id, fault) FROM (
                SELECT p.id, CASE
                    WHEN l.posting_id IS NULL THEN 'no posting moved its money'
                    WHEN l.times > 1 THEN format('%s postings moved its money', l.times)
                    WHEN l.legs <> 2 AND l.owed_by IS NULL OR l.strays > 0
                        THEN format('its posting %s has %s entries', l.posting_id, l.legs)
                    WHEN (l.debtor, l.creditor) IS DISTINCT FROM (p.debtor, p.creditor)
                        THEN format('posting %s is from %s to %s', l.posting_id, l.debtor, l.creditor)
                    WHEN (l.debit, l.credit, l.currency)
                         IS DISTINCT FROM (-p.amount_minor, p.amount_minor, p.currency)
                        THEN format('posting %s is over %s %s', l.posting_id, l.credit, l.currency)
                    WHEN (l.client_id, l.kind) <> (p.client_id, p.kind)
                         OR l.reverses IS DISTINCT FROM p.reverses
                        THEN format('posting %s is of another client or kind', l.posting_id)
                    END AS fault
                FROM {_MOVED}
                LEFT JOIN (
                    SELECT q.payment_id, min(q.id::text) AS posting_id, count(DISTINCT q.id) AS times,
                           count(*) AS legs, min(q.client_id) AS client_id, min(q.kind) AS kind,
                           min(q.reverses::text)::uuid AS reverses, min(e.currency) AS currency,
                           coalesce(min(o.reference), min(a.reference) FILTER (WHERE e.leg = 1)) AS debtor,
                           min(o.reference) AS owed_by,
                           -- Beside who pays and who is paid, only who pays in the place of the first.
                           count(*) FILTER (WHERE e.leg <> 2 AND e.account_id <> q.owed_by
                               AND a.reference <> 'system:receivable:' || e.currency) AS strays,
                           min(a.reference) FILTER (WHERE e.leg = 2) AS creditor,
                           sum(e.amount_minor) FILTER (WHERE e.leg <> 2) AS debit,
                           min(e.amount_minor) FILTER (WHERE e.leg = 2) AS credit
                    FROM account.postings q JOIN account.entries e ON e.posting_id = q.id
                    JOIN account.accounts a ON a.id = e.account_id
                    LEFT JOIN account.accounts o ON o.id = q.owed_by
                    WHERE q.payment_id IS NOT NULL GROUP BY q.payment_id
                ) l ON l.payment_id = p.id
            ) examined WHERE fault IS NOT NULL ORDER BY id LIMIT 1
        """,
    ),
    query(
        6,
        "each posting of a payment has its payment, settled",
        count=_POSTED,
        offender=f"""
            SELECT format('posting %s moved money of payment %s, which is %s', p.id, p.payment_id,
                          coalesce(s.status, 'unknown'))
            FROM account.postings p
            LEFT JOIN transaction.payment_states s ON s.payment_id = p.payment_id
            WHERE p.payment_id IS NOT NULL AND s.status IS DISTINCT FROM 'SETTLED'
              AND (s.status IS NULL OR p.payment_id::text NOT IN ({AWAITED_SUBJECTS}))
            ORDER BY p.id LIMIT 1
        """,
    ),
    query(
        6,
        "no payment was posted twice",
        count=_POSTED,
        offender="""
            SELECT format('payment %s was posted %s times', payment_id, count(*)) FROM account.postings
            WHERE payment_id IS NOT NULL GROUP BY payment_id HAVING count(*) > 1 ORDER BY payment_id LIMIT 1
        """,
    ),
    query(
        6,
        "what was settled or declined had been screened, as the payment that it is",
        count="SELECT count(*) FROM fraud.decisions",
        offender="""
            SELECT format('payment %s is %s and screening says %s', p.id, s.status,
                          coalesce(d.decision, 'nothing'))
            FROM transaction.payments p
            JOIN transaction.payment_states s ON s.payment_id = p.id AND s.status <> 'PENDING'
            LEFT JOIN fraud.decisions d ON d.payment_id = p.id
            WHERE (p.kind = 'capture' AND d.payment_id IS NOT NULL) OR p.kind <> 'capture' AND (
               d.payment_id IS NULL
               OR (d.client_id, d.kind, d.debtor, d.creditor, d.amount_minor, d.currency, d.created_at)
                  <> (p.client_id, p.kind, p.debtor, p.creditor, p.amount_minor, p.currency, p.created_at)
               OR d.reference IS DISTINCT FROM p.reference
               OR (s.reason = 'screening_declined' AND d.decision <> 'decline')
               OR (s.reason = 'review_declined' AND d.decision <> 'review'))
            ORDER BY p.id LIMIT 1
        """,
    ),
    query(
        6,
        "what was screened is a payment, and was held for review if screening said so and only then",
        count="SELECT count(*) FROM fraud.decisions",
        offender="""
            SELECT CASE WHEN e.payment_id IS NOT NULL
                THEN format('payment %s was held for review, and screening said %s', e.payment_id,
                            coalesce(d.decision, 'nothing'))
                ELSE format('payment %s was screened (%s) and %s', d.payment_id, d.decision,
                            CASE WHEN s.payment_id IS NULL THEN 'is unknown'
                                 ELSE 'was never held for review' END) END
            FROM fraud.decisions d
            FULL JOIN (SELECT payment_id FROM transaction.payment_events WHERE status = 'REVIEW') e
                ON e.payment_id = d.payment_id
            LEFT JOIN transaction.payment_states s ON s.payment_id = d.payment_id
            WHERE CASE WHEN e.payment_id IS NOT NULL THEN d.decision IS DISTINCT FROM 'review'
                       ELSE s.payment_id IS NULL OR (d.decision = 'review' AND s.status <> 'PENDING') END
            ORDER BY coalesce(e.payment_id, d.payment_id) LIMIT 1
        """,
    ),
    query(
        6,
        "reversals give back what was paid and never more",
        count="SELECT count(*) FROM transaction.payments WHERE kind = 'reversal'",
        offender="""
            SELECT format('payment %s of %s has %s reversed on record, its reversals come to %s', o.id,
                          o.amount_minor, s.reversed_minor, coalesce(r.total, 0))
            FROM transaction.payments o
            JOIN transaction.payment_states s ON s.payment_id = o.id
            LEFT JOIN (
                SELECT r.reverses, sum(r.amount_minor) AS total,
                       bool_and((r.debtor, r.creditor, r.currency, r.client_id)
                                = (o.creditor, o.debtor, o.currency, o.client_id)) AS mirrored
                FROM transaction.payments r
                JOIN transaction.payment_states s ON s.payment_id = r.id
                JOIN transaction.payments o ON o.id = r.reverses
                WHERE s.status NOT IN ('REJECTED', 'VOIDED', 'EXPIRED') GROUP BY r.reverses
            ) r ON r.reverses = o.id
            WHERE s.reversed_minor <> coalesce(r.total, 0) OR s.reversed_minor > o.amount_minor
               OR NOT coalesce(r.mirrored, true)
            ORDER BY o.id LIMIT 1
        """,
    ),
)
