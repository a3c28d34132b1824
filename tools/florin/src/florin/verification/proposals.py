"""What takes two people was done by two, as it was proposed, once."""

from florin.verification.checks import Check, query

# ruff: noqa: S608 - what is put into these statements are constants of this module

_EVERYWHERE = """(
    SELECT 'account' AS service, p.*, e.state AS ended_as, e.author, e.ended_at, e.outcome
    FROM account.proposals p LEFT JOIN account.proposal_ends e ON e.proposal_id = p.id
    UNION ALL
    SELECT 'transaction', p.*, e.state, e.author, e.ended_at, e.outcome
    FROM transaction.proposals p LEFT JOIN transaction.proposal_ends e ON e.proposal_id = p.id
)"""
# What was done by proposals, each in the words of its terms.
_DONE = """(
    SELECT p.proposal_id, 'adjustment' AS kind, p.client_id, p.id::text AS outcome,
           jsonb_build_object('account', a.reference, 'currency', e.currency,
               'amount_minor', abs(e.amount_minor),
               'direction', CASE WHEN e.amount_minor > 0 THEN 'credit' ELSE 'debit' END) AS terms
    FROM account.postings p
    JOIN account.entries e ON e.posting_id = p.id
    JOIN account.accounts a ON a.id = e.account_id AND a.kind = 'customer'
    WHERE p.kind = 'adjustment' OR p.proposal_id IS NOT NULL
    UNION ALL
    SELECT c.proposal_id, 'unfreezing', a.client_id, NULL,
           jsonb_build_object('account', a.reference, 'state', c.state)
    FROM account.account_state_changes c JOIN account.accounts a ON a.id = c.account_id
    WHERE c.proposal_id IS NOT NULL
    UNION ALL
    SELECT c.proposal_id, 'overdraft-change', a.client_id, NULL,
           jsonb_build_object('account', a.reference, 'overdraft_minor', c.overdraft_minor)
    FROM account.account_overdraft_changes c JOIN account.accounts a ON a.id = c.account_id
    WHERE c.proposal_id IS NOT NULL
    UNION ALL
    SELECT c.proposal_id, 'limit-change', c.client_id, NULL,
           jsonb_strip_nulls(jsonb_build_object('account', a.reference,
               'currency', CASE WHEN a.id IS NULL THEN c.currency END, 'kyc_level', c.kyc_level,
               'payment_min_minor', c.payment_min, 'payment_max_minor', c.payment_max,
               'daily_count', c.daily_count, 'daily_sum_minor', c.daily_sum,
               'monthly_count', c.monthly_count, 'monthly_sum_minor', c.monthly_sum))
    FROM account.limit_changes c LEFT JOIN account.accounts a ON a.id = c.account_id
    WHERE c.proposal_id IS NOT NULL
    UNION ALL
    SELECT r.proposal_id, 'reversal', p.client_id, p.id::text,
           jsonb_strip_nulls(jsonb_build_object('payment_id', p.reverses, 'amount_minor', p.amount_minor,
               'reference', p.reference, 'description', p.description))
    FROM transaction.approved_reversals r JOIN transaction.payments p ON p.id = r.payment_id
    UNION ALL
    SELECT c.proposal_id, 'reversal-limit-change', c.client_id, NULL,
           jsonb_strip_nulls(jsonb_build_object('currency', c.currency, 'amount_minor', c.amount_minor))
    FROM transaction.reversal_limit_changes c WHERE c.proposal_id IS NOT NULL
)"""

CHECKS: tuple[Check, ...] = (
    query(
        4,
        "each proposal was decided by another than who made it, in its time, or withdrawn by who made it",
        count=f"SELECT count(*) FROM {_EVERYWHERE} p WHERE p.ended_as IS NOT NULL",
        offender=f"""
            SELECT format('proposal %s of %s, made by %s, is %s by %s', id, service, proposed_by, ended_as,
                          author)
            FROM {_EVERYWHERE} p
            WHERE ended_as IS NOT NULL
              AND ((ended_as = 'WITHDRAWN') <> (author = proposed_by) OR ended_at >= expires_at)
            ORDER BY id LIMIT 1
        """,
    ),
    query(
        4,
        "what names a proposal, and each adjustment, was approved, as it was done",
        count=f"SELECT count(*) FROM {_DONE} d",
        offender=f"""
            SELECT format('a %s of client %s (%s) carries out no such approved proposal (%s)', d.kind,
                          d.client_id, coalesce(d.outcome, d.terms::text), d.proposal_id)
            FROM {_DONE} d
            LEFT JOIN {_EVERYWHERE} p
                ON p.id = d.proposal_id AND p.kind = d.kind AND p.client_id = d.client_id
                AND p.terms = d.terms AND p.ended_as = 'APPROVED'
            WHERE p.id IS NULL ORDER BY d.proposal_id LIMIT 1
        """,
    ),
    query(
        6,
        "each approved proposal was carried out, once, and came to what was told",
        count=f"SELECT count(*) FROM {_EVERYWHERE} p WHERE p.ended_as = 'APPROVED'",
        offender=f"""
            SELECT format('proposal %s of %s was approved and carried out %s times', p.id, p.service,
                          count(d.proposal_id))
            FROM {_EVERYWHERE} p
            LEFT JOIN {_DONE} d ON d.proposal_id = p.id
                AND d.outcome IS NOT DISTINCT FROM
                    coalesce(p.outcome->>'posting_id', p.outcome->>'payment_id')
            WHERE p.ended_as = 'APPROVED'
            GROUP BY p.id, p.service HAVING count(d.proposal_id) <> 1 ORDER BY p.id LIMIT 1
        """,
    ),
    query(
        4,
        "no person loosened alone",
        count="SELECT count(*) FROM account.account_state_changes WHERE author LIKE 'person:%'",
        offender="""
            SELECT fault FROM (
                SELECT c.id, format('account %s went from %s to %s by %s alone', c.account_id, c.previous,
                                    c.state, c.author) AS fault
                FROM account.account_state_changes c
                WHERE c.author LIKE 'person:%' AND c.proposal_id IS NULL
                  AND ((c.previous = 'FROZEN' AND c.state <> 'CLOSED')
                       OR (c.previous = 'DEBIT_FROZEN' AND c.state NOT IN ('FROZEN', 'CLOSED'))
                       OR (c.previous = 'CREDIT_FROZEN' AND c.state IN ('ACTIVE', 'DEBIT_FROZEN'))
                       OR (c.previous = 'CLOSING' AND c.state = 'ACTIVE'))
                UNION ALL
                SELECT c.id, format('the overdraft of account %s was raised by %s alone', c.account_id,
                                    c.author)
                FROM account.account_overdraft_changes c
                WHERE c.author LIKE 'person:%' AND c.proposal_id IS NULL
                  AND c.overdraft_minor > c.previous_minor
                UNION ALL
                SELECT c.id, format('limits %s of client %s were set by %s alone', c.id, c.client_id,
                                    c.author)
                FROM account.limit_changes c WHERE c.author LIKE 'person:%' AND c.proposal_id IS NULL
                UNION ALL
                SELECT c.id, format('reversal limit %s of client %s was set by %s alone', c.id, c.client_id,
                                    c.author)
                FROM transaction.reversal_limit_changes c
                WHERE c.author LIKE 'person:%' AND c.proposal_id IS NULL
            ) found ORDER BY id LIMIT 1
        """,
    ),
)
