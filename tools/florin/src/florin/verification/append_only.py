"""Append-only tables: the database's catalog says that nobody can change them, the owner included."""

from collections.abc import Mapping

from service_kit.proposals.ddl import APPEND_ONLY as PROPOSALS

from florin.provision import app_of, owner_of
from florin.services import PROCESSES
from florin.verification.checks import Audit, Check, Finding, found

MESSAGING = ("inbox", "parked_actions", "quarantine")
AUDIT = ("audit_entries", "audit_seals")
TABLES: Mapping[str, tuple[str, ...]] = {
    "transaction": (
        *("payments", "payment_events", "payment_batches", "payment_metadata"),
        *("reversal_limit_changes", "approved_reversals", *PROPOSALS),
        *("hold_ends", "payment_voids", "payment_refusals", *MESSAGING, *AUDIT),
    ),
    "account": (
        *("postings", "entries", "posting_declines", "account_state_changes", "idempotency_keys"),
        *("account_overdraft_changes", "reversal_policy_changes", "held_changes"),
        *("limit_changes", "account_time_zone_changes"),
        *("customer_kyc_events", "customer_accounts"),
        *PROPOSALS,
        *MESSAGING,
        *AUDIT,
    ),
    "fraud": ("rule_sets", "decisions", "review_resolutions", *MESSAGING, *AUDIT),
    "notification": ("webhook_endpoint_changes", "notifications", "webhook_attempts", *MESSAGING, *AUDIT),
    "identity": (
        *("client_changes", "api_key_changes", "signing_key_changes"),
        *("revocations", "sign_in_attempts"),
        *AUDIT,
    ),
}
assert set(TABLES) == set(PROCESSES), "every schema has append-only tables"

# tgtype: 2 before, 1 each row, 8 delete, 16 update, 32 truncate (catalog pg_trigger).
_ROW, _STATEMENT = 1 | 2 | 8 | 16, 2 | 32
_TRIGGERS = """
    SELECT coalesce(bit_or(t.tgtype) FILTER (WHERE t.tgtype::int & 1 = 1), 0) AS of_rows,
           coalesce(bit_or(t.tgtype) FILTER (WHERE t.tgtype::int & 1 = 0), 0) AS of_statements
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = to_regclass($1) AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
      AND t.tgqual IS NULL AND coalesce(array_length(t.tgattr::smallint[], 1), 0) = 0
      AND p.proname = 'refuse_change' AND t.tgtype::int & 2 = 2
"""
_FUNCTIONS = """
    SELECT n.nspname AS schema FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.proname = 'refuse_change' AND n.nspname = ANY($1::text[])
      AND p.prosrc ~ '^\\s*BEGIN\\s+RAISE EXCEPTION' AND p.prosrc !~* '\\mRETURN\\M'
"""
_RIGHTS = """
    SELECT format('%s may %s %s', r.role, g.privilege, t.name)
    FROM unnest($1::text[], $2::text[]) AS t (name, role_of)
    CROSS JOIN unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE']) AS g (privilege)
    CROSS JOIN LATERAL (SELECT t.role_of AS role) r
    WHERE has_table_privilege(r.role, t.name, g.privilege)
       OR (g.privilege = 'UPDATE' AND has_any_column_privilege(r.role, t.name, 'UPDATE'))
    ORDER BY 1 LIMIT 1
"""
_ROLES = """
    SELECT format('%s %s', r.rolname, CASE
        WHEN r.rolsuper THEN 'is a superuser'
        WHEN r.rolbypassrls OR r.rolcreaterole OR r.rolreplication THEN 'has rights above its service'
        ELSE 'is a member of ' || (SELECT string_agg(m.roleid::regrole::text, ', ')
                                   FROM pg_auth_members m WHERE m.member = r.oid) END)
    FROM pg_roles r
    WHERE r.rolname = ANY($1::text[])
      AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication
           OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid))
    ORDER BY r.rolname LIMIT 1
"""


async def triggers_stand(audit: Audit) -> Finding:
    """Each table refuses UPDATE, DELETE and TRUNCATE by enabled triggers."""
    names = _names()
    for name in names:
        row = await audit.snapshot.fetchrow(_TRIGGERS, name)
        assert row is not None, "an aggregate has a row"
        if row["of_rows"] != _ROW or row["of_statements"] != _STATEMENT:
            return found(len(names), f"{name} is not guarded by its triggers")
    return found(len(names), None)


async def triggers_refuse(audit: Audit) -> Finding:
    """The function behind the triggers raises, in every schema."""
    sound = {row["schema"] for row in await audit.snapshot.fetch(_FUNCTIONS, list(PROCESSES))}
    first = next((f"{one}.refuse_change() does not refuse" for one in PROCESSES if one not in sound), None)
    return found(len(PROCESSES), first)


async def rights_absent(audit: Audit) -> Finding:
    """No app role may change one."""
    names = _names()
    roles = [app_of(schema) for schema, tables in TABLES.items() for _ in tables]
    return found(len(names), await audit.snapshot.fetchval(_RIGHTS, names, roles))


async def roles_are_small(audit: Audit) -> Finding:
    """No role of a service is more than it should be, or a member of one that is."""
    roles = [role for schema in PROCESSES for role in (app_of(schema), owner_of(schema))]
    return found(len(roles), await audit.snapshot.fetchval(_ROLES, roles))


def _names() -> list[str]:
    return [f"{schema}.{table}" for schema, tables in TABLES.items() for table in tables]


CHECKS: tuple[Check, ...] = (
    Check(9, "each append-only table is guarded by its triggers", triggers_stand),
    Check(9, "the triggers' function refuses", triggers_refuse),
    Check(9, "no app role has the right to change one", rights_absent),
    Check(9, "no role of a service is above its station", roles_are_small),
)
