"""Payments: each moves legally to one end, and the client hears of exactly that end."""

from transaction_service.domain.lifecycle import NEXT, TERMINAL, Status

from florin.verification.checks import Check, query
from florin.verification.in_flight import AWAITED_SUBJECTS

_PAYMENTS = "SELECT count(*) FROM transaction.payments"
_EVENTS = "SELECT count(*) FROM transaction.payment_events"
_TERMINAL = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
_LEGAL = ", ".join(f"('{a}', '{b}')" for a, following in NEXT.items() for b in sorted(following))
# The relay prunes what was sent a week ago: only of younger payments must every notice still be there.
_KEPT = "interval '6 days'"
# The type of notice that tells each step.
_TOLD_BY = {
    Status.REVIEW: "florin.payment.in-review.v1",
    Status.APPROVED: "florin.payment.approved.v1",
    Status.SETTLED: "florin.payment.settled.v1",
    Status.REJECTED: "florin.payment.rejected.v1",
    Status.VOIDED: "florin.payment.voided.v1",
    Status.EXPIRED: "florin.payment.expired.v1",
}
_NOTICES = f"""(
    SELECT n.position, n.event_id, n.type, n.body::jsonb AS event FROM transaction.outbox n
    WHERE n.type IN ({", ".join(f"'{name}'" for name in _TOLD_BY.values())})
)"""
_STATUS_OF = (
    f"""CASE n.type {" ".join(f"WHEN '{name}' THEN '{status}'" for status, name in _TOLD_BY.items())} END"""
)
_ENDS_TOLD_BY = ", ".join(f"'{name}'" for status, name in _TOLD_BY.items() if status in TERMINAL)

# ruff: noqa: S608 - what is put into these statements are constants of this module and its neighbours

CHECKS: tuple[Check, ...] = (
    query(
        3,
        "each payment has a lifecycle and a state, and neither is without its payment",
        count=_PAYMENTS,
        offender="""
            SELECT format('%s has %s', id, missing) FROM (
                SELECT p.id, 'no lifecycle' AS missing FROM transaction.payments p
                WHERE NOT EXISTS (SELECT FROM transaction.payment_events e WHERE e.payment_id = p.id)
                UNION ALL SELECT p.id, 'no state' FROM transaction.payments p
                WHERE NOT EXISTS (SELECT FROM transaction.payment_states s WHERE s.payment_id = p.id)
                UNION ALL SELECT e.payment_id, 'lifecycle events but no payment'
                FROM transaction.payment_events e
                WHERE NOT EXISTS (SELECT FROM transaction.payments p WHERE p.id = e.payment_id)
                UNION ALL SELECT s.payment_id, 'a state but no payment' FROM transaction.payment_states s
                WHERE NOT EXISTS (SELECT FROM transaction.payments p WHERE p.id = s.payment_id)
            ) found ORDER BY id LIMIT 1
        """,
    ),
    query(
        3,
        "each lifecycle begins with PENDING and takes only legal moves, none missing",
        count=_EVENTS,
        offender=f"""
            SELECT format('payment %s event %s: from %s to %s is no legal move', payment_id, sequence,
                          coalesce(before, 'nothing'), status)
            FROM (SELECT payment_id, sequence, status, lag(status) OVER life AS before,
                         row_number() OVER life AS place
                  FROM transaction.payment_events
                  WINDOW life AS (PARTITION BY payment_id ORDER BY sequence)) e
            WHERE sequence <> place
               OR CASE WHEN place = 1 THEN status <> 'PENDING'
                       ELSE (before, status) NOT IN ({_LEGAL}) END
            ORDER BY payment_id, place LIMIT 1
        """,
    ),
    query(
        3,
        "each payment stands where its last event says",
        count=_PAYMENTS,
        offender="""
            SELECT format('payment %s stands at %s %s, its last event is %s %s', s.payment_id, s.sequence,
                          s.status, e.sequence, e.status)
            FROM transaction.payment_states s
            JOIN transaction.payments p ON p.id = s.payment_id
            JOIN (SELECT DISTINCT ON (payment_id) * FROM transaction.payment_events
                  ORDER BY payment_id, sequence DESC) e ON e.payment_id = s.payment_id
            WHERE (s.status, s.sequence, s.last_hash) <> (e.status, e.sequence, e.hash)
               OR s.reason IS DISTINCT FROM e.reason OR s.updated_at <> e.occurred_at
               OR (s.client_id, s.amount_minor) <> (p.client_id, p.amount_minor)
            ORDER BY s.payment_id LIMIT 1
        """,
    ),
    query(
        3,
        "each payment that has not ended is being worked on or waits for a person",
        count=f"SELECT count(*) FROM transaction.payment_states WHERE status NOT IN ({_TERMINAL})",
        offender=f"""
            SELECT format('payment %s has been %s since %s and nothing is on its way to move it', payment_id,
                          status, updated_at)
            FROM transaction.payment_states s
            WHERE status NOT IN ({_TERMINAL})
              AND NOT (status = 'REVIEW'
                       AND EXISTS (SELECT FROM fraud.review_queue q WHERE q.payment_id = s.payment_id))
              AND NOT (status = 'APPROVED'
                       AND EXISTS (SELECT FROM transaction.payments p
                                   WHERE p.id = s.payment_id AND p.capture = 'manual'))
              AND payment_id::text NOT IN ({AWAITED_SUBJECTS})
            ORDER BY payment_id LIMIT 1
        """,
    ),
    query(
        3,
        "each notice tells a step that the payment took",
        count=f"SELECT count(*) FROM {_NOTICES} n",
        offender=f"""
            SELECT format('notice %s tells payment %s as %s, which is not what happened', n.event_id,
                          n.event->>'subject', n.event->'data'->>'status')
            FROM {_NOTICES} n
            LEFT JOIN transaction.payments p ON p.id::text = n.event->>'subject'
            LEFT JOIN transaction.payment_events e
                ON e.payment_id = p.id AND e.sequence::text = n.event->>'sequence'
            WHERE e.payment_id IS NULL OR n.event->'data'->>'status' IS DISTINCT FROM e.status
               OR e.status <> {_STATUS_OF} OR n.event->>'type' <> n.type
               OR n.event->'data'->>'reason' IS DISTINCT FROM e.reason
               OR n.event->'data'->>'payment_id' IS DISTINCT FROM p.id::text
               OR n.event->'data'->>'client_id' IS DISTINCT FROM p.client_id
               OR n.event->'data'->>'debtor' IS DISTINCT FROM p.debtor
               OR n.event->'data'->>'creditor' IS DISTINCT FROM p.creditor
               OR n.event->'data'->>'amount_minor' IS DISTINCT FROM p.amount_minor::text
               OR n.event->'data'->>'currency' IS DISTINCT FROM p.currency
            ORDER BY n.position LIMIT 1
        """,
    ),
    query(
        3,
        "each end is told once",
        count=f"SELECT count(*) FROM transaction.payment_states WHERE status IN ({_TERMINAL})",
        offender=f"""
            SELECT format('payment %s ended as %s and was told %s times', s.payment_id, s.status,
                          coalesce(n.times, 0))
            FROM transaction.payment_states s
            LEFT JOIN (SELECT subject, count(*) AS times FROM transaction.outbox
                       WHERE type IN ({_ENDS_TOLD_BY})
                       GROUP BY subject) n ON n.subject = s.payment_id::text
            WHERE s.status IN ({_TERMINAL}) AND coalesce(n.times, 0) <> 1
              AND s.updated_at > now() - {_KEPT}
            ORDER BY s.payment_id LIMIT 1
        """,
    ),
    query(
        3,
        "each notification kept for a client is a step that its payment took",
        count="SELECT count(*) FROM notification.notifications WHERE payment_id IS NOT NULL",
        offender="""
            SELECT format('notification %s tells payment %s as %s, which is not what happened', n.id,
                          n.payment_id, n.body::jsonb->'data'->>'status')
            FROM notification.notifications n
            LEFT JOIN transaction.payment_events e
                ON e.payment_id = n.payment_id AND e.sequence = n.sequence
            LEFT JOIN transaction.payments p ON p.id = n.payment_id
            WHERE n.payment_id IS NOT NULL
              AND (e.payment_id IS NULL OR n.body::jsonb->'data'->>'status' IS DISTINCT FROM e.status
                   OR n.body::jsonb->'data'->>'reason' IS DISTINCT FROM e.reason
                   OR n.body::jsonb->'data'->>'amount_minor' IS DISTINCT FROM p.amount_minor::text
                   OR n.client_id <> p.client_id)
            ORDER BY n.occurred_at, n.id LIMIT 1
        """,
    ),
)
