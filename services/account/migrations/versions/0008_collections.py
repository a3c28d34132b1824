"""What payees who have spent it owe is paid back, and never more than that."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KINDS = (
    "ALTER TABLE postings DROP CONSTRAINT postings_kind_check",
    """
    ALTER TABLE postings ADD CONSTRAINT postings_kind_check CHECK (kind IN (
        'transfer', 'reversal', 'capture', 'opening_balance', 'deposit', 'withdrawal', 'collection'))
    """,
    "ALTER TABLE postings DROP CONSTRAINT postings_only_reversals_are_owed",
    """
    ALTER TABLE postings ADD CONSTRAINT postings_tell_whose_debt CHECK (CASE kind
        WHEN 'collection' THEN owed_by IS NOT NULL WHEN 'reversal' THEN true ELSE owed_by IS NULL END)
    """,
)
# At commit, when the entries are there. Those of one debtor wait for each other at its account's row.
BOUND = (
    """
    CREATE FUNCTION check_collection() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    DECLARE
        beyond numeric;
    BEGIN
        SELECT sum(e.amount_minor) INTO beyond
        FROM account.postings p
        JOIN account.entries e ON e.posting_id = p.id
        JOIN account.accounts a ON a.id = e.account_id AND a.kind = 'system'
        WHERE p.owed_by = NEW.owed_by;
        IF beyond > 0 THEN
            RAISE EXCEPTION 'posting % collects % more from account % than it owes',
                NEW.id, beyond, NEW.owed_by
                USING ERRCODE = 'check_violation', CONSTRAINT = 'collections_stay_within_the_debt';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER collections_stay_within_the_debt AFTER INSERT ON postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'collection')
    EXECUTE FUNCTION check_collection()
    """,
)


def upgrade() -> None:
    """Let an account pay back what a receivable account has paid in its place."""
    for statement in (*KINDS, *BOUND):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken back")
