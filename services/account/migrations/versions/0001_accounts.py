"""Accounts, the history of their states, and the keys of requests that changed something."""

from alembic import op
from messaging import ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ACCOUNTS = (
    """
    CREATE TABLE accounts (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        client_id text COLLATE "C" NOT NULL,
        reference text COLLATE "C" NOT NULL,
        holder text NOT NULL,
        currency text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        state text COLLATE "C" NOT NULL,
        posted_minor bigint NOT NULL DEFAULT 0,
        held_minor bigint NOT NULL DEFAULT 0,
        overdraft_minor bigint,
        version bigint NOT NULL DEFAULT 0,
        opened_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT accounts_reference_is_unique UNIQUE (client_id, reference),
        CONSTRAINT accounts_kind CHECK (kind IN ('customer', 'system')),
        CONSTRAINT accounts_state CHECK (state IN ('ACTIVE', 'FROZEN', 'CLOSED')),
        CONSTRAINT accounts_closed_is_empty CHECK (
            state <> 'CLOSED' OR (posted_minor = 0 AND held_minor = 0)),
        CONSTRAINT accounts_only_system_is_unlimited CHECK ((overdraft_minor IS NULL) = (kind = 'system')),
        CONSTRAINT accounts_overdraft_is_not_negative CHECK (overdraft_minor >= 0),
        CONSTRAINT accounts_held_is_not_negative CHECK (held_minor >= 0),
        CONSTRAINT accounts_balance_is_covered CHECK (
            overdraft_minor IS NULL OR posted_minor - held_minor + overdraft_minor >= 0),
        -- 2^53 - 1: beyond it a JSON reader may lose a minor unit.
        CONSTRAINT accounts_balance_is_exact CHECK (
            posted_minor >= -9007199254740991
            AND posted_minor + coalesce(overdraft_minor, 0) <= 9007199254740991)
    ) WITH (fillfactor = 70)  -- room for balances to change in place, without touching an index
    """,
    "CREATE INDEX accounts_in_order ON accounts (client_id, id)",
    "CREATE INDEX accounts_by_state ON accounts (client_id, state, id)",
    "CREATE INDEX accounts_by_currency ON accounts (client_id, currency, id)",
    # What is written once is checked once: a CHECK would be worked out again at every change of a balance.
    """
    CREATE FUNCTION refuse_name() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'reference % or currency % is not well-formed for a % account',
            NEW.reference, NEW.currency, NEW.kind
            USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_are_well_named';
    END $$
    """,
    """
    CREATE TRIGGER accounts_are_well_named BEFORE INSERT ON accounts FOR EACH ROW
    WHEN (NEW.reference !~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$' OR NEW.currency !~ '^[A-Z]{3}$'
        OR (NEW.kind = 'system') <> (lower(NEW.reference) LIKE 'system:%'))
    EXECUTE FUNCTION refuse_name()
    """,
    """
    CREATE FUNCTION refuse_state_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'account % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_state_machine';
    END $$
    """,
    """
    CREATE TRIGGER accounts_state_machine BEFORE UPDATE OF state ON accounts FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('ACTIVE', 'FROZEN'), ('ACTIVE', 'CLOSED'), ('FROZEN', 'ACTIVE'), ('FROZEN', 'CLOSED')))
    EXECUTE FUNCTION refuse_state_change()
    """,
    """
    CREATE TRIGGER accounts_keep_their_identity
    BEFORE UPDATE OF id, client_id, reference, currency, kind, opened_at ON accounts
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """,
    "CREATE TRIGGER accounts_are_not_deleted BEFORE DELETE ON accounts "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER accounts_are_not_truncated BEFORE TRUNCATE ON accounts "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    """
    GRANT SELECT, INSERT,
        UPDATE (posted_minor, held_minor, state, version, overdraft_minor, updated_at)
        ON accounts TO account_app
    """,
)

STATE_CHANGES = (
    """
    CREATE TABLE account_state_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        account_id bigint NOT NULL REFERENCES accounts,
        previous text COLLATE "C" CHECK (previous IN ('ACTIVE', 'FROZEN', 'CLOSED')),
        state text COLLATE "C" NOT NULL CHECK (state IN ('ACTIVE', 'FROZEN', 'CLOSED')),
        reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX account_state_changes_in_order ON account_state_changes (account_id, id)",
    # An account is opened once: its history has one beginning.
    "CREATE UNIQUE INDEX account_is_opened_once ON account_state_changes (account_id) WHERE previous IS NULL",
    *ddl.append_only("account_state_changes"),
    "GRANT SELECT, INSERT ON account_state_changes TO account_app",
)

REQUEST_KEYS = (
    """
    CREATE TABLE idempotency_keys (
        client_id text COLLATE "C" NOT NULL,
        idempotency_key text COLLATE "C" NOT NULL,
        operation text COLLATE "C" NOT NULL,
        field_digests jsonb NOT NULL,
        answer jsonb NOT NULL,
        recorded_at timestamptz NOT NULL,
        PRIMARY KEY (client_id, idempotency_key)
    )
    """,
    *ddl.append_only("idempotency_keys"),
    "GRANT SELECT, INSERT ON idempotency_keys TO account_app",
)


def upgrade() -> None:
    for statement in (*ddl.v1(app_role="account_app"), *ACCOUNTS, *STATE_CHANGES, *REQUEST_KEYS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken back")
