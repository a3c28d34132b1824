"""What a superuser may do to an audit log, with the check that must find it."""

_CHAIN = "each audit chain recomputes from its entries"
_BESIDE = "each audit entry is sealed or waits to be"
_WAITS = "no audit entry has waited for a minute"
_SECOND = "(SELECT entry_id FROM account.audit_seals WHERE position = 2)"
_COPIED = (
    "(at, client_id, by_client_id, actor, credential, action, subject_type, subject) "
    "SELECT at{at}, client_id, by_client_id, 'client:mallory', credential, action, subject_type, subject "
    f"FROM account.audit_entries WHERE id = {_SECOND}"
)
_INSERTED = f"INSERT INTO account.audit_entries {_COPIED}"
_NEWEST = "(SELECT max(id) FROM account.audit_entries)"

AUDIT_TAMPERINGS: dict[str, tuple[str, ...]] = {
    "an entry altered": (
        _CHAIN,
        f"UPDATE account.audit_entries SET actor = 'client:mallory' WHERE id = {_SECOND}",
    ),
    "an entry that says less": (
        _CHAIN,
        f"UPDATE account.audit_entries SET after = NULL WHERE id = {_SECOND}",
    ),
    "an entry taken out": (_CHAIN, f"DELETE FROM account.audit_entries WHERE id = {_SECOND}"),
    "a seal dropped": (_CHAIN, "DELETE FROM account.audit_seals WHERE position = 2"),
    "two entries exchanged": (
        _CHAIN,
        "CREATE TEMP TABLE exchanged ON COMMIT DROP AS "
        "SELECT position, entry_id FROM account.audit_seals WHERE position IN (2, 3)",
        "UPDATE account.audit_seals SET entry_id = -entry_id WHERE position IN (2, 3)",
        "UPDATE account.audit_seals s SET entry_id = e.entry_id FROM exchanged e "
        "WHERE s.position IN (2, 3) AND e.position = 5 - s.position",
    ),
    "an entry put between": (
        _CHAIN,
        _INSERTED.format(at=""),
        "UPDATE account.audit_seals SET position = position + 1000000 WHERE position >= 2",
        "UPDATE account.audit_seals SET position = position - 999999 WHERE position >= 1000000",
        "INSERT INTO account.audit_seals (position, entry_id, hash, sealed_at) "
        f"VALUES (2, {_NEWEST}, sha256('invented'), now())",
    ),
    "an entry and its seal taken out": (
        _CHAIN,
        "DELETE FROM account.audit_entries WHERE id = (SELECT entry_id FROM account.audit_seals "
        "WHERE position = 1)",
        "DELETE FROM account.audit_seals WHERE position = 1",
    ),
    "an entry put beside the chain": (_BESIDE, _INSERTED.format(at="")),
    "an entry kept from the chain": (
        _WAITS,
        _INSERTED.format(at=" - interval '1 hour'"),
        f"INSERT INTO account.audit_unsealed VALUES ({_NEWEST})",
    ),
    "a seal without its end": (
        _BESIDE,
        "DELETE FROM account.audit_seals WHERE position = (SELECT max(position) FROM account.audit_seals)",
    ),
}
