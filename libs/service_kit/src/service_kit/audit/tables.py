"""The tables of the audit log, as the statements of a service's migration.

A migration is frozen once released: a change here is a new function (`v2`) that alters what `v1` made.
"""

from messaging import ddl

_V1 = (
    """
    CREATE TABLE audit_entries (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        client_id text COLLATE "C" NOT NULL,
        by_client_id text COLLATE "C",
        actor text COLLATE "C" NOT NULL CHECK (actor ~ '^(client|person|service):.'),
        credential text COLLATE "C" NOT NULL,
        action text COLLATE "C" NOT NULL CHECK (action ~ '^[a-z][a-z-]*([.][a-z][a-z-]*)+$'),
        subject_type text COLLATE "C" NOT NULL,
        subject text COLLATE "C" NOT NULL,
        before jsonb CHECK (jsonb_typeof(before) = 'object'),
        after jsonb CHECK (jsonb_typeof(after) = 'object'),
        reason text,
        request_id text COLLATE "C",
        trace_id text COLLATE "C",
        address text COLLATE "C"
    )
    """,
    "CREATE INDEX audit_entries_of_client ON audit_entries (client_id, at, id)",
    "CREATE INDEX audit_entries_of_actor ON audit_entries (client_id, actor, at, id)",
    "CREATE INDEX audit_entries_of_subject ON audit_entries (client_id, subject, at, id)",
    # What was done to another client's data, which is the log of both.
    "CREATE INDEX audit_entries_elsewhere ON audit_entries (by_client_id, at, id) "
    "WHERE by_client_id <> client_id",
    *ddl.append_only("audit_entries"),
    # As with what is unsent: an entry is never altered, and so does not know whether it is sealed.
    """
    CREATE TABLE audit_unsealed (entry_id bigint PRIMARY KEY)
    WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000)
    """,
    # `previous` is there to be referred to: no seal without the one before it.
    """
    CREATE TABLE audit_seals (
        position bigint PRIMARY KEY CHECK (position > 0),
        previous bigint GENERATED ALWAYS AS (nullif(position - 1, 0)) STORED REFERENCES audit_seals,
        entry_id bigint NOT NULL UNIQUE REFERENCES audit_entries,
        hash bytea NOT NULL CHECK (octet_length(hash) = 32),
        sealed_at timestamptz NOT NULL
    )
    """,
    *ddl.append_only("audit_seals"),
)


def v1(*, app_role: str) -> tuple[str, ...]:
    """Create audit_entries, audit_unsealed and audit_seals in the current schema, with their grants.

    Needs `refuse_change()`, the trigger function of every schema.
    """
    return (
        *_V1,
        f"GRANT SELECT, INSERT ON audit_entries, audit_seals TO {app_role}",
        f"GRANT SELECT, INSERT, DELETE ON audit_unsealed TO {app_role}",
    )
