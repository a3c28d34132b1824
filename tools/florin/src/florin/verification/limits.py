"""Limits: what counts against them is what the ledger says has left, or is held to leave, in the window."""

from florin.verification.checks import Check, query

# A row that was counted under other limits than those in force is worked out anew before it is used.
_IN_FORCE = """(
    SELECT a.id AS account_id, greatest(own.change_id, client.change_id) AS change_id
    FROM account.accounts a
    LEFT JOIN (SELECT account_id, max(change_id) AS change_id FROM account.limit_sets
               WHERE account_id IS NOT NULL GROUP BY account_id) own ON own.account_id = a.id
    LEFT JOIN (SELECT client_id, currency, max(change_id) AS change_id FROM account.limit_sets
               WHERE scope <> 'account' GROUP BY client_id, currency) client
        ON client.client_id = a.client_id AND client.currency = a.currency
    WHERE a.limited
)"""
_OUTGOING = """(
    SELECT moved.account_id, w.period,
           date_trunc(w.period, moved.at AT TIME ZONE a.time_zone)::date AS starts_on,
           count(*) AS count, sum(moved.minor) AS sum_minor
    FROM (
        SELECT e.account_id, e.posted_at AS at, -e.amount_minor AS minor
        FROM account.entries e
        JOIN account.postings p ON p.id = e.posting_id AND p.kind IN ('transfer', 'withdrawal')
        WHERE e.amount_minor < 0
        UNION ALL
        SELECT account_id, placed_at,
               CASE WHEN state = 'OPEN' THEN amount_minor + tolerance_minor ELSE captured_minor END
        FROM account.holds WHERE state = 'OPEN' OR captured_minor > 0
    ) moved
    JOIN account.accounts a ON a.id = moved.account_id AND a.limited
    CROSS JOIN (VALUES ('day'), ('month')) AS w (period)
    GROUP BY 1, 2, 3
)"""

CHECKS: tuple[Check, ...] = (
    query(
        2,
        "what counts against limits is what the ledger says has left in the window",
        count="SELECT count(*) FROM account.limit_usage",
        offender=f"""
            SELECT format('account %s of %s: in the %s from %s %s payments of %s count, the ledger has %s '
                          'of %s', a.reference, a.client_id, u.period, u.starts_on, u.count, u.sum_minor,
                          coalesce(o.count, 0), coalesce(o.sum_minor, 0))
            FROM account.limit_usage u
            JOIN account.accounts a ON a.id = u.account_id
            JOIN {_IN_FORCE} f ON f.account_id = u.account_id AND f.change_id = u.counted_under
            LEFT JOIN {_OUTGOING} o
                ON o.account_id = u.account_id AND o.period = u.period AND o.starts_on = u.starts_on
            WHERE u.count <> coalesce(o.count, 0) OR u.sum_minor <> coalesce(o.sum_minor, 0)
            ORDER BY u.account_id, u.period, u.starts_on LIMIT 1
        """,  # noqa: S608 - constants of this module
    ),
    query(
        2,
        "each set of limits is as its newest change says",
        count="SELECT count(*) FROM account.limit_sets",
        offender="""
            SELECT format('the limits of %s for %s (%s) are not those of their newest change %s', s.client_id,
                          s.currency, s.scope, n.id)
            FROM account.limit_sets s
            FULL JOIN (SELECT DISTINCT ON (client_id, currency, scope, kyc_level, account_id) *
                       FROM account.limit_changes
                       ORDER BY client_id, currency, scope, kyc_level, account_id, id DESC) n
                ON n.id = s.change_id
            WHERE (s.client_id, s.currency, s.scope, s.kyc_level, s.account_id, s.payment_min, s.payment_max,
                   s.daily_count, s.daily_sum, s.monthly_count, s.monthly_sum)
                  IS DISTINCT FROM
                  (n.client_id, n.currency, n.scope, n.kyc_level, n.account_id, n.payment_min, n.payment_max,
                   n.daily_count, n.daily_sum, n.monthly_count, n.monthly_sum)
            ORDER BY s.change_id LIMIT 1
        """,
    ),
    query(
        2,
        "each account is in the time zone that its history ends with",
        count="SELECT count(*) FROM account.account_time_zone_changes",
        offender="""
            SELECT format('account %s of %s is in %s, its history ends in %s', a.reference, a.client_id,
                          a.time_zone, coalesce(c.time_zone, 'UTC'))
            FROM account.accounts a
            LEFT JOIN (SELECT DISTINCT ON (account_id) account_id, time_zone
                       FROM account.account_time_zone_changes ORDER BY account_id, id DESC) c
                ON c.account_id = a.id
            WHERE a.time_zone <> coalesce(c.time_zone, 'UTC') ORDER BY a.id LIMIT 1
        """,
    ),
)
