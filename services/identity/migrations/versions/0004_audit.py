"""The audit log: who did what, sealed into a chain of hashes."""

from alembic import op
from service_kit.audit import tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables that every service keeps its audit log in."""
    for statement in tables.v1(app_role="identity_app"):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("records are not taken back")
