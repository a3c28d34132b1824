"""Customers: what the directory of payments knows of them is what the account service has registered."""

from florin.verification.checks import Check, query
from florin.verification.in_flight import AWAITED_SUBJECTS

# ruff: noqa: S608 - what is put into these statements are constants of this module and its neighbours

_CUSTOMERS = "SELECT count(*) FROM account.customers"

CHECKS: tuple[Check, ...] = (
    query(
        6,
        "each customer can be paid under its own handles and under no others",
        count=_CUSTOMERS,
        offender=f"""
            SELECT format('customer %s is known to payments under other handles, or to another client',
                          coalesce(c.id, k.customer_id))
            FROM account.customers c
            FULL JOIN (SELECT customer_id, min(client_id) AS client_id, max(client_id) AS last_client_id,
                              array_agg(handle ORDER BY handle) AS handles
                       FROM transaction.party_handles GROUP BY customer_id) k ON k.customer_id = c.id
            WHERE coalesce(c.id, k.customer_id)::text NOT IN ({AWAITED_SUBJECTS})
              AND (c.id IS NULL OR k.customer_id IS NULL
                   OR (k.client_id, k.last_client_id) <> (c.client_id, c.client_id)
                   OR k.handles <> ARRAY[least(c.mobile_handle, c.email_handle),
                                         greatest(c.mobile_handle, c.email_handle)])
            ORDER BY 1 LIMIT 1
        """,
    ),
    query(
        6,
        "each customer is paid on its own account, of its client and currency",
        count="SELECT count(*) FROM account.customer_accounts",
        offender=f"""
            SELECT format('customer %s is paid in %s on account %s, and has %s', coalesce(o.customer_id,
                          d.customer_id), coalesce(o.currency, d.currency), coalesce(d.account, 'none'),
                          coalesce(a.reference, 'none'))
            FROM account.customer_accounts o
            JOIN account.customers c ON c.id = o.customer_id
            JOIN account.accounts a ON a.id = o.account_id
            FULL JOIN transaction.party_accounts d
                ON d.customer_id = o.customer_id AND d.currency = o.currency AND d.client_id = c.client_id
            WHERE coalesce(o.customer_id, d.customer_id)::text NOT IN ({AWAITED_SUBJECTS})
              AND ((d.account, d.client_id, d.currency)
                   IS DISTINCT FROM (a.reference, a.client_id, a.currency) OR a.client_id <> c.client_id)
            ORDER BY 1 LIMIT 1
        """,
    ),
    query(
        10,
        "no holder's name stands in plain text, and each is sealed once",
        count="SELECT count(*) FROM account.accounts WHERE kind = 'customer'",
        offender="""
            SELECT format('the holder of account %s %s', a.reference, CASE
                WHEN a.holder IS NOT NULL THEN 'stands in plain text: run the migrations again'
                ELSE 'is not known, or known twice' END)
            FROM account.accounts a
            LEFT JOIN account.account_holders h ON h.account_id = a.id
            LEFT JOIN account.customer_accounts o ON o.account_id = a.id
            WHERE a.kind = 'customer'
              AND (a.holder IS NOT NULL OR num_nonnulls(h.account_id, o.account_id) <> 1)
            ORDER BY a.id LIMIT 1
        """,
    ),
    query(
        2,
        "each customer has the level that was approved last, and its accounts have it too",
        count=_CUSTOMERS,
        offender="""
            SELECT format('customer %s has level %s (%s), its history ends with %s (%s)', c.id, c.kyc_level,
                          c.kyc_state, coalesce(approved.level, 'none'), coalesce(last.state, 'new'))
            FROM account.customers c
            LEFT JOIN (SELECT DISTINCT ON (customer_id) customer_id, state, level
                       FROM account.customer_kyc_events ORDER BY customer_id, id DESC) last
                ON last.customer_id = c.id
            LEFT JOIN (SELECT DISTINCT ON (customer_id) customer_id, level FROM account.customer_kyc_events
                       WHERE state = 'approved' ORDER BY customer_id, id DESC) approved
                ON approved.customer_id = c.id
            LEFT JOIN (SELECT o.customer_id, min(a.kyc_level) AS lowest, max(a.kyc_level) AS highest
                       FROM account.customer_accounts o JOIN account.accounts a ON a.id = o.account_id
                       GROUP BY o.customer_id) held ON held.customer_id = c.id
            WHERE c.kyc_level <> coalesce(approved.level, 'none')
               OR c.kyc_state <> coalesce(last.state, 'new')
               OR c.kyc_asked IS DISTINCT FROM last.level
               OR (held.customer_id IS NOT NULL
                   AND (held.lowest, held.highest) IS DISTINCT FROM (c.kyc_level, c.kyc_level))
            ORDER BY c.id LIMIT 1
        """,
    ),
)
