"""Customers, what is known of them under lock and key, and who may be paid by which handle."""

from alembic import op
from messaging import ddl

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# What is personal is ciphertext (see service_kit/vault.py); handles are keyed hashes (contracts/handles.py).
CUSTOMERS = (
    """
    CREATE TABLE customers (
        id uuid PRIMARY KEY,
        client_id text COLLATE "C" NOT NULL,
        name bytea NOT NULL,
        mobile bytea NOT NULL,
        email bytea NOT NULL,
        mobile_handle text COLLATE "C" NOT NULL CHECK (mobile_handle ~ '^[0-9a-f]{64}$'),
        email_handle text COLLATE "C" NOT NULL CHECK (email_handle ~ '^[0-9a-f]{64}$'),
        data_key bytea NOT NULL,
        key_encryption_key text COLLATE "C" NOT NULL,
        kyc_level text COLLATE "C" NOT NULL DEFAULT 'none' CHECK (kyc_level IN ('none', 'basic', 'full')),
        kyc_state text COLLATE "C" NOT NULL DEFAULT 'new'
            CHECK (kyc_state IN ('new', 'submitted', 'approved', 'rejected')),
        kyc_asked text COLLATE "C" CHECK (kyc_asked IN ('basic', 'full')),
        version bigint NOT NULL CHECK (version >= 1),
        registered_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT customers_mobile_is_unique UNIQUE (client_id, mobile_handle),
        CONSTRAINT customers_email_is_unique UNIQUE (client_id, email_handle),
        CONSTRAINT customers_asked_for_a_level CHECK ((kyc_asked IS NULL) = (kyc_state = 'new'))
    )
    """,
    "CREATE INDEX customers_in_order ON customers (client_id, id)",
    """
    CREATE FUNCTION refuse_kyc_move() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'customer % cannot go from % (%) to % (%)',
            NEW.id, OLD.kyc_level, OLD.kyc_state, NEW.kyc_level, NEW.kyc_state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'customers_kyc_workflow';
    END $$
    """,
    """
    CREATE TRIGGER customers_kyc_states BEFORE UPDATE OF kyc_state, kyc_asked ON customers FOR EACH ROW
    WHEN ((OLD.kyc_state, OLD.kyc_asked) IS DISTINCT FROM (NEW.kyc_state, NEW.kyc_asked)
        AND NOT (NEW.kyc_state = 'submitted' AND OLD.kyc_state <> 'submitted')
        AND NOT (OLD.kyc_state = 'submitted' AND NEW.kyc_state IN ('approved', 'rejected')
            AND NEW.kyc_asked = OLD.kyc_asked))
    EXECUTE FUNCTION refuse_kyc_move()
    """,
    # A level is reached by an approval of what was asked for, and in no other way.
    """
    CREATE TRIGGER customers_kyc_levels BEFORE UPDATE OF kyc_level, kyc_state ON customers FOR EACH ROW
    WHEN ((NEW.kyc_level <> OLD.kyc_level OR (NEW.kyc_state = 'approved' AND OLD.kyc_state <> 'approved'))
        AND NOT (OLD.kyc_state = 'submitted' AND NEW.kyc_state = 'approved'
            AND NEW.kyc_level = OLD.kyc_asked))
    EXECUTE FUNCTION refuse_kyc_move()
    """,
    """
    CREATE FUNCTION refuse_known_customer() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'customer % must begin without a level', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'customers_kyc_workflow';
    END $$
    """,
    """
    CREATE TRIGGER customers_begin_unknown BEFORE INSERT ON customers FOR EACH ROW
    WHEN (NEW.kyc_level <> 'none' OR NEW.kyc_state <> 'new') EXECUTE FUNCTION refuse_known_customer()
    """,
    "CREATE TRIGGER customers_keep_their_identity BEFORE UPDATE OF id, client_id, registered_at ON customers "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER customers_are_not_deleted BEFORE DELETE ON customers "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER customers_are_not_truncated BEFORE TRUNCATE ON customers "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    # Wrapped keys are the owner's to change: the app can lose nobody's data.
    """
    GRANT SELECT, INSERT, UPDATE (name, mobile, email, mobile_handle, email_handle, kyc_level, kyc_state,
        kyc_asked, version, updated_at) ON customers TO account_app
    """,
)

HISTORY = (
    """
    CREATE TABLE customer_kyc_events (
        id uuid PRIMARY KEY,
        customer_id uuid NOT NULL REFERENCES customers,
        state text COLLATE "C" NOT NULL CHECK (state IN ('submitted', 'approved', 'rejected')),
        level text COLLATE "C" NOT NULL CHECK (level IN ('basic', 'full')),
        reason bytea CHECK (state <> 'rejected' OR reason IS NOT NULL),
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        occurred_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX customer_kyc_events_in_order ON customer_kyc_events (customer_id, id)",
    *ddl.append_only("customer_kyc_events"),
    "GRANT SELECT, INSERT ON customer_kyc_events TO account_app",
    """
    CREATE TABLE customer_accounts (
        customer_id uuid NOT NULL REFERENCES customers,
        currency text COLLATE "C" NOT NULL,
        account_id bigint NOT NULL REFERENCES accounts,
        opened_at timestamptz NOT NULL,
        PRIMARY KEY (customer_id, currency),
        CONSTRAINT customer_accounts_have_one_customer UNIQUE (account_id)
    )
    """,
    *ddl.append_only("customer_accounts"),
    "GRANT SELECT, INSERT ON customer_accounts TO account_app",
)

# Holders of accounts without a customer, apart from the hot rows. `accounts.holder` stays for the books' own
# accounts, and for what the release before writes until it is gone; `migrate` seals that (see app.py).
HOLDERS = (
    """
    CREATE TABLE account_holders (
        account_id bigint PRIMARY KEY REFERENCES accounts,
        holder bytea NOT NULL,
        data_key bytea NOT NULL,
        key_encryption_key text COLLATE "C" NOT NULL
    )
    """,
    "CREATE TRIGGER account_holders_are_not_deleted BEFORE DELETE ON account_holders "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER account_holders_are_not_truncated BEFORE TRUNCATE ON account_holders "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "GRANT SELECT, INSERT ON account_holders TO account_app",
    "ALTER TABLE accounts ALTER COLUMN holder DROP NOT NULL",
    "CREATE INDEX accounts_with_plain_holder ON accounts (id) WHERE holder IS NOT NULL AND kind = 'customer'",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (*CUSTOMERS, *HISTORY, *HOLDERS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken back")
