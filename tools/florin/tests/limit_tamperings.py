"""What a superuser may do to limits and to what counts against them, with the check that must find it."""

_ACCOUNT = "(SELECT id FROM account.accounts WHERE reference = 'A')"
_USAGE = "what counts against limits is what the ledger says has left in the window"
_SETS = "each set of limits is as its newest change says"
_ZONES = "each account is in the time zone that its history ends with"

LIMIT_TAMPERINGS: dict[str, tuple[str, ...]] = {
    "less counted than has left": (
        _USAGE,
        "UPDATE account.limit_usage SET sum_minor = sum_minor - 1 WHERE period = 'day'",
    ),
    "a payment that does not count": (
        _USAGE,
        "UPDATE account.limit_usage SET count = count - 1 WHERE period = 'month'",
    ),
    "a hold that does not count": (
        _USAGE,
        "UPDATE account.holds SET placed_at = placed_at - interval '90 days' WHERE state = 'OPEN'",
    ),
    "limits raised without a change": (
        _SETS,
        f"UPDATE account.limit_sets SET daily_sum = daily_sum + 1 WHERE account_id = {_ACCOUNT}",
    ),
    "limits lifted": (_SETS, f"DELETE FROM account.limit_sets WHERE account_id = {_ACCOUNT}"),
    "limits as they were before": (
        _SETS,
        f"UPDATE account.limit_sets SET change_id = (SELECT min(id) FROM account.limit_changes) "
        f"WHERE account_id = {_ACCOUNT}",
    ),
    "a time zone that nobody set": (
        _ZONES,
        "UPDATE account.accounts SET time_zone = 'Asia/Tokyo' WHERE reference = 'B'",
    ),
}
