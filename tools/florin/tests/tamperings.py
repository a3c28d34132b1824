"""What a superuser may do to the books with one hand, as SQL, with the invariant that each breaks."""

FIRST = "(SELECT id FROM transaction.payments WHERE reference = 'P-3')"
SECOND = "(SELECT id FROM transaction.payments WHERE reference = 'P-4')"
REJECTED = "(SELECT id FROM transaction.payments WHERE reference = 'F-1')"
REVIEWED = "(SELECT id FROM transaction.payments WHERE reference = 'R-1')"
POSTING = f"(SELECT id FROM account.postings WHERE payment_id = {FIRST})"
_ACCOUNT_A = "(SELECT id FROM account.accounts WHERE reference = 'A')"
_NOTICE = f"type = 'florin.payment.settled.v1' AND subject = {FIRST}::text"

TAMPERINGS: dict[str, tuple[int | str, ...]] = {
    "an entry's amount": (
        1,
        f"UPDATE account.entries SET amount_minor = 7 WHERE posting_id = {POSTING} AND leg = 2",
    ),
    "an entry removed": (1, f"DELETE FROM account.entries WHERE posting_id = {POSTING} AND leg = 2"),
    "an entry moved to another account": (
        2,
        f"UPDATE account.entries SET account_id = {_ACCOUNT_A}, entry_number = 9999 "
        f"WHERE posting_id = {POSTING} AND leg = 2",
    ),
    "an entry's currency": (
        1,
        f"UPDATE account.entries SET currency = 'USD' WHERE posting_id = {POSTING} AND leg = 2",
    ),
    "a balance": (2, "UPDATE account.accounts SET posted_minor = posted_minor + 1 WHERE reference = 'A'"),
    "a running balance": (
        2,
        f"UPDATE account.entries SET balance_after_minor = 5 WHERE posting_id = {POSTING} AND leg = 2",
    ),
    "what is held": (2, "UPDATE account.accounts SET held_minor = held_minor + 1 WHERE reference = 'A'"),
    "an overdraft": (
        2,
        "INSERT INTO account.account_overdraft_changes (account_id, previous_minor, overdraft_minor, reason, "
        f"author, changed_at) VALUES ({_ACCOUNT_A}, 0, 5, 'r', 'a', now())",
    ),
    "a hold that nobody asked for": (
        2,
        "INSERT INTO account.holds (payment_id, client_id, account_id, creditor, amount_minor, currency, "
        "tolerance_minor, captured_many_times, expires_at, placed_at) VALUES (gen_random_uuid(), 'demo', "
        f"{_ACCOUNT_A}, 'B', 1, 'EUR', 0, false, now(), now())",
    ),
    "a capture of nothing": (
        6,
        f"UPDATE account.postings SET kind = 'capture', captures = gen_random_uuid() WHERE id = {POSTING}",
    ),
    "an account's state": (2, "UPDATE account.accounts SET state = 'FROZEN' WHERE reference = 'A'"),
    "a payment's amount": (8, f"UPDATE transaction.payments SET amount_minor = 1 WHERE id = {FIRST}"),
    "a payment's creditor": (8, f"UPDATE transaction.payments SET creditor = 'C' WHERE id = {FIRST}"),
    "a payment's description": (8, f"UPDATE transaction.payments SET description = 'x' WHERE id = {FIRST}"),
    "a payment's currency, to none": (
        8,
        f"UPDATE transaction.payments SET currency = 'XXX' WHERE id = {FIRST}",
    ),
    "a payment removed": (3, f"DELETE FROM transaction.payments WHERE id = {FIRST}"),
    "a lifecycle's tail cut off": (
        3,
        f"DELETE FROM transaction.payment_events WHERE payment_id = {FIRST} AND sequence = 3",
    ),
    "a lifecycle event's time": (
        8,
        "UPDATE transaction.payment_events SET occurred_at = now() "
        f"WHERE payment_id = {FIRST} AND sequence = 2",
    ),
    "a lifecycle event's reason": (
        8,
        f"UPDATE transaction.payment_events SET reason = 'x' WHERE payment_id = {REJECTED} AND sequence = 2",
    ),
    "two lifecycles exchanged": (
        8,
        f"UPDATE transaction.payment_events SET payment_id = CASE payment_id WHEN {FIRST} THEN {SECOND} "
        f"ELSE {FIRST} END, sequence = sequence + 500 WHERE payment_id IN ({FIRST}, {SECOND})",
        "UPDATE transaction.payment_events SET sequence = sequence - 500 WHERE sequence > 500",
    ),
    "an illegal move": (
        3,
        "UPDATE transaction.payment_events SET status = 'SETTLED' "
        f"WHERE payment_id = {REJECTED} AND sequence = 2",
    ),
    "a projection": (
        3,
        f"UPDATE transaction.payment_states SET status = 'REJECTED' WHERE payment_id = {FIRST}",
    ),
    "a payment forgotten half-way": (3, f"DELETE FROM fraud.review_queue WHERE payment_id = {REVIEWED}"),
    "a notice that says something else": (
        3,
        f"""UPDATE transaction.outbox SET body = replace(body, '"SETTLED"', '"REJECTED"') WHERE {_NOTICE}""",
    ),
    "a notice that was never written": (3, f"DELETE FROM transaction.outbox WHERE {_NOTICE}"),
    "a rejected payment posted": (
        4,
        f"UPDATE account.postings SET payment_id = {REJECTED} WHERE id = {POSTING}",
    ),
    "a declined payment that stands": (
        4,
        f"UPDATE account.posting_declines SET code = 'debtor_closed' WHERE payment_id = {REJECTED}",
    ),
    "a payment posted though screening declined": (
        4,
        f"UPDATE fraud.decisions SET decision = 'decline' WHERE payment_id = {FIRST}",
    ),
    "two payments under one key": (
        5,
        "ALTER TABLE transaction.payments DROP CONSTRAINT payments_client_id_idempotency_key_key",
        f"UPDATE transaction.payments SET idempotency_key = 'import:P-4' WHERE id = {FIRST}",
    ),
    "a settled payment never posted": (
        6,
        f"DELETE FROM account.postings WHERE id = {POSTING}",
    ),
    "a posting between others": (
        6,
        f"UPDATE account.entries SET account_id = (SELECT id FROM account.accounts WHERE reference = 'C') "
        f"WHERE posting_id = {POSTING} AND leg = 2",
    ),
    "a payment never screened": (6, f"DELETE FROM fraud.decisions WHERE payment_id = {FIRST}"),
    "a reversal forgotten": (
        6,
        "UPDATE transaction.payment_states SET reversed_minor = 0 WHERE reversed_minor > 0",
    ),
    "a message that never arrived": (
        6,
        f"DELETE FROM fraud.inbox WHERE event_id = (SELECT event_id FROM transaction.outbox "
        f"WHERE type = 'florin.payment.initiated.v1' AND subject = {FIRST}::text)",
    ),
    "an event never sent": (
        7,
        f"INSERT INTO transaction.outbox_unsent SELECT position FROM transaction.outbox WHERE {_NOTICE}",
    ),
    "a trigger removed": (9, "DROP TRIGGER payments_is_append_only ON transaction.payments"),
    "a trigger disabled": (9, "ALTER TABLE account.entries DISABLE TRIGGER entries_is_append_only"),
    "a trigger for replicas only": (
        9,
        "ALTER TABLE account.entries ENABLE REPLICA TRIGGER entries_is_not_truncated",
    ),
    "a trigger function that lets pass": (
        9,
        "CREATE OR REPLACE FUNCTION fraud.refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NEW; END'",
    ),
    "a right granted": (9, "GRANT DELETE ON account.entries TO account_app"),
    "a right granted on one column": (9, "GRANT UPDATE (amount_minor) ON account.entries TO account_app"),
    "a role raised": (9, "GRANT account_owner TO account_app"),
    "a message with a name in it": (
        10,
        f"""UPDATE transaction.outbox SET body = replace(body, '"subject"', '"holder":"Eve","subject"')
        WHERE {_NOTICE}""",
    ),
    "a message's data with a name in it": (
        10,
        f"""UPDATE transaction.outbox SET body = replace(body, '"kind"', '"holder":"Eve","kind"')
        WHERE {_NOTICE}""",
    ),
    "a message that is none": (10, f"UPDATE transaction.outbox SET body = '[]' WHERE {_NOTICE}"),
}
