"""Webhook endpoints, their secrets, what there is to tell, deliveries and every attempt."""

from alembic import op
from messaging import ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APP = "notification_app"
AUDITOR = "florin_auditor"

TABLES = (
    """
    CREATE TABLE webhook_endpoints (
        id uuid PRIMARY KEY,
        client_id text NOT NULL CHECK (client_id <> ''),
        url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2048),
        description text CHECK (length(description) <= 200),
        event_types text[] NOT NULL CHECK (cardinality(event_types) BETWEEN 1 AND 32),
        status text NOT NULL CHECK (status IN ('active', 'disabled', 'removed')),
        status_reason text,
        status_changed_at timestamptz NOT NULL,
        failing_since timestamptz,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CHECK ((status = 'active') = (status_reason IS NULL))
    )
    """,
    "CREATE INDEX webhook_endpoints_of_client ON webhook_endpoints (client_id, id)",
    "CREATE INDEX webhook_endpoints_active ON webhook_endpoints (id) WHERE status = 'active'",
    """
    CREATE UNIQUE INDEX webhook_endpoints_one_per_url ON webhook_endpoints (client_id, md5(url))
        WHERE status <> 'removed'
    """,
    # The secret is needed in clear to sign. `key_id` is the place for the key-encryption key: NULL means the
    # bytes are stored as they are, otherwise it names the key that wraps them.
    """
    CREATE TABLE webhook_secrets (
        id uuid PRIMARY KEY,
        endpoint_id uuid NOT NULL REFERENCES webhook_endpoints,
        secret bytea NOT NULL CHECK (length(secret) BETWEEN 24 AND 1024),
        key_id text,
        created_at timestamptz NOT NULL,
        expires_at timestamptz
    )
    """,
    "CREATE INDEX webhook_secrets_of_endpoint ON webhook_secrets (endpoint_id, created_at DESC)",
    """
    CREATE UNIQUE INDEX webhook_secrets_one_current ON webhook_secrets (endpoint_id)
        WHERE expires_at IS NULL
    """,
    """
    CREATE TABLE webhook_endpoint_changes (
        id uuid PRIMARY KEY,
        endpoint_id uuid NOT NULL REFERENCES webhook_endpoints,
        change text NOT NULL CHECK (change IN
            ('registered', 'changed', 'enabled', 'disabled', 'removed', 'secret_rotated')),
        reason text,
        changed_by text NOT NULL,
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX webhook_endpoint_changes_of_endpoint ON webhook_endpoint_changes (endpoint_id, id)",
    """
    CREATE TABLE notifications (
        id uuid PRIMARY KEY,
        client_id text NOT NULL,
        type text NOT NULL,
        payment_id uuid,
        sequence bigint NOT NULL,
        occurred_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL,
        body text NOT NULL,
        traceparent text
    )
    """,
    "CREATE INDEX notifications_of_client ON notifications (client_id, occurred_at, id)",
    """
    CREATE TABLE webhook_deliveries (
        id uuid PRIMARY KEY,
        client_id text NOT NULL,
        endpoint_id uuid NOT NULL REFERENCES webhook_endpoints,
        notification_id uuid NOT NULL REFERENCES notifications,
        payment_id uuid,
        status text NOT NULL DEFAULT 'pending'
            CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled')),
        attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        tries integer NOT NULL DEFAULT 0 CHECK (tries BETWEEN 0 AND attempts),
        next_attempt_at timestamptz,
        lease_token uuid,
        leased_at timestamptz,
        lease_until timestamptz,
        last_status_code integer,
        last_error text,
        created_at timestamptz NOT NULL,
        finished_at timestamptz,
        UNIQUE (endpoint_id, notification_id),
        CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)),
        CHECK ((status = 'pending') = (finished_at IS NULL)),
        CHECK ((lease_token IS NULL) = (lease_until IS NULL)),
        CHECK ((lease_token IS NULL) = (leased_at IS NULL)),
        CHECK (status = 'pending' OR lease_token IS NULL)
    ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)
    """,
    """
    CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_attempt_at, id)
        WHERE status = 'pending'
    """,
    "CREATE INDEX webhook_deliveries_held ON webhook_deliveries (lease_until) WHERE lease_until IS NOT NULL",
    "CREATE INDEX webhook_deliveries_of_client ON webhook_deliveries (client_id, id)",
    "CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint_id, id)",
    """
    CREATE INDEX webhook_deliveries_of_payment ON webhook_deliveries (client_id, payment_id, id)
        WHERE payment_id IS NOT NULL
    """,
    """
    CREATE TABLE webhook_attempts (
        delivery_id uuid NOT NULL REFERENCES webhook_deliveries,
        number integer NOT NULL CHECK (number > 0),
        started_at timestamptz NOT NULL,
        duration_ms integer CHECK (duration_ms >= 0),
        succeeded boolean NOT NULL,
        status_code integer CHECK (status_code BETWEEN 100 AND 999),
        error text,
        detail text CHECK (length(detail) <= 200),
        response_snippet text CHECK (length(response_snippet) <= 500),
        PRIMARY KEY (delivery_id, number),
        CHECK (succeeded = (error IS NULL))
    )
    """,
)

APPEND_ONLY = ("webhook_endpoint_changes", "notifications", "webhook_attempts")

GRANTS = (
    f"""
    GRANT SELECT, INSERT, UPDATE (url, description, event_types, status, status_reason, status_changed_at,
        failing_since, updated_at) ON webhook_endpoints TO {APP}
    """,
    f"GRANT SELECT, INSERT, UPDATE (expires_at) ON webhook_secrets TO {APP}",
    f"""
    GRANT SELECT, INSERT, UPDATE (status, attempts, tries, next_attempt_at, lease_token, leased_at,
        lease_until, last_status_code, last_error, finished_at) ON webhook_deliveries TO {APP}
    """,
    f"GRANT SELECT, INSERT ON {', '.join(APPEND_ONLY)} TO {APP}",
    # Only who signs may read a secret. The auditor reads every table by its role, grant or not: row-level
    # security, which that role does not pass, is what keeps the secrets from it.
    f"REVOKE ALL ON webhook_secrets FROM PUBLIC, {AUDITOR}",
    "ALTER TABLE webhook_secrets ENABLE ROW LEVEL SECURITY",
    f"CREATE POLICY webhook_secrets_of_app ON webhook_secrets TO {APP} USING (true) WITH CHECK (true)",
)


def upgrade() -> None:
    for statement in ddl.v1(app_role=APP):
        op.execute(statement)
    for statement in TABLES:
        op.execute(statement)
    for table in APPEND_ONLY:
        for statement in ddl.append_only(table):
            op.execute(statement)
    for statement in GRANTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("history is not taken back: write a new migration")
