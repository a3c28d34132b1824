"""What a superuser may do who knows the code: hashes and chains are computed anew, balances, numbers and
projections fit, and what was told about it is removed.

Each with the invariant that it breaks and, as SQL, words that the first bad row must be named with.
"""

from .tamperings import FIRST, POSTING, REJECTED

FORGED = "00000000-0000-7000-8000-000000000001"

# Computes a payment's hashes anew, as domain/hashing.py does: record, events, projection.
_REHASH = r"""
    CREATE FUNCTION pg_temp.quoted(word anyelement) RETURNS text LANGUAGE sql
        AS $$ SELECT coalesce(to_json(word)::text, 'null') $$;
    CREATE FUNCTION pg_temp.moment(at timestamptz) RETURNS text LANGUAGE sql
        AS $$ SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;
    CREATE FUNCTION pg_temp.rehash(payment uuid) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE p record; e record; link bytea;
    BEGIN
        SELECT * INTO p FROM transaction.payments WHERE id = payment;
        link := sha256(convert_to(format(E'florin-payment-v1\n{"amount_minor":%s,"capture":"%s",'
            '"client_id":"%s","created_at":"%s","creditor":"%s","currency":"%s","debtor":"%s","description":%s,'
            '"id":"%s","idempotency_key":"%s","kind":"%s","metadata":%s,"reference":%s,"reverses":%s}',
            p.amount_minor, p.capture, p.client_id, pg_temp.moment(p.created_at), p.creditor, p.currency,
            p.debtor, pg_temp.quoted(p.description), p.id, p.idempotency_key, p.kind, p.metadata,
            pg_temp.quoted(p.reference), pg_temp.quoted(p.reverses)), 'UTF8'));
        UPDATE transaction.payments SET hash = link WHERE id = payment;
        FOR e IN SELECT * FROM transaction.payment_events WHERE payment_id = payment ORDER BY sequence LOOP
            UPDATE transaction.payment_events SET previous_hash = link, hash = sha256(convert_to(format(
                E'florin-payment-event-v1\n{"occurred_at":"%s","payment_id":"%s","previous_hash":"%s",'
                '"reason":%s,"sequence":%s,"status":"%s"}', pg_temp.moment(e.occurred_at), payment,
                encode(link, 'hex'), pg_temp.quoted(e.reason), e.sequence, e.status), 'UTF8'))
            WHERE payment_id = payment AND sequence = e.sequence RETURNING hash INTO link;
        END LOOP;
        UPDATE transaction.payment_states s SET status = l.status, sequence = l.sequence, reason = l.reason,
            last_hash = l.hash, updated_at = l.occurred_at, amount_minor = p.amount_minor
        FROM (SELECT * FROM transaction.payment_events WHERE payment_id = payment
              ORDER BY sequence DESC LIMIT 1) l WHERE s.payment_id = payment;
    END $$
"""
# Computes running balances and balances anew from the entries, and numbers them without a gap.
_REBALANCE = """
    CREATE FUNCTION pg_temp.rebalance() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE account.entries SET entry_number = entry_number + 1000000;
        UPDATE account.entries e SET entry_number = r.place, balance_after_minor = r.running
        FROM (SELECT posting_id, leg, row_number() OVER life AS place, sum(amount_minor) OVER life AS running
              FROM account.entries WINDOW life AS (PARTITION BY account_id ORDER BY entry_number)) r
        WHERE (r.posting_id, r.leg) = (e.posting_id, e.leg);
        UPDATE account.accounts a SET posted_minor = coalesce(r.total, 0), version = coalesce(r.entries, 0)
        FROM account.accounts b LEFT JOIN (SELECT account_id, sum(amount_minor) AS total, count(*) AS entries
            FROM account.entries GROUP BY account_id) r ON r.account_id = b.id WHERE b.id = a.id;
    END $$
"""


def _without_a_trace(payment: str) -> tuple[str, ...]:
    """Removes all that the transaction service knows of a payment, and what notification was told."""
    kept = "CREATE TEMPORARY TABLE gone ON COMMIT DROP AS SELECT id FROM transaction.payments"
    return (
        f"{kept} WHERE id = {payment}",
        "DELETE FROM transaction.outbox WHERE subject IN (SELECT id::text FROM gone)",
        "DELETE FROM transaction.payment_events WHERE payment_id IN (SELECT id FROM gone)",
        "DELETE FROM transaction.payment_states WHERE payment_id IN (SELECT id FROM gone)",
        "DELETE FROM transaction.payments WHERE id IN (SELECT id FROM gone)",
    )


def _pay_in(kind: str) -> tuple[str, ...]:
    """Makes money: 5 euros from a system account to B, in one balanced posting."""
    entry = (
        f"INSERT INTO account.entries SELECT '{FORGED}', {{leg}}, id, version + 1, {{amount}}, 0, currency, "
        "now() FROM account.accounts WHERE currency = 'EUR' AND {which} LIMIT 1"
    )
    return (
        "INSERT INTO account.postings (id, client_id, kind, posted_at) "
        f"VALUES ('{FORGED}', 'demo', '{kind}', now())",
        entry.format(leg=1, amount=-500, which="kind = 'system'"),
        entry.format(leg=2, amount=500, which="reference = 'B'"),
    )


_NO_HASH = "decode(repeat('0', 64), 'hex')"
_DENIED = "(SELECT id FROM transaction.payments WHERE reference = 'D-1')"
_EVENT = "transaction.payment_events"
_TIME = f"(SELECT occurred_at FROM {_EVENT} WHERE payment_id = {FIRST} AND sequence = 1)"
_RECHAINED = (_REHASH, f"SELECT pg_temp.rehash({FIRST})")
_BALANCED = (_REBALANCE, "SELECT pg_temp.rebalance()")
_ACCOUNT_B = "(SELECT id FROM account.accounts WHERE reference = 'B')"

CAREFUL: dict[str, tuple[int, str, tuple[str, ...]]] = {
    "payments: one edited": (
        6,
        f"format('payment %s is settled, and posting', {FIRST})",
        (f"UPDATE transaction.payments SET amount_minor = 1 WHERE id = {FIRST}", *_RECHAINED),
    ),
    "payments: a settled one deleted": (
        6,
        f"format('moved money of payment %s, which is unknown', {FIRST})",
        _without_a_trace(FIRST),
    ),
    "payments: the tail truncated, of one that moved nothing": (
        6,
        f"format('payment %s was screened', {_DENIED})",
        _without_a_trace(_DENIED),
    ),
    "payments: one inserted": (
        6,
        f"'payment {FORGED} is settled, and no posting'",
        (
            "INSERT INTO transaction.payments SELECT (jsonb_populate_record(p, jsonb_build_object("
            f"'id', '{FORGED}', 'idempotency_key', 'forged', 'reference', 'forged'))).* "
            f"FROM transaction.payments p WHERE id = {FIRST}",
            f"INSERT INTO {_EVENT} SELECT '{FORGED}', sequence, status, reason, occurred_at, previous_hash, "
            f"hash FROM {_EVENT} WHERE payment_id = {FIRST}",
            f"INSERT INTO transaction.payment_states SELECT '{FORGED}', client_id, amount_minor, status, "
            "sequence, reason, last_hash, 0, updated_at FROM transaction.payment_states "
            f"WHERE payment_id = {FIRST}",
            _REHASH,
            f"SELECT pg_temp.rehash('{FORGED}')",
        ),
    ),
    "payments: one put before another": (
        6,
        f"format('payment %s is SETTLED and screening says approve', {FIRST})",
        (
            f"UPDATE transaction.payments SET created_at = created_at - interval '1 hour' WHERE id = {FIRST}",
            *_RECHAINED,
        ),
    ),
    "lifecycle: an event edited": (
        4,
        f"format('payment %s was declined (insufficient_funds) and yet', {REJECTED})",
        (
            f"UPDATE {_EVENT} SET reason = 'debtor_closed' WHERE payment_id = {REJECTED} AND sequence = 2",
            f"DELETE FROM transaction.outbox WHERE subject = {REJECTED}::text",
            _REHASH,
            f"SELECT pg_temp.rehash({REJECTED})",
        ),
    ),
    "lifecycle: an event deleted": (
        3,
        f"format('payment %s event 2: from PENDING to SETTLED is no legal move', {FIRST})",
        (
            f"DELETE FROM {_EVENT} WHERE payment_id = {FIRST} AND sequence = 2",
            f"UPDATE {_EVENT} SET sequence = 2 WHERE payment_id = {FIRST} AND sequence = 3",
            *_RECHAINED,
        ),
    ),
    "lifecycle: the tail truncated": (
        3,
        f"format('payment %s has been PENDING since', {FIRST})",
        (
            f"DELETE FROM {_EVENT} WHERE payment_id = {FIRST} AND sequence > 1",
            f"DELETE FROM transaction.outbox WHERE subject = {FIRST}::text",
            *_RECHAINED,
        ),
    ),
    "lifecycle: an event inserted": (
        6,
        f"format('payment %s was held for review, and screening said approve', {FIRST})",
        (
            f"UPDATE {_EVENT} SET sequence = sequence + 1 WHERE payment_id = {FIRST} AND sequence = 3",
            f"UPDATE {_EVENT} SET sequence = sequence + 1 WHERE payment_id = {FIRST} AND sequence = 2",
            f"INSERT INTO {_EVENT} VALUES ({FIRST}, 2, 'REVIEW', NULL, {_TIME}, {_NO_HASH}, {_NO_HASH})",
            f"DELETE FROM transaction.outbox WHERE subject = {FIRST}::text",
            *_RECHAINED,
        ),
    ),
    "lifecycle: events reordered": (
        3,
        f"format('payment %s event 2: from PENDING to SETTLED is no legal move', {FIRST})",
        (
            f"UPDATE {_EVENT} SET status = CASE sequence WHEN 2 THEN 'SETTLED' ELSE 'APPROVED' END "
            f"WHERE payment_id = {FIRST} AND sequence > 1",
            *_RECHAINED,
        ),
    ),
    "entries: both of a posting edited": (
        6,
        f"format('payment %s is settled, and posting %s is over 7 EUR', {FIRST}, {POSTING})",
        (
            f"UPDATE account.entries SET amount_minor = sign(amount_minor) * 7 WHERE posting_id = {POSTING}",
            *_BALANCED,
        ),
    ),
    "entries: a deposit deleted": (
        6,
        "'was answered as a deposit and is not there'",
        (
            "DELETE FROM account.entries e USING account.postings p "
            "WHERE p.id = e.posting_id AND p.kind = 'deposit'",
            "DELETE FROM account.postings WHERE kind = 'deposit'",
            *_BALANCED,
        ),
    ),
    "entries: the tail truncated": (
        6,
        "'is settled, and no posting moved its money'",
        (
            "CREATE TEMPORARY TABLE last ON COMMIT DROP AS SELECT posting_id AS id FROM account.entries "
            "ORDER BY posted_at DESC, posting_id DESC LIMIT 1",
            "DELETE FROM account.entries WHERE posting_id IN (SELECT id FROM last)",
            "DELETE FROM account.postings WHERE id IN (SELECT id FROM last)",
            *_BALANCED,
        ),
    ),
    "entries: money paid in by nobody": (
        6,
        f"'posting {FORGED}'",
        (*_pay_in("deposit"), *_BALANCED),
    ),
    "entries: money opened with long after": (
        6,
        f"'posting {FORGED}'",
        (*_pay_in("opening_balance"), *_BALANCED),
    ),
    "entries: reordered": (
        2,
        "'in one order'",
        (
            f"UPDATE account.entries SET entry_number = 4000000 - entry_number "
            f"WHERE account_id = {_ACCOUNT_B}",
            *_BALANCED,
        ),
    ),
}
