"""The circuit before each receiver, on the endpoint's row, where all workers meet."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COLUMNS = """
    ALTER TABLE webhook_endpoints
        ADD COLUMN circuit_state text NOT NULL DEFAULT 'closed'
            CHECK (circuit_state IN ('closed', 'open', 'half_open')),
        ADD COLUMN circuit_failures integer NOT NULL DEFAULT 0 CHECK (circuit_failures >= 0),
        ADD COLUMN circuit_since timestamptz,
        ADD COLUMN circuit_until timestamptz,
        -- No reference: a wish that the next probe ends, whatever became of the delivery.
        ADD COLUMN circuit_wanted uuid,
        ADD CHECK ((circuit_state = 'closed') = (circuit_until IS NULL)),
        ADD CHECK (circuit_state = 'closed' OR circuit_since IS NOT NULL),
        ADD CHECK (circuit_state <> 'closed' OR circuit_wanted IS NULL)
"""
GRANT = """
    GRANT UPDATE (circuit_state, circuit_failures, circuit_since, circuit_until, circuit_wanted)
        ON webhook_endpoints TO notification_app
"""


def upgrade() -> None:
    """Every circuit begins closed. Workers of the release before go on without looking at it."""
    op.execute(COLUMNS)
    op.execute(GRANT)


def downgrade() -> None:
    raise NotImplementedError("what the release after this one goes by is not taken back")
