"""The ledger: postings, their entries, and the declines; append-only, balanced at commit."""

from alembic import op
from messaging import ddl

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE postings (
        id uuid PRIMARY KEY,
        client_id text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL CHECK (kind IN ('transfer', 'reversal', 'opening_balance', 'deposit')),
        payment_id uuid,
        reverses uuid,
        reference text,
        description text,
        posted_at timestamptz NOT NULL,
        CONSTRAINT postings_payment_is_posted_once UNIQUE (payment_id),
        CONSTRAINT postings_payment_has_its_id CHECK (
            (payment_id IS NOT NULL) = (kind IN ('transfer', 'reversal'))),
        CONSTRAINT postings_reversal_names_its_original CHECK (
            (reverses IS NOT NULL) = (kind = 'reversal'))
    )
    """,
    "CREATE INDEX postings_reversals ON postings (reverses) WHERE reverses IS NOT NULL",
    """
    CREATE TABLE entries (
        posting_id uuid NOT NULL,
        leg smallint NOT NULL CHECK (leg >= 1),
        account_id bigint NOT NULL,
        entry_number bigint NOT NULL CHECK (entry_number >= 1),
        amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
        balance_after_minor bigint NOT NULL,
        currency text COLLATE "C" NOT NULL,
        posted_at timestamptz NOT NULL,
        PRIMARY KEY (posting_id, leg),
        CONSTRAINT entries_are_numbered_once UNIQUE (account_id, entry_number)
    )
    """,
    "CREATE INDEX entries_by_time ON entries (account_id, posted_at)",
    """
    CREATE TABLE posting_declines (
        payment_id uuid PRIMARY KEY,
        client_id text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL CHECK (kind IN ('transfer', 'reversal')),
        debtor text NOT NULL,
        creditor text NOT NULL,
        amount_minor bigint NOT NULL CHECK (amount_minor > 0),
        currency text COLLATE "C" NOT NULL,
        reverses uuid,
        code text COLLATE "C" NOT NULL,
        field text COLLATE "C" NOT NULL,
        declined_at timestamptz NOT NULL
    )
    """,
)

# The ordinary posting, in one currency, is settled by one look at its entries; only others are grouped.
_CHECK = """
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        seen record;
    BEGIN
        SELECT count(*) AS legs, max(e.leg) AS last_leg, sum(e.amount_minor) AS total,
               min(e.currency) = max(e.currency) AS one_currency
        INTO seen FROM account.entries e WHERE e.posting_id = {posting};
        IF seen.legs >= 2 AND seen.legs = seen.last_leg THEN
            IF seen.one_currency AND seen.total = 0 THEN
                RETURN NULL;
            END IF;
            PERFORM FROM account.entries e WHERE e.posting_id = {posting}
            GROUP BY e.currency HAVING sum(e.amount_minor) <> 0;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
        END IF;
        RAISE EXCEPTION 'posting % is not balanced: its entries must be two or more and sum to zero in each '
            'currency', {posting} USING ERRCODE = 'check_violation', CONSTRAINT = 'postings_are_balanced';
    END $$
"""
# Legs 1 and 2 are checked at commit through their posting's row; later legs by themselves. A posting that has
# committed has its legs 1 and 2, whose places are taken, so that nothing can be added to it unseen, and an
# ordinary posting costs one check instead of three.
BALANCE = (
    _CHECK.format(name="check_posting", posting="NEW.id"),
    _CHECK.format(name="check_posting_of_entry", posting="NEW.posting_id"),
    """
    CREATE CONSTRAINT TRIGGER postings_are_balanced AFTER INSERT ON postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_posting()
    """,
    """
    CREATE CONSTRAINT TRIGGER further_entries_are_balanced AFTER INSERT ON entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.leg > 2) EXECUTE FUNCTION check_posting_of_entry()
    """,
)

# Where an entry belongs. No foreign keys: postings and accounts cannot be deleted and an account keeps its
# currency (triggers refuse it to the owner too), so one look per statement is as strong, at a tenth of the
# cost of two look-ups per row. The settings keep cached plans on the indexes while the tables grow from
# nothing to millions of rows between two ANALYZEs.
CHAIN = (
    """
    CREATE FUNCTION check_entries() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    DECLARE
        broken record;
    BEGIN
        SELECT e.account_id, e.entry_number, CASE
                WHEN q.id IS NULL OR q.posted_at <> e.posted_at THEN 'entries_belong_to_a_posting'
                WHEN a.id IS NULL OR a.client_id <> q.client_id THEN 'entries_belong_to_the_clients_account'
                WHEN a.currency <> e.currency THEN 'entries_are_in_the_account_currency'
                ELSE 'entries_continue_the_account' END AS rule
        INTO broken
        FROM added e
        LEFT JOIN account.postings q ON q.id = e.posting_id
        LEFT JOIN account.accounts a ON a.id = e.account_id
        LEFT JOIN account.entries p ON p.account_id = e.account_id AND p.entry_number = e.entry_number - 1
        WHERE q.id IS NULL OR q.posted_at <> e.posted_at
           OR a.id IS NULL OR a.client_id <> q.client_id OR a.currency <> e.currency
           OR (p.account_id IS NULL AND e.entry_number <> 1)
           OR coalesce(p.balance_after_minor, 0) + e.amount_minor <> e.balance_after_minor
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'entry % of account % is refused: %',
                broken.entry_number, broken.account_id, replace(broken.rule, '_', ' ')
                USING ERRCODE = 'check_violation', CONSTRAINT = broken.rule;
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER entries_are_in_their_place AFTER INSERT ON entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_entries()
    """,
    """
    CREATE FUNCTION check_balances_have_entries() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    DECLARE
        broken record;
    BEGIN
        SELECT c.id INTO broken
        FROM changed c
        LEFT JOIN account.entries e ON e.account_id = c.id AND e.entry_number = c.version
        WHERE c.posted_minor <> coalesce(e.balance_after_minor, 0)
           OR (e.account_id IS NULL AND c.version <> 0)
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'the balance of account % is not what its last entry says', broken.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_balance_has_its_entry';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER accounts_balance_has_its_entry AFTER UPDATE ON accounts
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION check_balances_have_entries()
    """,
    """
    CREATE TRIGGER new_accounts_are_empty AFTER INSERT ON accounts
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION check_balances_have_entries()
    """,
)

APPEND_ONLY = ("postings", "entries", "posting_declines")


def upgrade() -> None:
    for statement in (*TABLES, *BALANCE, *CHAIN):
        op.execute(statement)
    for table in APPEND_ONLY:
        for statement in ddl.append_only(table):
            op.execute(statement)
        op.execute(f"GRANT SELECT, INSERT ON {table} TO account_app")


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken back")
