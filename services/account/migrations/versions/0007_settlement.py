"""Named settlement accounts, withdrawals, and what payees who have spent it owe."""

from alembic import op
from messaging import ddl

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KINDS = (
    "ALTER TABLE postings DROP CONSTRAINT postings_kind_check",
    """
    ALTER TABLE postings ADD CONSTRAINT postings_kind_check CHECK (
        kind IN ('transfer', 'reversal', 'capture', 'opening_balance', 'deposit', 'withdrawal'))
    """,
)

# What to do when the payee of a reversed payment has spent it, as each client has it, with its history: the
# newest counts, and `refuse` where there is none.
POLICIES = (
    """
    CREATE TABLE reversal_policy_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        client_id text COLLATE "C" NOT NULL,
        policy text COLLATE "C" NOT NULL CHECK (policy IN ('refuse', 'receivable')),
        reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX reversal_policy_changes_in_order ON reversal_policy_changes (client_id, id)",
    *ddl.append_only("reversal_policy_changes"),
    "GRANT SELECT, INSERT ON reversal_policy_changes TO account_app",
    # Whose money the receivable account paid in the place of: the reversal's debtor.
    """
    ALTER TABLE postings ADD COLUMN owed_by bigint,
        ADD CONSTRAINT postings_only_reversals_are_owed CHECK (owed_by IS NULL OR kind = 'reversal')
    """,
    "CREATE INDEX postings_owed ON postings (owed_by) WHERE owed_by IS NOT NULL",
)


def upgrade() -> None:
    """Let money out as it is let in, and let a receivable account pay for payees who have spent it."""
    for statement in (*KINDS, *POLICIES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken back")
