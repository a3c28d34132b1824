"""The ledger: postings are balanced, balances are what their entries say, limits hold."""

from florin.verification.checks import Check, query

# ruff: noqa: S608 - what is put into these statements are constants of this module

_POSTINGS = "SELECT count(*) FROM account.postings"
_ENTRIES = "SELECT count(*) FROM account.entries"
_ACCOUNTS = "SELECT count(*) FROM account.accounts"
_ASKED_FOR = "'deposit', 'withdrawal', 'collection'"

CHECKS: tuple[Check, ...] = (
    query(
        1,
        "the entries of each posting sum to zero in each currency",
        count=_POSTINGS,
        offender="""
            SELECT format('posting %s: its entries in %s sum to %s', posting_id, currency, sum(amount_minor))
            FROM account.entries GROUP BY posting_id, currency HAVING sum(amount_minor) <> 0
            ORDER BY posting_id LIMIT 1
        """,
    ),
    query(
        1,
        "all entries of a currency sum to zero",
        count="SELECT count(DISTINCT currency) FROM account.entries",
        offender="""
            SELECT format('all entries in %s sum to %s', currency, sum(amount_minor))
            FROM account.entries GROUP BY currency HAVING sum(amount_minor) <> 0 ORDER BY currency LIMIT 1
        """,
    ),
    query(
        1,
        "each posting has two entries or more, none missing",
        count=_POSTINGS,
        offender="""
            SELECT format('posting %s has %s entries, the last of them numbered %s', p.id,
                          coalesce(e.legs, 0), e.last_leg)
            FROM account.postings p
            LEFT JOIN (SELECT posting_id, count(*) AS legs, max(leg) AS last_leg
                       FROM account.entries GROUP BY posting_id) e ON e.posting_id = p.id
            WHERE e.legs IS NULL OR e.legs < 2 OR e.legs <> e.last_leg ORDER BY p.id LIMIT 1
        """,
    ),
    query(
        1,
        "each entry belongs to a posting and to an account of its client and currency",
        count=_ENTRIES,
        offender="""
            SELECT format('entry %s of account %s (posting %s) belongs nowhere', e.entry_number, e.account_id,
                          e.posting_id)
            FROM account.entries e
            LEFT JOIN account.postings p ON p.id = e.posting_id
            LEFT JOIN account.accounts a ON a.id = e.account_id
            WHERE p.id IS NULL OR a.id IS NULL OR a.currency <> e.currency OR a.client_id <> p.client_id
               OR e.posted_at <> p.posted_at
            ORDER BY e.account_id, e.entry_number LIMIT 1
        """,
    ),
    query(
        2,
        "each balance is the sum of its entries",
        count=_ACCOUNTS,
        offender="""
            SELECT format('account %s of %s: the balance is %s after %s entries, its %s entries sum to %s',
                          a.reference, a.client_id, a.posted_minor, a.version, coalesce(e.entries, 0),
                          coalesce(e.total, 0))
            FROM account.accounts a
            LEFT JOIN (SELECT account_id, sum(amount_minor) AS total, count(*) AS entries
                       FROM account.entries GROUP BY account_id) e ON e.account_id = a.id
            WHERE a.posted_minor <> coalesce(e.total, 0) OR a.version <> coalesce(e.entries, 0)
            ORDER BY a.id LIMIT 1
        """,
    ),
    query(
        2,
        "each running balance follows from the entry before, and no entry is missing",
        count=_ENTRIES,
        offender="""
            SELECT format('entry %s of account %s: the balance after it is %s and should be %s (entry %s)',
                          entry_number, account_id, balance_after_minor, running, place)
            FROM (SELECT account_id, entry_number, balance_after_minor,
                         sum(amount_minor) OVER account_order AS running,
                         row_number() OVER account_order AS place
                  FROM account.entries
                  WINDOW account_order AS (PARTITION BY account_id ORDER BY entry_number
                                           ROWS UNBOUNDED PRECEDING)) e
            WHERE balance_after_minor <> running OR entry_number <> place
            ORDER BY account_id, place LIMIT 1
        """,
    ),
    query(
        2,
        "postings between two accounts stand in one order in both",
        count=_POSTINGS,
        offender="""
            SELECT format('posting %s: accounts %s and %s do not have it and the one before in one order',
                          posting_id, one, other)
            FROM (SELECT e.posting_id, e.account_id AS one, f.account_id AS other,
                         e.entry_number AS number, f.entry_number AS number_there,
                         lag(f.entry_number) OVER (PARTITION BY e.account_id, f.account_id
                                                   ORDER BY e.entry_number, f.entry_number) AS before_there
                  FROM account.entries e
                  JOIN account.entries f ON f.posting_id = e.posting_id AND f.account_id > e.account_id) p
            WHERE number_there < before_there ORDER BY one, number LIMIT 1
        """,
    ),
    query(
        2,
        "no account stands beyond its overdraft",
        count=_ACCOUNTS,
        offender="""
            SELECT format('account %s of %s: %s posted, %s held, overdraft %s', reference, client_id,
                          posted_minor, held_minor, overdraft_minor)
            FROM account.accounts
            WHERE held_minor < 0 OR posted_minor - held_minor + overdraft_minor < 0
               OR (overdraft_minor IS NULL) <> (kind = 'system') ORDER BY id LIMIT 1
        """,
    ),
    query(
        2,
        "no account ever stood beyond its overdraft",
        count=_ENTRIES,
        offender="""
            SELECT format('account %s of %s stood at %s after entry %s, with an overdraft of %s at most',
                          a.reference, a.client_id, e.balance_after_minor, e.entry_number,
                          greatest(a.overdraft_minor, o.highest))
            FROM account.entries e JOIN account.accounts a ON a.id = e.account_id
            LEFT JOIN (SELECT account_id, greatest(max(previous_minor), max(overdraft_minor)) AS highest
                       FROM account.account_overdraft_changes GROUP BY account_id) o ON o.account_id = a.id
            WHERE e.balance_after_minor + greatest(a.overdraft_minor, o.highest) < 0
            ORDER BY e.account_id, e.entry_number LIMIT 1
        """,
    ),
    query(
        2,
        "each overdraft is the one that its history ends with, each change made to the one before",
        count="SELECT count(*) FROM account.account_overdraft_changes",
        offender="""
            SELECT format('account %s of %s has an overdraft of %s, its history goes from %s to %s, then %s',
                          a.reference, a.client_id, a.overdraft_minor, c.previous_minor, c.overdraft_minor,
                          c.following)
            FROM (SELECT account_id, id, previous_minor, overdraft_minor,
                         lead(previous_minor) OVER (PARTITION BY account_id ORDER BY id) AS following
                  FROM account.account_overdraft_changes) c
            JOIN account.accounts a ON a.id = c.account_id
            WHERE c.overdraft_minor IS DISTINCT FROM coalesce(c.following, a.overdraft_minor)
            ORDER BY c.account_id, c.id LIMIT 1
        """,
    ),
    query(
        2,
        "each account is in the state that its history ends with, and empty when closed",
        count=_ACCOUNTS,
        offender="""
            SELECT format('account %s of %s is %s, its history ends with %s, its balance is %s', a.reference,
                          a.client_id, a.state, coalesce(s.state, 'nothing'), a.posted_minor)
            FROM account.accounts a
            LEFT JOIN (SELECT DISTINCT ON (account_id) account_id, state FROM account.account_state_changes
                       ORDER BY account_id, id DESC) s ON s.account_id = a.id
            WHERE a.state IS DISTINCT FROM s.state
               OR (a.state = 'CLOSED' AND (a.posted_minor <> 0 OR a.held_minor <> 0))
            ORDER BY a.id LIMIT 1
        """,
    ),
    query(
        6,
        "money was paid in, out or back because it was asked for, once, and opened with once",
        count="SELECT count(*) FROM account.postings WHERE payment_id IS NULL",
        offender=f"""
            SELECT fault FROM (
                SELECT p.id::text AS id, format('posting %s is a %s nobody asked for', p.id, p.kind) AS fault
                FROM account.postings p
                LEFT JOIN (SELECT client_id, operation, answer->>'posting_id' AS posting_id
                           FROM account.idempotency_keys WHERE operation IN ({_ASKED_FOR})) k
                    ON k.client_id = p.client_id AND k.operation = p.kind AND k.posting_id = p.id::text
                WHERE p.kind IN ({_ASKED_FOR}) AND k.posting_id IS NULL
                UNION ALL
                SELECT k.posting_id,
                       format('posting %s was answered as a %s and is not there', k.posting_id, k.operation)
                FROM (SELECT operation, answer->>'posting_id' AS posting_id FROM account.idempotency_keys
                      WHERE operation IN ({_ASKED_FOR})) k
                LEFT JOIN account.postings p ON p.kind = k.operation AND p.id::text = k.posting_id
                WHERE p.id IS NULL
                UNION ALL
                SELECT p.id::text, format('posting %s opens account %s, which was open', p.id, a.reference)
                FROM account.postings p
                JOIN account.entries e ON e.posting_id = p.id
                JOIN account.accounts a ON a.id = e.account_id AND a.kind = 'customer'
                WHERE p.kind = 'opening_balance' AND e.entry_number <> 1
            ) found ORDER BY id LIMIT 1
        """,
    ),
)
