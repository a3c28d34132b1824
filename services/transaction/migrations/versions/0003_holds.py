"""Payments that are captured later, parties by handle, and what a search needs.

`captures` and `terms` are new parts of a payment's record; both are null for a plain payment, whose hash
stays what it was.
"""

from alembic import op
from messaging import ddl

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PAYMENTS = (
    """
    ALTER TABLE payments
        ADD COLUMN captures uuid REFERENCES payments,
        ADD COLUMN terms text,
        DROP CONSTRAINT payments_kind_check,
        ADD CONSTRAINT payments_kind_check CHECK (kind IN ('transfer', 'reversal', 'capture')),
        ADD CONSTRAINT payments_captures_check CHECK ((kind = 'capture') = (captures IS NOT NULL)),
        ADD CONSTRAINT payments_terms_check CHECK
            (terms IS NOT NULL OR (kind <> 'capture' AND capture = 'immediate'))
    """,
    # None of these has a row for a plain payment, which is thus inserted as fast as before.
    "CREATE INDEX payments_by_authorisation ON payments (captures, id) WHERE captures IS NOT NULL",
    "CREATE INDEX payments_by_kind ON payments (client_id, kind, id) WHERE kind <> 'transfer'",
    "CREATE INDEX payments_held ON payments (client_id, id) WHERE capture = 'manual'",
)
_HOLDS = (
    """
    CREATE TABLE hold_ends (
        payment_id uuid PRIMARY KEY,
        ended_as text NOT NULL CHECK (ended_as IN ('captured', 'voided', 'expired')),
        captured_minor bigint NOT NULL CHECK (captured_minor >= 0),
        released_minor bigint NOT NULL CHECK (released_minor >= 0),
        reason text NOT NULL,
        author text NOT NULL,
        ended_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE payment_voids (
        client_id text NOT NULL,
        idempotency_key text NOT NULL,
        payment_id uuid NOT NULL REFERENCES payments,
        reason text NOT NULL,
        author text NOT NULL,
        requested_at timestamptz NOT NULL,
        PRIMARY KEY (client_id, idempotency_key)
    )
    """,
    "CREATE INDEX payment_voids_by_payment ON payment_voids (payment_id)",
    """
    CREATE TABLE payment_refusals (
        payment_id uuid PRIMARY KEY,
        field text,
        figures text NOT NULL
    )
    """,
)
_METADATA = (
    """
    CREATE TABLE payment_metadata (
        client_id text NOT NULL,
        key text NOT NULL,
        value text NOT NULL,
        payment_id uuid NOT NULL,
        PRIMARY KEY (client_id, key, value, payment_id)
    )
    """,
    """
    INSERT INTO payment_metadata (client_id, key, value, payment_id)
    SELECT p.client_id, m.key, m.value, p.id FROM payments p, jsonb_each_text(p.metadata::jsonb) m
    WHERE p.metadata <> '{}'
    """,
)
# What the account service has told of customers. Handles are keyed hashes: nothing here names a person.
_PARTIES = (
    """
    CREATE TABLE party_customers (
        customer_id uuid PRIMARY KEY,
        client_id text NOT NULL,
        version integer NOT NULL CHECK (version >= 1)
    )
    """,
    """
    CREATE TABLE party_handles (
        client_id text NOT NULL,
        handle text NOT NULL,
        customer_id uuid NOT NULL,
        PRIMARY KEY (client_id, handle, customer_id)
    )
    """,
    "CREATE INDEX party_handles_by_customer ON party_handles (customer_id)",
    """
    CREATE TABLE party_accounts (
        client_id text NOT NULL,
        customer_id uuid NOT NULL,
        currency text NOT NULL,
        account text NOT NULL,
        opened_at timestamptz NOT NULL,
        PRIMARY KEY (client_id, customer_id, currency)
    )
    """,
)
_APPEND_ONLY = ("hold_ends", "payment_voids", "payment_refusals", "payment_metadata")
_GRANTS = (
    f"GRANT SELECT, INSERT ON {', '.join(_APPEND_ONLY)} TO transaction_app",
    "GRANT SELECT, INSERT, UPDATE (version) ON party_customers TO transaction_app",
    "GRANT SELECT, INSERT, DELETE ON party_handles TO transaction_app",
    "GRANT SELECT, INSERT, UPDATE (account, opened_at) ON party_accounts TO transaction_app",
)


def upgrade() -> None:
    """Add holds, captures, voids, refusals' figures, searchable metadata and the directory of parties."""
    guards = [statement for table in _APPEND_ONLY for statement in ddl.append_only(table)]
    for statement in (*_PAYMENTS, *_HOLDS, *_METADATA, *_PARTIES, *guards, *_GRANTS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("what was authorised or captured is not taken back")
