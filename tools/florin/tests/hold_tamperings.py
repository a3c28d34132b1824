"""What a superuser may do to held money, as SQL, with the name of the check that must find it."""


def _payment(reference: str) -> str:
    return f"(SELECT id FROM transaction.payments WHERE reference = '{reference}')"


_PARTLY, _IN_PARTS, _VOIDED, _OPEN = (_payment(f"H-{number}") for number in range(1, 5))
_CAPTURE = f"(SELECT id FROM transaction.payments WHERE captures = {_PARTLY})"
_POSTING = f"(SELECT id FROM account.postings WHERE payment_id = {_CAPTURE})"
_HOLD = "UPDATE account.holds SET"
_OF_ACCOUNTS = "what is held of each account is what its open holds still hold"
_HISTORY = (
    "what was held of each account after its last change is what is held of it, and no change is missing"
)
_OF_CAPTURES = "what was captured of each hold is what its captures moved, within its amount and tolerance"
_ENDED = "each hold ended once, when it had to, and gave back what was not captured"
_LINKED = "each capture took from a hold, and is linked to the payment that holds"
_STANDS = "each authorisation has its hold, and both stand at the same"
_KNOWN = "each hold is of a payment, and its end is known there as it was"
_SUMMED = "what was captured of an authorisation is what its captures come to"
_SCREENED = "what was settled or declined had been screened, as the payment that it is"
_OVERDRAFT = "each overdraft is the one that its history ends with, each change made to the one before"
_BEYOND = "no account ever stood beyond its overdraft"

HOLD_TAMPERINGS: dict[str, tuple[str, ...]] = {
    "held money let go of": (
        _OF_ACCOUNTS,
        "UPDATE account.accounts SET held_minor = 0 WHERE held_minor > 0",
    ),
    "a change of what was held left out": (
        _HISTORY,
        "DELETE FROM account.held_changes WHERE change_number = 2",
    ),
    "a history that ends elsewhere": (
        _HISTORY,
        "UPDATE account.held_changes SET held_after_minor = held_after_minor + 1",
    ),
    "a hold of more": (_OF_ACCOUNTS, f"{_HOLD} amount_minor = 501 WHERE payment_id = {_OPEN}"),
    "a hold that never was": (
        _OF_ACCOUNTS,
        f"INSERT INTO account.holds (payment_id, client_id, account_id, creditor, amount_minor, currency, "
        "tolerance_minor, captured_many_times, expires_at, placed_at) SELECT gen_random_uuid(), client_id, "
        "account_id, creditor, amount_minor, currency, tolerance_minor, captured_many_times, expires_at, "
        f"placed_at FROM account.holds WHERE payment_id = {_OPEN}",
    ),
    "more captured than was moved": (
        _OF_CAPTURES,
        f"{_HOLD} captured_minor = captured_minor + 1 WHERE payment_id = {_PARTLY}",
    ),
    "more captured than was held": (
        _OF_CAPTURES,
        "ALTER TABLE account.holds DROP CONSTRAINT holds_are_captured_within_their_limit",
        f"{_HOLD} amount_minor = 299 WHERE payment_id = {_PARTLY}",
    ),
    "a capture for somebody else": (
        _OF_CAPTURES,
        "UPDATE account.entries SET account_id = (SELECT id FROM account.accounts WHERE reference = 'C'), "
        f"entry_number = 900 WHERE posting_id = {_POSTING} AND leg = 2",
    ),
    "a capture from somebody else": (
        _OF_CAPTURES,
        "UPDATE account.entries SET account_id = (SELECT id FROM account.accounts WHERE reference = 'C'), "
        f"entry_number = 900 WHERE posting_id = {_POSTING} AND leg = 1",
    ),
    "a hold captured twice that may be once": (
        _ENDED,
        f"{_HOLD} captured_many_times = false WHERE payment_id = {_IN_PARTS}",
    ),
    "a captured hold opened again": (
        _ENDED,
        f"{_HOLD} state = 'OPEN', ended_at = NULL, reason = NULL, author = NULL WHERE payment_id = {_PARTLY}",
    ),
    "a capture after the end": (
        _ENDED,
        f"{_HOLD} ended_at = placed_at WHERE payment_id = {_PARTLY}",
    ),
    "a capture after the time was up": (
        _ENDED,
        f"{_HOLD} expires_at = placed_at WHERE payment_id = {_PARTLY}",
    ),
    "a hold that expired before its time": (
        _ENDED,
        f"{_HOLD} state = 'EXPIRED' WHERE payment_id = {_VOIDED}",
    ),
    "a capture linked to another authorisation": (
        _LINKED,
        f"UPDATE account.postings SET captures = {_VOIDED} WHERE id = {_POSTING}",
    ),
    "a capture linked to none": (
        _LINKED,
        "ALTER TABLE account.postings DROP CONSTRAINT postings_capture_names_its_hold",
        f"UPDATE account.postings SET captures = NULL WHERE id = {_POSTING}",
    ),
    "a payment that captures another than the ledger's": (
        _LINKED,
        f"UPDATE transaction.payments SET captures = {_OPEN} WHERE id = {_CAPTURE}",
    ),
    "an open authorisation without its hold": (
        _STANDS,
        f"DELETE FROM account.holds WHERE payment_id = {_OPEN}",
    ),
    "a voided hold that was captured to its payment": (
        _STANDS,
        f"UPDATE transaction.payment_states SET status = 'SETTLED' WHERE payment_id = {_VOIDED}",
    ),
    "a captured hold that was voided to its payment": (
        _STANDS,
        f"UPDATE transaction.payment_states SET status = 'VOIDED' WHERE payment_id = {_PARTLY}",
    ),
    "a hold that has ended and whose payment waits": (
        _STANDS,
        f"UPDATE transaction.payment_states SET status = 'APPROVED' WHERE payment_id = {_VOIDED}",
    ),
    "a hold in favour of another": (
        _STANDS,
        f"{_HOLD} creditor = 'C' WHERE payment_id = {_OPEN}",
    ),
    "an end that was never told": (
        _KNOWN,
        f"DELETE FROM transaction.hold_ends WHERE payment_id = {_VOIDED}",
    ),
    "an end told with other figures": (
        _KNOWN,
        f"UPDATE transaction.hold_ends SET released_minor = 1 WHERE payment_id = {_PARTLY}",
    ),
    "an end by another author": (
        _KNOWN,
        f"{_HOLD} author = 'nobody' WHERE payment_id = {_VOIDED}",
    ),
    "an end of a hold that is open": (
        _KNOWN,
        f"{_HOLD} state = 'OPEN', ended_at = NULL, reason = NULL, author = NULL WHERE payment_id = {_VOIDED}",
    ),
    "a hold of no payment": (
        _KNOWN,
        f"{_HOLD} payment_id = gen_random_uuid() WHERE payment_id = {_OPEN}",
    ),
    "a capture forgotten": (
        _SUMMED,
        f"UPDATE transaction.payment_states SET status = 'REJECTED' WHERE payment_id = {_CAPTURE}",
    ),
    "a capture that was screened": (
        _SCREENED,
        "INSERT INTO fraud.decisions SELECT (jsonb_populate_record(d, jsonb_build_object("
        f"'payment_id', {_CAPTURE}))).* FROM fraud.decisions d WHERE payment_id = {_PARTLY}",
    ),
    "an overdraft that nobody gave": (
        _OVERDRAFT,
        "UPDATE account.accounts SET overdraft_minor = 7 WHERE reference = 'B'",
    ),
    "a change of the overdraft removed": (
        _OVERDRAFT,
        "DELETE FROM account.account_overdraft_changes WHERE id = (SELECT max(id) FROM "
        "account.account_overdraft_changes)",
    ),
    "a balance beyond every overdraft there was": (
        _BEYOND,
        "UPDATE account.entries SET balance_after_minor = -101 WHERE (account_id, entry_number) = ("
        "(SELECT id FROM account.accounts WHERE reference = 'B'), 1)",
    ),
}
