"""What a superuser may do to customers and their directory, as SQL, with the check that must find it."""

_CUSTOMER = "(SELECT id FROM account.customers ORDER BY id LIMIT 1)"
_HANDLES = "each customer can be paid under its own handles and under no others"
_ACCOUNTS = "each customer is paid on its own account, of its client and currency"
_HOLDERS = "no holder's name stands in plain text, and each is sealed once"
_LEVELS = "each customer has the level that was approved last, and its accounts have it too"

CUSTOMER_TAMPERINGS: dict[str, tuple[str, ...]] = {
    "a name in plain text": (
        _HOLDERS,
        "UPDATE account.accounts SET holder = 'Jana' WHERE id = "
        "(SELECT min(id) FROM account.accounts WHERE kind = 'customer')",
    ),
    "a holder forgotten": (
        _HOLDERS,
        "DELETE FROM account.account_holders WHERE account_id = "
        "(SELECT min(account_id) FROM account.account_holders)",
    ),
    "a handle that is another's": (
        _HANDLES,
        "UPDATE transaction.party_handles SET handle = repeat('a', 64) WHERE handle = "
        f"(SELECT mobile_handle FROM account.customers WHERE id = {_CUSTOMER})",
    ),
    "a handle forgotten": (
        _HANDLES,
        "DELETE FROM transaction.party_handles WHERE handle = "
        f"(SELECT email_handle FROM account.customers WHERE id = {_CUSTOMER})",
    ),
    "a handle too many": (
        _HANDLES,
        "INSERT INTO transaction.party_handles SELECT client_id, repeat('b', 64), id "
        f"FROM account.customers WHERE id = {_CUSTOMER}",
    ),
    "a handle of another client's": (
        _HANDLES,
        f"UPDATE transaction.party_handles SET client_id = 'other' WHERE customer_id = {_CUSTOMER}",
    ),
    "a customer whom nobody has registered": (
        _HANDLES,
        "INSERT INTO transaction.party_handles VALUES ('demo', repeat('c', 64), gen_random_uuid())",
    ),
    "a number changed without a word": (
        _HANDLES,
        f"UPDATE account.customers SET mobile_handle = repeat('d', 64) WHERE id = {_CUSTOMER}",
    ),
    "a customer paid on another's account": (
        _ACCOUNTS,
        f"UPDATE transaction.party_accounts SET account = 'B' WHERE customer_id = {_CUSTOMER}",
    ),
    "an account forgotten": (
        _ACCOUNTS,
        f"DELETE FROM transaction.party_accounts WHERE customer_id = {_CUSTOMER}",
    ),
    "an account that is not the customer's": (
        _ACCOUNTS,
        f"INSERT INTO transaction.party_accounts VALUES ('demo', {_CUSTOMER}, 'JPY', 'C', now())",
    ),
    "an account given to a customer of another client": (
        _ACCOUNTS,
        f"UPDATE account.customers SET client_id = 'other' WHERE id = {_CUSTOMER}",
    ),
    "a level that nobody approved": (
        _LEVELS,
        f"UPDATE account.customers SET kyc_level = 'full' WHERE id = {_CUSTOMER}",
    ),
    "a decision removed": (
        _LEVELS,
        "DELETE FROM account.customer_kyc_events WHERE state = 'approved'",
    ),
    "an account of another level than its customer": (
        _LEVELS,
        "UPDATE account.accounts SET kyc_level = 'full' WHERE id = (SELECT account_id FROM "
        f"account.customer_accounts WHERE customer_id = {_CUSTOMER} LIMIT 1)",
    ),
}
