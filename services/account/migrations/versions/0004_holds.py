"""Account states in full, and money that is held until it is captured, voided or expires."""

from alembic import op
from messaging import ddl

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATES = "('ACTIVE', 'FROZEN', 'DEBIT_FROZEN', 'CREDIT_FROZEN', 'CLOSING', 'CLOSED')"
_PAYMENTS = "('transfer', 'reversal', 'hold', 'capture')"

STATES = (
    f"""
    ALTER TABLE accounts DROP CONSTRAINT accounts_state,
        ADD CONSTRAINT accounts_state CHECK (state IN {_STATES})
    """,
    f"""
    ALTER TABLE account_state_changes
        DROP CONSTRAINT account_state_changes_previous_check,
        ADD CONSTRAINT account_state_changes_previous_check CHECK (previous IN {_STATES}),
        DROP CONSTRAINT account_state_changes_state_check,
        ADD CONSTRAINT account_state_changes_state_check CHECK (state IN {_STATES})
    """,
    "DROP TRIGGER accounts_state_machine ON accounts",
    """
    CREATE TRIGGER accounts_state_machine BEFORE UPDATE OF state ON accounts FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('ACTIVE', 'FROZEN'), ('ACTIVE', 'DEBIT_FROZEN'), ('ACTIVE', 'CREDIT_FROZEN'), ('ACTIVE', 'CLOSING'),
        ('ACTIVE', 'CLOSED'),
        ('FROZEN', 'ACTIVE'), ('FROZEN', 'DEBIT_FROZEN'), ('FROZEN', 'CREDIT_FROZEN'), ('FROZEN', 'CLOSING'),
        ('FROZEN', 'CLOSED'),
        ('DEBIT_FROZEN', 'ACTIVE'), ('DEBIT_FROZEN', 'FROZEN'), ('DEBIT_FROZEN', 'CREDIT_FROZEN'),
        ('DEBIT_FROZEN', 'CLOSING'), ('DEBIT_FROZEN', 'CLOSED'),
        ('CREDIT_FROZEN', 'ACTIVE'), ('CREDIT_FROZEN', 'FROZEN'), ('CREDIT_FROZEN', 'DEBIT_FROZEN'),
        ('CREDIT_FROZEN', 'CLOSING'), ('CREDIT_FROZEN', 'CLOSED'),
        ('CLOSING', 'ACTIVE'), ('CLOSING', 'FROZEN'), ('CLOSING', 'CLOSED')))
    EXECUTE FUNCTION refuse_state_change()
    """,
)

OVERDRAFTS = (
    """
    CREATE TABLE account_overdraft_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        account_id bigint NOT NULL REFERENCES accounts,
        previous_minor bigint NOT NULL CHECK (previous_minor >= 0),
        overdraft_minor bigint NOT NULL CHECK (overdraft_minor >= 0),
        reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX account_overdraft_changes_in_order ON account_overdraft_changes (account_id, id)",
    *ddl.append_only("account_overdraft_changes"),
    "GRANT SELECT, INSERT ON account_overdraft_changes TO account_app",
)

# `terms` is what a request said beyond parties and amount, so that another one under its id is told apart.
PAYMENTS = (
    f"""
    ALTER TABLE postings ADD COLUMN captures uuid, ADD COLUMN terms jsonb,
        DROP CONSTRAINT postings_kind_check,
        ADD CONSTRAINT postings_kind_check CHECK (
            kind IN ('transfer', 'reversal', 'capture', 'opening_balance', 'deposit')),
        DROP CONSTRAINT postings_payment_has_its_id,
        ADD CONSTRAINT postings_payment_has_its_id CHECK (
            (payment_id IS NOT NULL) = (kind IN {_PAYMENTS})),
        ADD CONSTRAINT postings_capture_names_its_hold CHECK ((captures IS NOT NULL) = (kind = 'capture'))
    """,
    "CREATE INDEX postings_captures ON postings (captures) WHERE captures IS NOT NULL",
    f"""
    ALTER TABLE posting_declines ADD COLUMN terms jsonb, ADD COLUMN figures jsonb,
        DROP CONSTRAINT posting_declines_kind_check,
        ADD CONSTRAINT posting_declines_kind_check CHECK (kind IN {_PAYMENTS})
    """,
)

# The facts of a hold never change; what has become of it does, in its last columns, until it has ended.
HOLDS = (
    """
    CREATE TABLE holds (
        payment_id uuid PRIMARY KEY,
        client_id text COLLATE "C" NOT NULL,
        account_id bigint NOT NULL,
        creditor text COLLATE "C" NOT NULL,
        amount_minor bigint NOT NULL CHECK (amount_minor > 0),
        currency text COLLATE "C" NOT NULL,
        tolerance_minor bigint NOT NULL CHECK (tolerance_minor >= 0),
        captured_many_times boolean NOT NULL,
        expires_at timestamptz NOT NULL,
        conditions jsonb,
        placed_at timestamptz NOT NULL,
        captured_minor bigint NOT NULL DEFAULT 0,
        state text COLLATE "C" NOT NULL DEFAULT 'OPEN',
        ended_at timestamptz,
        reason text,
        author text,
        remaining_minor bigint NOT NULL GENERATED ALWAYS AS (
            CASE WHEN state = 'OPEN' THEN greatest(amount_minor - captured_minor, 0) ELSE 0 END) STORED,
        released_minor bigint NOT NULL GENERATED ALWAYS AS (
            CASE WHEN state = 'OPEN' THEN 0 ELSE greatest(amount_minor - captured_minor, 0) END) STORED,
        CONSTRAINT holds_state CHECK (state IN ('OPEN', 'CAPTURED', 'VOIDED', 'EXPIRED')),
        CONSTRAINT holds_are_captured_within_their_limit CHECK (
            captured_minor BETWEEN 0 AND amount_minor + tolerance_minor),
        CONSTRAINT holds_end_with_reason_and_author CHECK (
            CASE WHEN state = 'OPEN' THEN ended_at IS NULL AND reason IS NULL AND author IS NULL
                 ELSE ended_at IS NOT NULL AND length(reason) BETWEEN 1 AND 500
                      AND length(author) BETWEEN 1 AND 255 AND reason IS NOT NULL AND author IS NOT NULL END),
        CONSTRAINT holds_are_captured_by_money CHECK (state <> 'CAPTURED' OR captured_minor > 0)
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX holds_open ON holds (account_id) INCLUDE (remaining_minor) WHERE state = 'OPEN'",
    "CREATE INDEX holds_in_order ON holds (account_id, payment_id)",
    # Said otherwise than above, or plans that look for an account's open holds would read all that are open.
    "CREATE INDEX holds_due ON holds (expires_at) WHERE ended_at IS NULL",
    """
    CREATE TRIGGER holds_keep_their_facts
    BEFORE UPDATE OF payment_id, client_id, account_id, creditor, amount_minor, currency, tolerance_minor,
        captured_many_times, expires_at, conditions, placed_at ON holds
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """,
    "CREATE TRIGGER holds_are_not_deleted BEFORE DELETE ON holds "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER holds_are_not_truncated BEFORE TRUNCATE ON holds "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    """
    CREATE FUNCTION refuse_hold_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the hold of payment % is %, with % captured, and cannot become %, with %',
            OLD.payment_id, OLD.state, OLD.captured_minor, NEW.state, NEW.captured_minor
            USING ERRCODE = 'check_violation', CONSTRAINT = 'holds_end_once';
    END $$
    """,
    """
    CREATE TRIGGER holds_end_once BEFORE UPDATE ON holds FOR EACH ROW
    WHEN (OLD.state <> 'OPEN' OR NEW.captured_minor < OLD.captured_minor)
    EXECUTE FUNCTION refuse_hold_change()
    """,
    """
    GRANT SELECT, INSERT, UPDATE (captured_minor, state, ended_at, reason, author) ON holds TO account_app
    """,
)

# What is held of an account is what its open holds hold; what was captured of a hold is what its captures
# posted. Looked at once per statement that touches holds, and never by one that does not: the triggers on
# accounts and postings fire for a changed `held_minor` and for a capture alone.
AGREEMENT = (
    """
    CREATE FUNCTION check_holds() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    DECLARE
        broken record;
    BEGIN
        SELECT t.account_id AS id INTO broken
        FROM (SELECT DISTINCT account_id FROM touched) t
        LEFT JOIN account.accounts a ON a.id = t.account_id
        WHERE a.held_minor IS DISTINCT FROM (
            SELECT coalesce(sum(h.remaining_minor), 0) FROM account.holds h
            WHERE h.account_id = t.account_id AND h.state = 'OPEN')
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'what is held of account % is not what its open holds hold', broken.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_held_is_what_holds_hold';
        END IF;
        SELECT t.payment_id AS id INTO broken FROM touched t
        WHERE t.captured_minor <> (
            SELECT coalesce(sum(e.amount_minor), 0) FROM account.postings p
            JOIN account.entries e ON e.posting_id = p.id AND e.leg = 2 WHERE p.captures = t.payment_id)
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'what was captured of the hold of payment % is not what was posted', broken.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'holds_captured_is_posted';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION check_placed_holds() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    DECLARE
        broken record;
    BEGIN
        SELECT t.payment_id AS id INTO broken
        FROM touched t LEFT JOIN account.accounts a ON a.id = t.account_id
        WHERE a.id IS NULL OR a.client_id <> t.client_id OR a.currency <> t.currency OR a.state = 'CLOSED'
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'the hold of payment % is on no open account of its client', broken.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'holds_are_on_the_clients_account';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION check_held() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    BEGIN
        IF NEW.held_minor <> (SELECT coalesce(sum(h.remaining_minor), 0) FROM account.holds h
                              WHERE h.account_id = NEW.id AND h.state = 'OPEN') THEN
            RAISE EXCEPTION 'what is held of account % is not what its open holds hold', NEW.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_held_is_what_holds_hold';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION check_capture() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    DECLARE
        captured bigint;
    BEGIN
        SELECT sum(e.amount_minor) INTO captured FROM account.postings p
        JOIN account.entries e ON e.posting_id = p.id AND e.leg = 2 WHERE p.captures = NEW.captures;
        PERFORM FROM account.holds h WHERE h.payment_id = NEW.captures AND h.client_id = NEW.client_id
            AND h.captured_minor = captured;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'posting % is not what the hold of payment % says was captured',
                NEW.id, NEW.captures
                USING ERRCODE = 'check_violation', CONSTRAINT = 'holds_captured_is_posted';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION check_closing() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    BEGIN
        PERFORM FROM account.holds h WHERE h.account_id = NEW.id AND h.state = 'OPEN';
        IF FOUND THEN
            RAISE EXCEPTION 'account % has open holds', NEW.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_close_without_holds';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER holds_agree_when_placed AFTER INSERT ON holds
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION check_holds()
    """,
    """
    CREATE TRIGGER holds_agree_when_changed AFTER UPDATE ON holds
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION check_holds()
    """,
    """
    CREATE TRIGGER holds_are_in_their_place AFTER INSERT ON holds
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION check_placed_holds()
    """,
    """
    CREATE TRIGGER accounts_held_is_what_holds_hold AFTER UPDATE OF held_minor ON accounts
    FOR EACH ROW WHEN (OLD.held_minor <> NEW.held_minor) EXECUTE FUNCTION check_held()
    """,
    """
    CREATE TRIGGER accounts_close_without_holds AFTER UPDATE OF state ON accounts
    FOR EACH ROW WHEN (NEW.state = 'CLOSED') EXECUTE FUNCTION check_closing()
    """,
    """
    CREATE CONSTRAINT TRIGGER postings_capture_their_hold AFTER INSERT ON postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.captures IS NOT NULL)
    EXECUTE FUNCTION check_capture()
    """,
)


def upgrade() -> None:
    """Widen states and kinds, add the tables, and have the database see to their agreement."""
    for statement in (*STATES, *OVERDRAFTS, *PAYMENTS, *HOLDS, *AGREEMENT):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken back")
