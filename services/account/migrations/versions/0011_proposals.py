"""What takes two people: manual adjustments, and what loosens by a person's hand."""

from alembic import op
from service_kit.proposals import ddl

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KINDS = ("adjustment", "unfreezing", "limit-change", "overdraft-change")
_CHANGED = ("postings", "account_state_changes", "limit_changes", "account_overdraft_changes")

POSTINGS = (
    "ALTER TABLE postings DROP CONSTRAINT postings_kind_check",
    """
    ALTER TABLE postings ADD CONSTRAINT postings_kind_check CHECK (kind IN ('transfer', 'reversal', 'capture',
        'opening_balance', 'deposit', 'withdrawal', 'collection', 'adjustment'))
    """,
)
# No foreign keys: these tables are written in batches, and the look below is made for those rows alone that
# name a proposal or must. A proposal is carried out once.
COLUMNS = tuple(
    statement
    for table in _CHANGED
    for statement in (
        f"ALTER TABLE {table} ADD COLUMN proposal_id uuid",
        f"CREATE UNIQUE INDEX {table}_carry_out_once ON {table} (proposal_id) WHERE proposal_id IS NOT NULL",
    )
)

# What a person may not do alone: each move after which the account lets something through that it did not.
_LOOSENING = """(
    ('FROZEN', 'ACTIVE'), ('FROZEN', 'DEBIT_FROZEN'), ('FROZEN', 'CREDIT_FROZEN'), ('FROZEN', 'CLOSING'),
    ('DEBIT_FROZEN', 'ACTIVE'), ('DEBIT_FROZEN', 'CREDIT_FROZEN'), ('DEBIT_FROZEN', 'CLOSING'),
    ('CREDIT_FROZEN', 'ACTIVE'), ('CREDIT_FROZEN', 'DEBIT_FROZEN'), ('CLOSING', 'ACTIVE'))"""
_BY_A_PERSON = "NEW.author LIKE 'person:%'"


def _approved(table: str, *, kind: str, as_proposed: str, must: str) -> tuple[str, ...]:
    """At commit, when the proposal's end is there: a row that names a proposal, or `must`, carries out one
    that was approved, `as_proposed`."""
    return (
        f"""
        CREATE FUNCTION check_{table}_are_approved() RETURNS trigger LANGUAGE plpgsql
        SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
        BEGIN
            PERFORM FROM account.proposals p
            JOIN account.proposal_ends d ON d.proposal_id = p.id AND d.state = 'APPROVED'
            {as_proposed} AND p.id = NEW.proposal_id AND p.kind = '{kind}';
            IF NOT FOUND THEN
                RAISE EXCEPTION 'row % of {table} carries out no approved proposal', NEW.id
                    USING ERRCODE = 'check_violation', CONSTRAINT = '{table}_are_approved';
            END IF;
            RETURN NULL;
        END $$
        """,
        f"""
        CREATE CONSTRAINT TRIGGER {table}_are_approved AFTER INSERT ON {table}
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.proposal_id IS NOT NULL OR {must})
        EXECUTE FUNCTION check_{table}_are_approved()
        """,
    )


_OF_ACCOUNT = "JOIN account.accounts a ON a.client_id = p.client_id AND a.reference = p.terms->>'account'"
_LIMITS = ("payment_min", "payment_max", "daily_count", "daily_sum", "monthly_count", "monthly_sum")
_ASKED_AS = {name: name if name.endswith("count") else f"{name}_minor" for name in _LIMITS}

APPROVED = (
    *_approved(
        "postings",
        kind="adjustment",
        as_proposed=f"""{_OF_ACCOUNT} AND a.kind = 'customer'
            JOIN account.entries e ON e.posting_id = NEW.id AND e.account_id = a.id
            JOIN account.entries o ON o.posting_id = NEW.id AND o.account_id <> a.id
            JOIN account.accounts b ON b.id = o.account_id
                AND b.reference = 'system:adjustment:' || (p.terms->>'currency')
            WHERE NEW.kind = 'adjustment' AND NEW.client_id = p.client_id
              AND e.amount_minor = CASE p.terms->>'direction' WHEN 'credit' THEN 1 ELSE -1 END
                  * CAST(p.terms->>'amount_minor' AS bigint)
              AND o.amount_minor = -e.amount_minor""",
        must="NEW.kind = 'adjustment'",
    ),
    *_approved(
        "account_state_changes",
        kind="unfreezing",
        as_proposed=f"""{_OF_ACCOUNT}
            WHERE a.id = NEW.account_id AND NEW.state = p.terms->>'state'""",
        must=f"({_BY_A_PERSON} AND (NEW.previous, NEW.state) IN {_LOOSENING})",
    ),
    *_approved(
        "account_overdraft_changes",
        kind="overdraft-change",
        as_proposed=f"""{_OF_ACCOUNT}
            WHERE a.id = NEW.account_id
              AND NEW.overdraft_minor = CAST(p.terms->>'overdraft_minor' AS bigint)""",
        must=f"({_BY_A_PERSON} AND NEW.overdraft_minor > NEW.previous_minor)",
    ),
    *_approved(
        "limit_changes",
        kind="limit-change",
        as_proposed=f"""LEFT {_OF_ACCOUNT}
            WHERE p.client_id = NEW.client_id AND a.id IS NOT DISTINCT FROM NEW.account_id
              AND (a.id IS NOT NULL OR p.terms->>'account' IS NULL)
              AND NEW.kyc_level IS NOT DISTINCT FROM p.terms->>'kyc_level'
              AND NEW.currency = coalesce(a.currency, p.terms->>'currency')
              AND ({", ".join(f"NEW.{name}" for name in _LIMITS)}) IS NOT DISTINCT FROM (
                  {", ".join(f"CAST(p.terms->>'{_ASKED_AS[name]}' AS bigint)" for name in _LIMITS)})""",
        must=_BY_A_PERSON,
    ),
)


def upgrade() -> None:
    """Add proposals, adjustments, and what holds people to them."""
    proposals = ddl.v1(schema="account", app_role="account_app", kinds=_KINDS)
    for statement in (*proposals, *POSTINGS, *COLUMNS, *APPROVED):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken back")
