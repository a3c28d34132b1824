"""What a superuser may do to the books' own accounts and to debts, with the check that must find it."""

_SPENDER = "(SELECT id FROM account.accounts WHERE reference = 'SPENDER')"
_LENDER = "(SELECT id FROM account.accounts WHERE reference = 'system:receivable:EUR')"
_TILL = "(SELECT id FROM account.accounts WHERE reference = 'system:settlement:till:EUR')"
_LENT = "(SELECT id FROM account.postings WHERE kind = 'reversal' AND owed_by IS NOT NULL)"
_COLLECTED = "(SELECT id FROM account.postings WHERE kind = 'collection')"
_PAID_OUT = "(SELECT id FROM account.postings WHERE kind = 'withdrawal')"
_PAID_IN = f"(SELECT posting_id FROM account.entries WHERE account_id = {_TILL} AND amount_minor < 0 LIMIT 1)"
_CROSSES = "money crosses the books' own accounts by the postings that are for it, and by no others"
_SHOWN = "each receivable account stands below zero by what accounts of its client owe"
_PART = "a receivable account paid a part of a reversal, or all of it, and never more"
_BACK = "no account has paid back more than it owed"
_WANTED = "receivable accounts lend for clients that have it so, and for no others"
_ASKED = "money was paid in, out or back because it was asked for, once, and opened with once"
_PARTIES = "each settled payment was posted once, between its parties, for its amount"
_KIND = "ALTER TABLE account.postings DROP CONSTRAINT postings_tell_whose_debt"
_MOVED_TO = "UPDATE account.entries SET entry_number = 900, account_id ="

MONEY_TAMPERINGS: dict[str, tuple[str, ...]] = {
    "money paid in that came from an account's opening": (
        _CROSSES,
        f"{_MOVED_TO} (SELECT id FROM account.accounts WHERE reference = 'system:opening-balances:EUR') "
        f"WHERE posting_id = {_PAID_IN} AND leg = 1",
    ),
    "money paid in that came from a customer": (
        _CROSSES,
        f"{_MOVED_TO} (SELECT id FROM account.accounts WHERE reference = 'B') "
        f"WHERE posting_id = {_PAID_IN} AND leg = 1",
    ),
    "a withdrawal that went to a customer": (
        _CROSSES,
        f"{_MOVED_TO} (SELECT id FROM account.accounts WHERE reference = 'B') "
        f"WHERE posting_id = {_PAID_OUT} AND leg = 2",
    ),
    "a withdrawal that brought money in": (
        _CROSSES,
        f"UPDATE account.entries SET amount_minor = -amount_minor WHERE posting_id = {_PAID_OUT}",
    ),
    "a withdrawal told as a deposit": (
        _CROSSES,
        f"UPDATE account.postings SET kind = 'deposit' WHERE id = {_PAID_OUT}",
    ),
    "a reversal that a settlement account paid for": (
        _CROSSES,
        f"{_MOVED_TO} {_TILL} WHERE posting_id = {_LENT} AND account_id = {_LENDER}",
    ),
    "a debt that nobody owes": (_CROSSES, f"UPDATE account.postings SET owed_by = NULL WHERE id = {_LENT}"),
    "a debt let go of": (_SHOWN, f"UPDATE account.postings SET owed_by = NULL WHERE id = {_LENT}"),
    "a receivable account with less owed to it": (
        _SHOWN,
        f"UPDATE account.accounts SET posted_minor = posted_minor + 1 WHERE id = {_LENDER}",
    ),
    "a debt of another payee": (
        _SHOWN,
        "UPDATE account.postings SET owed_by = (SELECT id FROM account.accounts WHERE reference = 'B') "
        f"WHERE id = {_LENT}",
    ),
    "a debt of another payee, found by its payment": (
        _PARTIES,
        "UPDATE account.postings SET owed_by = (SELECT id FROM account.accounts WHERE reference = 'B') "
        f"WHERE id = {_LENT}",
    ),
    "another's debt paid back": (
        _SHOWN,
        "UPDATE account.postings SET owed_by = (SELECT id FROM account.accounts WHERE reference = 'B') "
        f"WHERE id = {_COLLECTED}",
    ),
    "more lent than was given back": (
        _PART,
        f"UPDATE account.entries SET amount_minor = 1 WHERE posting_id = {_LENT} AND account_id = {_SPENDER}",
    ),
    "nothing lent by a reversal that lends": (
        _PART,
        f"UPDATE account.entries SET amount_minor = -100 WHERE posting_id = {_LENT} "
        f"AND account_id = {_SPENDER}",
    ),
    "more paid back than was owed": (
        _BACK,
        f"UPDATE account.entries SET amount_minor = sign(amount_minor) * 71 WHERE posting_id = {_COLLECTED}",
    ),
    "a debt paid back before it was made": (
        _BACK,
        f"UPDATE account.entries SET entry_number = 900 WHERE posting_id = {_LENT} "
        f"AND account_id = {_LENDER}",
    ),
    "a policy that never was": (_WANTED, "DELETE FROM account.reversal_policy_changes"),
    "a collection that nobody asked for": (
        _ASKED,
        "DELETE FROM account.idempotency_keys WHERE operation = 'collection'",
    ),
    "a withdrawal that nobody asked for": (
        _ASKED,
        "DELETE FROM account.idempotency_keys WHERE operation = 'withdrawal'",
    ),
    "a collection told as a withdrawal": (
        _ASKED,
        _KIND,
        f"UPDATE account.postings SET kind = 'withdrawal' WHERE id = {_COLLECTED}",
    ),
}
