"""Screening: rule sets, decisions, reviews and velocity counters, with the first rule set.

Revision ID: 0001
Revises:
Create Date: 2026-11-21
"""

import json

import sqlalchemy as sa
from alembic import op
from messaging import ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APP_ROLE = "fraud_app"

RULE_SETS = """
    CREATE TABLE rule_sets (
        version integer PRIMARY KEY CHECK (version >= 1),
        based_on_version integer,
        rules jsonb NOT NULL CHECK (jsonb_typeof(rules) = 'array'),
        author text NOT NULL CHECK (author <> ''),
        reason text NOT NULL CHECK (reason <> ''),
        created_at timestamptz NOT NULL,
        -- Each version says what its author had seen: the one before, so nobody's work is overwritten unseen.
        CHECK (CASE WHEN version = 1 THEN based_on_version IS NULL
                    ELSE based_on_version IS NOT NULL AND based_on_version = version - 1 END)
    )
"""

# rules_version has no foreign key on purpose: each insert would lock the one current row of rule_sets, and
# that row can neither be deleted nor renumbered.
DECISIONS = """
    CREATE TABLE decisions (
        payment_id uuid PRIMARY KEY,
        client_id text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('transfer', 'reversal')),
        debtor text NOT NULL,
        creditor text NOT NULL,
        amount_minor bigint NOT NULL CHECK (amount_minor > 0),
        currency text NOT NULL,
        reference text,
        created_at timestamptz NOT NULL,
        decision text NOT NULL CHECK (decision IN ('approve', 'review', 'decline')),
        score smallint NOT NULL CHECK (score BETWEEN 0 AND 100),
        reasons jsonb NOT NULL,
        rules_version integer NOT NULL,
        fired jsonb NOT NULL,
        velocity jsonb NOT NULL,
        event_id uuid NOT NULL,
        decided_at timestamptz NOT NULL
    )
"""

REVIEW_QUEUE = """
    CREATE TABLE review_queue (
        payment_id uuid PRIMARY KEY REFERENCES decisions,
        client_id text NOT NULL,
        opened_at timestamptz NOT NULL
    )
"""

REVIEW_RESOLUTIONS = """
    CREATE TABLE review_resolutions (
        payment_id uuid PRIMARY KEY REFERENCES decisions,
        client_id text NOT NULL,
        decision text NOT NULL CHECK (decision IN ('approve', 'decline')),
        reason text NOT NULL CHECK (reason <> ''),
        resolved_by text NOT NULL CHECK (resolved_by <> ''),
        idempotency_key text NOT NULL,
        resolved_at timestamptz NOT NULL,
        UNIQUE (resolved_by, idempotency_key)
    )
"""

ONLY_REVIEWS_ARE_RESOLVED = """
    CREATE FUNCTION only_reviews_are_resolved() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM 1 FROM decisions
        WHERE payment_id = NEW.payment_id AND client_id = NEW.client_id AND decision = 'review';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'payment % of this client was not held for review', NEW.payment_id
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
"""

VELOCITY_DEBTORS = """
    CREATE TABLE velocity_debtors (
        client_id text NOT NULL,
        debtor text NOT NULL,
        PRIMARY KEY (client_id, debtor)
    )
"""

# Counters are a projection of decisions and may be rebuilt from them. Room on the page keeps their updates
# off the index. The sum is numeric: 9,224 payments of the largest amount would overflow a bigint.
VELOCITY_COUNTERS = """
    CREATE TABLE velocity_counters (
        client_id text NOT NULL,
        debtor text NOT NULL,
        window_s integer NOT NULL CHECK (window_s > 0 AND window_s % 60 = 0),
        bucket bigint NOT NULL,
        currency text NOT NULL,
        payments bigint NOT NULL CHECK (payments > 0),
        sum_minor numeric(40, 0) NOT NULL CHECK (sum_minor > 0),
        PRIMARY KEY (client_id, debtor, window_s, bucket, currency)
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)
"""

INDEXES = (
    # For rebuilding velocity counters by time; block ranges cost next to nothing on the hot path.
    "CREATE INDEX decisions_created ON decisions USING brin (created_at)",
    "CREATE INDEX review_queue_order ON review_queue (opened_at, payment_id)",
    "CREATE INDEX review_queue_of_client ON review_queue (client_id, opened_at, payment_id)",
    "CREATE INDEX review_resolutions_order ON review_resolutions (resolved_at, payment_id)",
    "CREATE INDEX review_resolutions_of_client ON review_resolutions (client_id, resolved_at, payment_id)",
)

GRANTS = (
    f"GRANT SELECT, INSERT ON rule_sets, decisions, review_resolutions TO {APP_ROLE}",
    f"GRANT SELECT, INSERT, DELETE ON review_queue TO {APP_ROLE}",
    # UPDATE lets INSERT ... ON CONFLICT lock the row; nothing in it is ever changed.
    f"GRANT SELECT, INSERT, UPDATE ON velocity_debtors TO {APP_ROLE}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON velocity_counters TO {APP_ROLE}",
)

# Lets ordinary traffic pass. Amounts are of a size that a bank's clerk would look at, per currency; velocity
# is off until someone knows the traffic.
DEFAULT_RULES = [
    {
        "id": "large-amount",
        "kind": "amount",
        "enabled": True,
        "action": "review",
        "score": 40,
        "at_or_over_minor": {
            "CHF": 1_000_000,
            "CZK": 25_000_000,
            "EUR": 1_000_000,
            "GBP": 1_000_000,
            "JPY": 1_500_000,
            "KWD": 3_000_000,
            "USD": 1_000_000,
        },
    },
    {
        "id": "huge-amount",
        "kind": "amount",
        "enabled": True,
        "action": "decline",
        "score": 60,
        "at_or_over_minor": {
            "CHF": 100_000_000,
            "CZK": 2_500_000_000,
            "EUR": 100_000_000,
            "GBP": 100_000_000,
            "JPY": 150_000_000,
            "KWD": 300_000_000,
            "USD": 100_000_000,
        },
    },
    {
        "id": "many-in-an-hour",
        "kind": "velocity_count",
        "enabled": False,
        "action": "review",
        "score": 30,
        "window_s": 3600,
        "max_count": 100,
    },
    {
        "id": "much-in-a-day",
        "kind": "velocity_sum",
        "enabled": False,
        "action": "review",
        "score": 30,
        "window_s": 86_400,
        "currency": "EUR",
        "max_sum_minor": 5_000_000,
    },
    {
        "id": "denied-parties",
        "kind": "deny_list",
        "enabled": True,
        "action": "decline",
        "score": 100,
        "entries": [{"client_id": None, "account": "DENY-LISTED"}],
    },
]


def upgrade() -> None:
    for statement in ddl.v1(app_role=APP_ROLE):
        op.execute(statement)
    for statement in (RULE_SETS, DECISIONS, REVIEW_QUEUE, REVIEW_RESOLUTIONS):
        op.execute(statement)
    for statement in (VELOCITY_DEBTORS, VELOCITY_COUNTERS, ONLY_REVIEWS_ARE_RESOLVED):
        op.execute(statement)
    for table in ("rule_sets", "decisions", "review_resolutions"):
        for statement in ddl.append_only(table):
            op.execute(statement)
    op.execute(
        "CREATE TRIGGER review_resolutions_of_reviews_only BEFORE INSERT ON review_resolutions "
        "FOR EACH ROW EXECUTE FUNCTION only_reviews_are_resolved()"
    )
    for statement in INDEXES + GRANTS:
        op.execute(statement)
    op.get_bind().execute(
        sa.text(
            "INSERT INTO rule_sets (version, rules, author, reason, created_at) "
            "VALUES (1, CAST(:rules AS jsonb), 'florin', 'The rules Florin comes with', now())"
        ),
        {"rules": json.dumps(DEFAULT_RULES)},
    )


def downgrade() -> None:
    raise NotImplementedError("decisions are kept for ever: restore a backup instead")
