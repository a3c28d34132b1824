"""Payments, their lifecycle, batches, and the tables of messaging."""

from alembic import op
from messaging import ddl

revision = "0001"
down_revision = None

_TABLES = (
    """
    CREATE TABLE payments (
        id uuid PRIMARY KEY,
        client_id text NOT NULL,
        idempotency_key text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('transfer', 'reversal')),
        debtor text NOT NULL,
        creditor text NOT NULL CHECK (creditor <> debtor),
        amount_minor bigint NOT NULL CHECK (amount_minor > 0),
        currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        reference text,
        description text,
        metadata text NOT NULL,
        capture text NOT NULL CHECK (capture IN ('immediate', 'manual')),
        reverses uuid REFERENCES payments,
        created_at timestamptz NOT NULL,
        hash bytea NOT NULL CHECK (length(hash) = 32),
        UNIQUE (client_id, idempotency_key),
        CHECK ((kind = 'reversal') = (reverses IS NOT NULL))
    )
    """,
    # Ids are time-ordered (UUIDv7), so each of these gives pages of newest first by id alone.
    "CREATE INDEX payments_by_client ON payments (client_id, id)",
    "CREATE INDEX payments_by_debtor ON payments (client_id, debtor, id)",
    "CREATE INDEX payments_by_creditor ON payments (client_id, creditor, id)",
    "CREATE INDEX payments_by_reference ON payments (client_id, reference, id) WHERE reference IS NOT NULL",
    "CREATE INDEX payments_by_time ON payments USING brin (created_at)",
    "CREATE INDEX payments_by_original ON payments (reverses) WHERE reverses IS NOT NULL",
    """
    CREATE TABLE payment_events (
        payment_id uuid NOT NULL,
        sequence integer NOT NULL CHECK (sequence BETWEEN 1 AND 1000),
        status text NOT NULL CHECK (status IN
            ('PENDING', 'REVIEW', 'APPROVED', 'SETTLED', 'REJECTED', 'VOIDED', 'EXPIRED')),
        reason text,
        occurred_at timestamptz NOT NULL,
        previous_hash bytea NOT NULL CHECK (length(previous_hash) = 32),
        hash bytea NOT NULL CHECK (length(hash) = 32),
        PRIMARY KEY (payment_id, sequence)
    )
    """,
    """
    CREATE TABLE payment_states (
        payment_id uuid PRIMARY KEY,
        client_id text NOT NULL,
        amount_minor bigint NOT NULL,
        status text NOT NULL,
        sequence integer NOT NULL,
        reason text,
        last_hash bytea NOT NULL,
        reversed_minor bigint NOT NULL DEFAULT 0,
        updated_at timestamptz NOT NULL,
        CHECK (reversed_minor BETWEEN 0 AND amount_minor)
    ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)
    """,
    """
    CREATE INDEX payment_states_unsettled ON payment_states (client_id, status, payment_id)
    WHERE status <> 'SETTLED'
    """,
    """
    CREATE TABLE payment_batches (
        client_id text NOT NULL,
        idempotency_key text NOT NULL,
        item_hashes bytea[] NOT NULL,
        refused text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (client_id, idempotency_key)
    )
    """,
)

# Once a statement, not once a row. Planned for look-ups by key: the statement brings few rows, the tables
# hold many, and a plan made while they were small must not scan them later.
_CHECK_LIFECYCLE = """
    CREATE FUNCTION check_lifecycle() RETURNS trigger LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
    DECLARE wrong record;
    BEGIN
        SELECT added.payment_id, added.sequence, before.status AS old_status, added.status AS new_status
        INTO wrong
        FROM added
        LEFT JOIN payment_events before
            ON before.payment_id = added.payment_id AND before.sequence = added.sequence - 1
        LEFT JOIN payments record ON added.sequence = 1 AND record.id = added.payment_id
        WHERE CASE WHEN added.sequence = 1
            THEN added.status <> 'PENDING' OR record.hash IS DISTINCT FROM added.previous_hash
            ELSE before.hash IS DISTINCT FROM added.previous_hash
                OR (before.status, added.status) NOT IN (
                    ('PENDING', 'REVIEW'), ('PENDING', 'APPROVED'), ('PENDING', 'REJECTED'),
                    ('REVIEW', 'APPROVED'), ('REVIEW', 'REJECTED'),
                    ('APPROVED', 'SETTLED'), ('APPROVED', 'VOIDED'), ('APPROVED', 'EXPIRED'))
            END
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'payment % event %: no legal move from % to %', wrong.payment_id,
                wrong.sequence, coalesce(wrong.old_status, 'nothing'), wrong.new_status
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NULL;
    END $$
"""
_TRIGGERS = (
    _CHECK_LIFECYCLE,
    """
    CREATE TRIGGER payment_events_move_legally AFTER INSERT ON payment_events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_lifecycle()
    """,
    *ddl.append_only("payments"),
    *ddl.append_only("payment_events"),
    *ddl.append_only("payment_batches"),
)
_GRANTS = (
    "GRANT SELECT, INSERT ON payments, payment_events, payment_batches TO transaction_app",
    """
    GRANT SELECT, INSERT, UPDATE (status, sequence, reason, last_hash, reversed_minor, updated_at)
    ON payment_states TO transaction_app
    """,
)


def upgrade() -> None:
    """Create the schema's tables."""
    for statement in (*ddl.v1(app_role="transaction_app"), *_TABLES, *_TRIGGERS, *_GRANTS):
        op.execute(statement)
