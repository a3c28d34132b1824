"""Held money: what is held is what holds hold, each hold ended once, and payments and ledger say the same."""

from florin.verification.checks import Check, query
from florin.verification.in_flight import AWAITED_SUBJECTS

# ruff: noqa: S608 - what is put into these statements are constants of this module and its neighbours

_HOLDS = "SELECT count(*) FROM account.holds"
_AUTHORISATIONS = "SELECT count(*) FROM transaction.payments WHERE capture = 'manual'"
_CAPTURED = """(
    SELECT p.captures, sum(e.amount_minor) AS total_minor, count(*) AS times, max(p.posted_at) AS last_at,
           bool_and((p.client_id, e.currency, a.reference) = (h.client_id, h.currency, h.creditor)
                    AND d.account_id = h.account_id) AS from_and_to_its_parties
    FROM account.postings p
    JOIN account.holds h ON h.payment_id = p.captures
    JOIN account.entries d ON d.posting_id = p.id AND d.leg = 1
    JOIN account.entries e ON e.posting_id = p.id AND e.leg = 2
    JOIN account.accounts a ON a.id = e.account_id
    GROUP BY p.captures
)"""

CHECKS: tuple[Check, ...] = (
    query(
        2,
        "what is held of each account is what its open holds still hold",
        count="SELECT count(*) FROM account.accounts",
        offender="""
            SELECT format('account %s of %s: %s held, its open holds hold %s', a.reference, a.client_id,
                          a.held_minor, coalesce(h.total, 0))
            FROM account.accounts a
            LEFT JOIN (SELECT account_id, sum(greatest(amount_minor - captured_minor, 0)) AS total
                       FROM account.holds WHERE state = 'OPEN' GROUP BY account_id) h ON h.account_id = a.id
            WHERE a.held_minor <> coalesce(h.total, 0) ORDER BY a.id LIMIT 1
        """,
    ),
    query(
        2,
        "what was held of each account after its last change is what is held of it, and no change is missing",
        count="SELECT count(*) FROM account.accounts",
        offender="""
            SELECT format('account %s of %s: %s held, %s after the last of %s changes, numbered to %s',
                          a.reference, a.client_id, a.held_minor, coalesce(c.held_after_minor, 0),
                          coalesce(n.changes, 0), coalesce(n.last, 0))
            FROM account.accounts a
            LEFT JOIN (SELECT account_id, count(*) AS changes, min(change_number) AS first,
                              max(change_number) AS last
                       FROM account.held_changes GROUP BY account_id) n ON n.account_id = a.id
            LEFT JOIN account.held_changes c ON c.account_id = a.id AND c.change_number = n.last
            WHERE a.held_minor <> coalesce(c.held_after_minor, 0) OR n.first <> 1 OR n.last <> n.changes
            ORDER BY a.id LIMIT 1
        """,
    ),
    query(
        2,
        "what was captured of each hold is what its captures moved, within its amount and tolerance",
        count=_HOLDS,
        offender=f"""
            SELECT format('hold of payment %s: %s of %s (and %s more) captured, its %s captures moved %s',
                          h.payment_id, h.captured_minor, h.amount_minor, h.tolerance_minor,
                          coalesce(c.times, 0), coalesce(c.total_minor, 0))
            FROM account.holds h LEFT JOIN {_CAPTURED} c ON c.captures = h.payment_id
            WHERE h.captured_minor <> coalesce(c.total_minor, 0)
               OR h.captured_minor > h.amount_minor + h.tolerance_minor
               OR NOT coalesce(c.from_and_to_its_parties, true)
            ORDER BY h.payment_id LIMIT 1
        """,
    ),
    query(
        2,
        "each hold ended once, when it had to, and gave back what was not captured",
        count=_HOLDS,
        offender=f"""
            SELECT format('hold of payment %s %s', payment_id, fault) FROM (
                SELECT h.payment_id, CASE
                    WHEN num_nonnulls(h.ended_at, h.reason, h.author)
                         <> CASE h.state WHEN 'OPEN' THEN 0 ELSE 3 END
                        THEN format('is %s, ended at %s by %s', h.state, h.ended_at, h.author)
                    WHEN h.state = 'OPEN' AND (c.total_minor >= h.amount_minor + h.tolerance_minor
                                               OR (c.times > 0 AND NOT h.captured_many_times))
                        THEN 'is open although its last capture was made'
                    WHEN c.times > 1 AND NOT h.captured_many_times
                        THEN format('was captured %s times', c.times)
                    WHEN c.last_at > h.ended_at THEN format('was captured after it was %s', h.state)
                    WHEN c.last_at >= h.expires_at THEN 'was captured after it had expired'
                    WHEN h.state = 'CAPTURED' AND coalesce(c.total_minor, 0) = 0
                        THEN 'is captured, and no money moved'
                    WHEN h.state = 'EXPIRED' AND h.ended_at < h.expires_at THEN 'expired before its time'
                    WHEN h.state <> 'OPEN'
                         AND h.released_minor <> greatest(h.amount_minor - h.captured_minor, 0)
                        THEN format('released %s', h.released_minor)
                    END AS fault
                FROM account.holds h LEFT JOIN {_CAPTURED} c ON c.captures = h.payment_id
            ) examined WHERE fault IS NOT NULL ORDER BY payment_id LIMIT 1
        """,
    ),
    query(
        6,
        "each capture took from a hold, and is linked to the payment that holds",
        count="SELECT count(*) FROM account.postings WHERE kind = 'capture'",
        offender="""
            SELECT format('posting %s captures of payment %s, the payment %s of %s', q.id,
                          coalesce(q.captures::text, 'none'), p.id, coalesce(p.captures::text, 'none'))
            FROM account.postings q
            LEFT JOIN account.holds h ON h.payment_id = q.captures
            LEFT JOIN transaction.payments p ON p.id = q.payment_id
            LEFT JOIN transaction.payments o ON o.id = p.captures
            WHERE (q.kind = 'capture' OR q.captures IS NOT NULL)
              AND (h.payment_id IS NULL OR q.captures IS DISTINCT FROM p.captures
                   OR (o.client_id, o.debtor, o.creditor, o.currency, o.capture)
                      IS DISTINCT FROM (p.client_id, p.debtor, p.creditor, p.currency, 'manual'))
            ORDER BY q.id LIMIT 1
        """,
    ),
    query(
        6,
        "each authorisation has its hold, and both stand at the same",
        count=_AUTHORISATIONS,
        offender=f"""
            SELECT format('payment %s is %s, and its hold is %s with %s captured', p.id, s.status,
                          coalesce(h.state, 'not there'), coalesce(h.captured_minor, 0))
            FROM transaction.payments p
            JOIN transaction.payment_states s ON s.payment_id = p.id
            LEFT JOIN account.holds h ON h.payment_id = p.id
            LEFT JOIN account.accounts a ON a.id = h.account_id
            WHERE p.capture = 'manual' AND (
                (h.payment_id IS NOT NULL
                 AND (h.client_id, a.reference, h.creditor, h.amount_minor, h.currency)
                     IS DISTINCT FROM (p.client_id, p.debtor, p.creditor, p.amount_minor, p.currency))
                OR (p.id::text NOT IN ({AWAITED_SUBJECTS}) AND NOT CASE s.status
                    WHEN 'APPROVED' THEN h.state IS NOT DISTINCT FROM 'OPEN'
                    WHEN 'SETTLED' THEN coalesce(h.state <> 'OPEN' AND h.captured_minor > 0, false)
                    WHEN 'VOIDED' THEN coalesce(h.state = 'VOIDED' AND h.captured_minor = 0, false)
                    WHEN 'EXPIRED' THEN coalesce(h.state = 'EXPIRED' AND h.captured_minor = 0, false)
                    ELSE h.payment_id IS NULL END))
            ORDER BY p.id LIMIT 1
        """,
    ),
    query(
        6,
        "each hold is of a payment, and its end is known there as it was",
        count=_HOLDS,
        offender=f"""
            SELECT format('the hold of payment %s is %s, and the payment was told that it is %s',
                          coalesce(h.payment_id, e.payment_id), coalesce(h.state, 'not there'),
                          coalesce(e.ended_as, CASE WHEN p.id IS NULL THEN 'unknown' ELSE 'open' END))
            FROM account.holds h
            FULL JOIN transaction.hold_ends e ON e.payment_id = h.payment_id
            LEFT JOIN transaction.payments p ON p.id = h.payment_id
            WHERE p.id IS NULL
               OR (e.payment_id IS NULL AND h.state <> 'OPEN'
                   AND h.payment_id::text NOT IN ({AWAITED_SUBJECTS}))
               OR (e.payment_id IS NOT NULL
                   AND (upper(e.ended_as), e.captured_minor, e.released_minor, e.reason, e.author, e.ended_at)
                       IS DISTINCT FROM (h.state, h.captured_minor, h.released_minor, h.reason, h.author,
                                         h.ended_at))
            ORDER BY 1 LIMIT 1
        """,
    ),
    query(
        6,
        "what was captured of an authorisation is what its captures come to",
        count=_AUTHORISATIONS,
        offender=f"""
            SELECT format('payment %s ended with %s captured, its settled captures come to %s', e.payment_id,
                          e.captured_minor, coalesce(c.total, 0))
            FROM transaction.hold_ends e
            LEFT JOIN (SELECT p.captures, sum(p.amount_minor) AS total,
                              bool_or(p.id::text IN ({AWAITED_SUBJECTS})) AS awaited
                       FROM transaction.payments p
                       JOIN transaction.payment_states s ON s.payment_id = p.id
                       WHERE p.captures IS NOT NULL
                         AND (s.status = 'SETTLED' OR p.id::text IN ({AWAITED_SUBJECTS}))
                       GROUP BY p.captures) c ON c.captures = e.payment_id
            WHERE e.captured_minor <> coalesce(c.total, 0) AND NOT coalesce(c.awaited, false)
            ORDER BY e.payment_id LIMIT 1
        """,
    ),
)
