"""The trust feed tells that there is another signing key, so that services fetch it before it signs."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count what changes which keys verify."""
    op.execute(
        "CREATE TRIGGER signing_keys_are_told AFTER INSERT OR UPDATE OF state, verify_until ON signing_keys "
        "FOR EACH STATEMENT EXECUTE FUNCTION count_trust_change()"
    )


def downgrade() -> None:
    """Count it no more."""
    op.execute("DROP TRIGGER signing_keys_are_told ON signing_keys")
