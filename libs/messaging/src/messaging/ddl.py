"""The tables that every service keeps for its messages, as the statements of its first migration.

A migration is frozen once released: a change here is a new function (`v2`) that alters what `v1` made.
"""


def append_only(table: str) -> tuple[str, ...]:
    """Make the database refuse UPDATE, DELETE and TRUNCATE on `table`, to its owner too."""
    return (
        f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        f"CREATE TRIGGER {table}_is_not_truncated BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    )


# The trigger function that keeps append-only tables as they are; a schema off the bus makes it by itself.
REFUSE_CHANGE = """
    CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% on %.% is refused: the table is append-only',
            TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END $$
"""

_V1 = (
    REFUSE_CHANGE,
    """
    CREATE TABLE outbox (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id uuid NOT NULL,
        type text NOT NULL,
        subject text NOT NULL,
        body text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        available_at timestamptz NOT NULL DEFAULT now(),
        attempts integer NOT NULL DEFAULT 0,
        sent_at timestamptz
    ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000)
    """,
    "CREATE INDEX outbox_unsent ON outbox (position) WHERE sent_at IS NULL",
    # For redrive and pruning, which read by time: block ranges cost next to nothing on the hot path.
    "CREATE INDEX outbox_created ON outbox USING brin (created_at)",
    """
    CREATE TABLE inbox (
        event_id uuid PRIMARY KEY,
        received_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    *append_only("inbox"),
    """
    CREATE TABLE parked (
        event_id uuid PRIMARY KEY,
        type text NOT NULL,
        subject text NOT NULL,
        body text NOT NULL,
        reason text NOT NULL,
        detail text NOT NULL,
        status text NOT NULL DEFAULT 'parked'
            CHECK (status IN ('parked', 'replaying', 'replayed', 'discarded')),
        parked_at timestamptz NOT NULL DEFAULT now(),
        changed_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX parked_open ON parked (parked_at) WHERE status IN ('parked', 'replaying')",
    """
    CREATE TABLE parked_actions (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id uuid NOT NULL REFERENCES parked,
        action text NOT NULL,
        author text NOT NULL,
        note text NOT NULL,
        acted_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    *append_only("parked_actions"),
    """
    CREATE TABLE quarantine (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        reason text NOT NULL,
        detail text NOT NULL,
        frame_id text NOT NULL,
        routing_key text NOT NULL,
        content_type text NOT NULL,
        key_id text NOT NULL,
        issued_at text NOT NULL,
        signature text NOT NULL,
        body bytea NOT NULL,
        quarantined_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    *append_only("quarantine"),
)


def v1(*, app_role: str) -> tuple[str, ...]:
    """Create outbox, inbox, parked, parked_actions and quarantine in the current schema, with their grants.

    Also creates `refuse_change()`, the trigger function that keeps append-only tables as they are, for the
    service's own tables too.
    """
    return (
        *_V1,
        f"GRANT SELECT, INSERT, DELETE, UPDATE (sent_at, attempts, available_at) ON outbox TO {app_role}",
        f"GRANT SELECT, INSERT ON inbox, parked_actions, quarantine TO {app_role}",
        f"GRANT SELECT, INSERT, UPDATE (status, reason, detail, changed_at) ON parked TO {app_role}",
    )


_V2 = (
    "DROP INDEX outbox_unsent",
    """
    CREATE TABLE outbox_unsent (
        position bigint PRIMARY KEY,
        available_at timestamptz NOT NULL DEFAULT now(),
        attempts integer NOT NULL DEFAULT 0
    ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000)
    """,
    """
    INSERT INTO outbox_unsent (position, available_at, attempts)
    SELECT position, available_at, attempts FROM outbox WHERE sent_at IS NULL
    """,
    "ALTER TABLE outbox DROP COLUMN sent_at, DROP COLUMN attempts, DROP COLUMN available_at",
    # What has been told stays as it was told; old rows may go, altered ones must not stand.
    """
    CREATE TRIGGER outbox_is_never_altered BEFORE UPDATE ON outbox
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """,
)


def v2(*, app_role: str) -> tuple[str, ...]:
    """Keep apart what was told (outbox, written once) and what is still to be sent (outbox_unsent).

    To mark a row as sent in the outbox itself wrote all of its text anew: two thirds of a payment's WAL.
    """
    return (
        *_V2,
        f"GRANT SELECT, INSERT, DELETE, UPDATE (attempts, available_at) ON outbox_unsent TO {app_role}",
    )
