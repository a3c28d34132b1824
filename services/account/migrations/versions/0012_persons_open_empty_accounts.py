"""A person alone opens no account that has money or may overdraw: either takes two."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# At commit, when the opening balance's entries are there. Rows of systems do not meet the condition.
STATEMENTS = (
    """
    CREATE FUNCTION check_person_opens_empty_account() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    BEGIN
        PERFORM FROM account.accounts a WHERE a.id = NEW.account_id AND a.overdraft_minor = 0 AND NOT EXISTS (
            SELECT FROM account.entries e
            JOIN account.postings p ON p.id = e.posting_id AND p.kind = 'opening_balance'
            WHERE e.account_id = a.id
        );
        IF NOT FOUND THEN
            RAISE EXCEPTION 'account % was opened with money or an overdraft by one person', NEW.account_id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'persons_open_empty_accounts';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER persons_open_empty_accounts AFTER INSERT ON account_state_changes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.previous IS NULL AND NEW.author LIKE 'person:%')
    EXECUTE FUNCTION check_person_opens_empty_account()
    """,
)


def upgrade() -> None:
    """Hold people to it from now on."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken back")
