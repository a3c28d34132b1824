"""Reversals above a limit take two people."""

from alembic import op
from messaging import ddl
from service_kit.proposals import ddl as proposals

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KINDS = ("reversal", "reversal-limit-change")

# How much of a payment one alone may give back, by currency: the newest counts; where there is none, or its
# amount is null, all of it.
TABLES = (
    """
    CREATE TABLE reversal_limit_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        client_id text NOT NULL,
        currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        amount_minor bigint CHECK (amount_minor >= 0),
        reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        changed_at timestamptz NOT NULL,
        proposal_id uuid UNIQUE REFERENCES proposals
    )
    """,
    "CREATE INDEX reversal_limit_changes_in_order ON reversal_limit_changes (client_id, currency, id)",
    """
    CREATE TABLE approved_reversals (
        payment_id uuid PRIMARY KEY REFERENCES payments,
        proposal_id uuid NOT NULL UNIQUE REFERENCES proposals
    )
    """,
)
_APPEND_ONLY = ("reversal_limit_changes", "approved_reversals")

_CAREFUL = """LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"""
_APPROVED = """
            PERFORM FROM transaction.proposals p
            JOIN transaction.proposal_ends d ON d.proposal_id = p.id AND d.state = 'APPROVED'"""


def _refuse(name: str, words: str) -> str:
    return f"RAISE EXCEPTION {words} USING ERRCODE = 'check_violation', CONSTRAINT = '{name}'"


# All at commit, when what was given back of the payment, the approval and its end are all there.
CHECKS = (
    f"""
    CREATE FUNCTION check_reversal() RETURNS trigger {_CAREFUL} AS $$
    DECLARE
        most bigint;
    BEGIN
        SELECT l.amount_minor INTO most FROM transaction.reversal_limit_changes l
        WHERE l.client_id = NEW.client_id AND l.currency = NEW.currency ORDER BY l.id DESC LIMIT 1;
        PERFORM FROM transaction.payment_states s
        WHERE s.payment_id = NEW.reverses AND s.reversed_minor > most
          AND NOT EXISTS (SELECT FROM transaction.approved_reversals a WHERE a.payment_id = NEW.id);
        IF FOUND THEN
            {
        _refuse(
            "reversals_above_the_limit_are_approved",
            "'with reversal % more than % of payment % is given back', NEW.id, most, NEW.reverses",
        )
    };
        END IF;
        RETURN NULL;
    END $$
    """,  # noqa: S608 - constants of this module
    """
    CREATE CONSTRAINT TRIGGER reversals_above_the_limit_are_approved AFTER INSERT ON payments
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'reversal') EXECUTE FUNCTION check_reversal()
    """,
    f"""
    CREATE FUNCTION check_approved_reversal() RETURNS trigger {_CAREFUL} AS $$
    BEGIN
        {_APPROVED}
            JOIN transaction.payments r ON r.id = NEW.payment_id AND r.client_id = p.client_id
            WHERE p.id = NEW.proposal_id AND p.kind = 'reversal' AND r.kind = 'reversal'
              AND r.reverses = CAST(p.terms->>'payment_id' AS uuid)
              AND r.amount_minor = CAST(p.terms->>'amount_minor' AS bigint);
        IF NOT FOUND THEN
            {
        _refuse("reversals_are_as_approved", "'reversal % carries out no approved proposal', NEW.payment_id")
    };
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER reversals_are_as_approved AFTER INSERT ON approved_reversals
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_approved_reversal()
    """,
    f"""
    CREATE FUNCTION check_reversal_limit() RETURNS trigger {_CAREFUL} AS $$
    BEGIN
        {_APPROVED}
            WHERE p.id = NEW.proposal_id AND p.kind = 'reversal-limit-change'
              AND p.client_id = NEW.client_id AND p.terms->>'currency' = NEW.currency
              AND CAST(p.terms->>'amount_minor' AS bigint) IS NOT DISTINCT FROM NEW.amount_minor;
        IF NOT FOUND THEN
            {_refuse("reversal_limits_are_approved", "'limit % carries out no approved proposal', NEW.id")};
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER reversal_limits_are_approved AFTER INSERT ON reversal_limit_changes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.proposal_id IS NOT NULL OR NEW.author LIKE 'person:%') EXECUTE FUNCTION check_reversal_limit()
    """,
)


def upgrade() -> None:
    """Add proposals, the limits above which reversals need one, and what holds them to it."""
    made = proposals.v1(schema="transaction", app_role="transaction_app", kinds=_KINDS)
    guards = [statement for table in _APPEND_ONLY for statement in ddl.append_only(table)]
    grant = f"GRANT SELECT, INSERT ON {', '.join(_APPEND_ONLY)} TO transaction_app"
    for statement in (*made, *TABLES, *guards, *CHECKS, grant):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("what two people decided is not taken back")
