"""The books' own accounts: what crosses them is meant to, and receivable accounts show what is owed."""

from florin.verification.checks import Check, query

# ruff: noqa: S608 - what is put into these statements are constants of this module

_DEBTS = "SELECT count(*) FROM account.postings WHERE owed_by IS NOT NULL"
# By the payees' and payers' own entries, so that the receivable accounts' can be held against it: a reversal
# adds what its payee did not pay of it, a collection takes off what the debtor paid.
_OWED = """(
    SELECT p.id, p.kind, p.client_id, o.id AS account_id, o.reference, o.currency,
           sum(e.amount_minor) FILTER (WHERE e.leg = 2) AS amount_minor,
           coalesce(sum(e.amount_minor) FILTER (WHERE p.kind <> 'collection' AND e.leg = 2), 0)
               + coalesce(sum(e.amount_minor) FILTER (WHERE e.account_id = o.id), 0) AS owed_minor,
           min(e.entry_number) FILTER (WHERE a.kind = 'system') AS place
    FROM account.postings p
    JOIN account.accounts o ON o.id = p.owed_by
    JOIN account.entries e ON e.posting_id = p.id
    JOIN account.accounts a ON a.id = e.account_id
    GROUP BY p.id, o.id
)"""

CHECKS: tuple[Check, ...] = (
    query(
        6,
        "money crosses the books' own accounts by the postings that are for it, and by no others",
        count="SELECT count(*) FROM account.postings",
        offender="""
            SELECT format('posting %s is a %s and moves %s', id, kind, coalesce(crosses, 'nothing of theirs'))
            FROM (
                SELECT p.id, p.kind, p.owed_by, count(*) AS legs,
                       count(*) FILTER (WHERE a.kind = 'system') AS crossings,
                       string_agg(format('%s on %s', e.amount_minor, a.reference), ', ')
                           FILTER (WHERE a.kind = 'system') AS crosses,
                       bool_and(a.kind <> 'system' OR
                           (split_part(a.reference, ':', 2), p.kind, sign(e.amount_minor)) IN (
                               ('opening-balances', 'opening_balance', -1), ('settlement', 'deposit', -1),
                               ('settlement', 'withdrawal', 1), ('receivable', 'reversal', -1),
                               ('receivable', 'collection', 1), ('adjustment', 'adjustment', -1),
                               ('adjustment', 'adjustment', 1))) AS meant
                FROM account.postings p
                JOIN account.entries e ON e.posting_id = p.id
                JOIN account.accounts a ON a.id = e.account_id
                GROUP BY p.id
            ) examined
            WHERE NOT meant
               OR CASE WHEN kind IN ('opening_balance', 'deposit', 'withdrawal', 'collection', 'adjustment')
                       THEN (crossings, legs) <> (1, 2)
                       ELSE crossings <> num_nonnulls(owed_by) END
            ORDER BY id LIMIT 1
        """,
    ),
    query(
        2,
        "each receivable account stands below zero by what accounts of its client owe",
        count="SELECT count(*) FROM account.accounts WHERE reference LIKE 'system:receivable:%'",
        offender=f"""
            SELECT format('%s %s is owed to client %s, its receivable account stands at %s', o.total,
                          coalesce(o.currency, a.currency), coalesce(o.client_id, a.client_id),
                          a.posted_minor)
            FROM (SELECT client_id, currency, sum(owed_minor) AS total FROM {_OWED} d GROUP BY 1, 2) o
            FULL JOIN (SELECT * FROM account.accounts WHERE reference LIKE 'system:receivable:%') a
                ON a.client_id = o.client_id AND a.reference = 'system:receivable:' || o.currency
            WHERE coalesce(o.total, 0) + coalesce(a.posted_minor, 0) <> 0 ORDER BY 1 LIMIT 1
        """,
    ),
    query(
        2,
        "a receivable account paid a part of a reversal, or all of it, and never more",
        count=_DEBTS,
        offender=f"""
            SELECT format('posting %s gives back %s, of which account %s owes %s', id, amount_minor,
                          reference, owed_minor)
            FROM {_OWED} d
            WHERE kind = 'reversal' AND owed_minor NOT BETWEEN 1 AND amount_minor ORDER BY id LIMIT 1
        """,
    ),
    query(
        2,
        "no account has paid back more than it owed",
        count=_DEBTS,
        offender=f"""
            SELECT format('account %s of %s owes %s after posting %s', reference, client_id, owes, id)
            FROM (SELECT d.*, sum(owed_minor) OVER (PARTITION BY account_id ORDER BY place) AS owes
                  FROM {_OWED} d) d
            WHERE owes < 0 ORDER BY account_id, place LIMIT 1
        """,
    ),
    query(
        6,
        "receivable accounts lend for clients that have it so, and for no others",
        count=_DEBTS,
        offender="""
            SELECT format('posting %s lends, and client %s never wanted that', p.id, p.client_id)
            FROM account.postings p
            LEFT JOIN (SELECT DISTINCT client_id FROM account.reversal_policy_changes
                       WHERE policy = 'receivable') c ON c.client_id = p.client_id
            WHERE p.owed_by IS NOT NULL AND c.client_id IS NULL ORDER BY p.id LIMIT 1
        """,
    ),
)
