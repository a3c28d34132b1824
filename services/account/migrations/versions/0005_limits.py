"""What may leave an account, at once, in a day and in a month, and how much has."""

from alembic import op
from messaging import ddl

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ACCOUNTS = (
    # `limited` is raised under the account's lock by the first posting that counts: from then on whoever gets
    # the lock sees that usage is kept, however long ago its statement began.
    """
    ALTER TABLE accounts
        ADD COLUMN limited boolean NOT NULL DEFAULT false,
        ADD COLUMN time_zone text COLLATE "C" NOT NULL DEFAULT 'UTC',
        ADD COLUMN kyc_level text COLLATE "C"
    """,
    # Checked when they are written: a CHECK would be worked out again at every change of a balance.
    """
    CREATE FUNCTION refuse_time_zone_or_level() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'account % cannot have time zone % or level %', NEW.id, NEW.time_zone, NEW.kyc_level
            USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_time_zone_and_level';
    END $$
    """,
    """
    CREATE TRIGGER accounts_time_zone_and_level BEFORE INSERT OR UPDATE OF time_zone, kyc_level ON accounts
    FOR EACH ROW
    WHEN (NEW.kyc_level NOT IN ('none', 'basic', 'full') OR NEW.time_zone !~ '^[A-Za-z0-9_+/-]{1,64}$')
    EXECUTE FUNCTION refuse_time_zone_or_level()
    """,
    "GRANT UPDATE (limited, time_zone, kyc_level) ON accounts TO account_app",
)

_FIGURES = ("payment_min", "payment_max", "daily_count", "daily_sum", "monthly_count", "monthly_sum")
_COLUMNS = ", ".join(f"{name} bigint CHECK ({name} >= 0)" for name in _FIGURES)
_SUBJECT = f"""
        client_id text COLLATE "C" NOT NULL,
        currency text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{{3}}$'),
        scope text COLLATE "C" NOT NULL CHECK (scope IN ('account', 'kyc_level', 'client')),
        kyc_level text COLLATE "C" CHECK (kyc_level IN ('none', 'basic', 'full')),
        account_id bigint REFERENCES accounts,
        {_COLUMNS},
        CHECK (payment_min <= payment_max),
        CHECK ((kyc_level IS NOT NULL) = (scope = 'kyc_level')),
        CHECK ((account_id IS NOT NULL) = (scope = 'account'))
"""

SETS = (
    f"""
    CREATE TABLE limit_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        {_SUBJECT},
        reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX limit_changes_of_accounts ON limit_changes (account_id, id) WHERE account_id IS NOT NULL",
    "CREATE INDEX limit_changes_of_clients ON limit_changes (client_id, scope, kyc_level, id)",
    *ddl.append_only("limit_changes"),
    "GRANT SELECT, INSERT ON limit_changes TO account_app",
    # The sets in force, each as its newest change says; an emptied one stays, so that its change is known.
    f"""
    CREATE TABLE limit_sets (
        {_SUBJECT},
        change_id bigint NOT NULL REFERENCES limit_changes,
        is_empty boolean NOT NULL GENERATED ALWAYS AS (num_nonnulls({", ".join(_FIGURES)}) = 0) STORED,
        CONSTRAINT limit_sets_are_one_each
            UNIQUE NULLS NOT DISTINCT (client_id, currency, scope, kyc_level, account_id)
    )
    """,
    "CREATE INDEX limit_sets_of_accounts ON limit_sets (account_id) WHERE account_id IS NOT NULL",
    # Read with every batch of postings: which clients' accounts are limited without a set of their own.
    "CREATE INDEX limit_sets_of_many ON limit_sets (client_id, currency) "
    "WHERE scope <> 'account' AND NOT is_empty",
    f"GRANT SELECT, INSERT, UPDATE ({', '.join(_FIGURES)}, change_id) ON limit_sets TO account_app",
)

# Kept beside the ledger and worth no more than it: a row that is missing, or that was counted under other
# limits than those in force (`counted_under` is their newest change), is worked out from the ledger anew.
USAGE = (
    """
    CREATE TABLE limit_usage (
        account_id bigint NOT NULL REFERENCES accounts,
        period text COLLATE "C" NOT NULL CHECK (period IN ('day', 'month')),
        starts_on date NOT NULL CHECK (period = 'day' OR extract(day FROM starts_on) = 1),
        count bigint NOT NULL CHECK (count >= 0),
        sum_minor numeric(30) NOT NULL CHECK (sum_minor >= 0),
        counted_under bigint NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (account_id, period, starts_on),
        CONSTRAINT limit_usage_sum_has_payments CHECK (count > 0 OR sum_minor = 0)
    ) WITH (fillfactor = 70)
    """,
    """
    GRANT SELECT, INSERT, UPDATE (count, sum_minor, counted_under, updated_at) ON limit_usage TO account_app
    """,
    "CREATE INDEX holds_in_time ON holds (account_id, placed_at)",
    # Other windows, or other limits that may have let payments pass uncounted.
    """
    CREATE FUNCTION forget_usage() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE account.limit_usage SET counted_under = 0 WHERE account_id = NEW.id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER accounts_count_anew AFTER UPDATE OF time_zone, kyc_level ON accounts FOR EACH ROW
    WHEN (OLD.time_zone <> NEW.time_zone OR OLD.kyc_level IS DISTINCT FROM NEW.kyc_level)
    EXECUTE FUNCTION forget_usage()
    """,
)

TIME_ZONES = (
    """
    CREATE TABLE account_time_zone_changes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        account_id bigint NOT NULL REFERENCES accounts,
        previous text COLLATE "C" NOT NULL,
        time_zone text COLLATE "C" NOT NULL CHECK (time_zone <> previous),
        reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX account_time_zone_changes_in_order ON account_time_zone_changes (account_id, id)",
    *ddl.append_only("account_time_zone_changes"),
    "GRANT SELECT, INSERT ON account_time_zone_changes TO account_app",
)


def upgrade() -> None:
    """Sets, their history, usage, and what an account's windows depend on."""
    for statement in (*ACCOUNTS, *SETS, *USAGE, *TIME_ZONES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken back")
