"""What is still to be sent stands in a table of its own, so that the outbox is only ever written once."""

from alembic import op
from messaging import ddl

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Split the outbox."""
    for statement in ddl.v2(app_role="transaction_app"):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("messages on their way are not taken back")
