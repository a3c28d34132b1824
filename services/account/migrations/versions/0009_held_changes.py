"""What was held of an account after each change, so that a change is checked, and told of, by itself."""

from alembic import op
from messaging import ddl

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# No hold may come between the history that is made up for and the triggers that keep it from here on.
LOCKED = ("LOCK TABLE accounts, holds IN SHARE ROW EXCLUSIVE MODE",)

TABLE = (
    """
    CREATE TABLE held_changes (
        account_id bigint NOT NULL REFERENCES accounts,
        change_number bigint NOT NULL,
        held_after_minor bigint NOT NULL,
        changed_at timestamptz NOT NULL,
        PRIMARY KEY (account_id, change_number)
    )
    """,
    "CREATE INDEX held_changes_by_time ON held_changes (account_id, changed_at)",
    *ddl.append_only("held_changes"),
    # The triggers below write it; nobody else does.
    "GRANT SELECT ON held_changes TO account_app",
)

# Of holds that are there already: placed with their amount, less what each capture took of it, less the rest.
HISTORY = (
    """
    INSERT INTO held_changes (account_id, change_number, held_after_minor, changed_at)
    SELECT account_id, row_number() OVER by_time, sum(change_minor) OVER by_time, changed_at
    FROM (
        SELECT account_id, changed_at, sum(change_minor) AS change_minor
        FROM (
            SELECT account_id, placed_at AS changed_at, amount_minor AS change_minor FROM holds
            UNION ALL
            SELECT account_id, posted_at,
                greatest(amount_minor - taken_minor, 0)
                - greatest(amount_minor - taken_minor + captured_minor, 0)
            FROM (
                SELECT h.account_id, h.amount_minor, p.posted_at, e.amount_minor AS captured_minor,
                    sum(e.amount_minor) OVER (
                        PARTITION BY h.payment_id ORDER BY p.posted_at, p.id) AS taken_minor
                FROM holds h JOIN postings p ON p.captures = h.payment_id
                JOIN entries e ON e.posting_id = p.id AND e.leg = 2) AS captures
            UNION ALL
            SELECT account_id, ended_at, -released_minor FROM holds WHERE ended_at IS NOT NULL) AS steps
        GROUP BY account_id, changed_at HAVING sum(change_minor) <> 0) AS changes
    WINDOW by_time AS (PARTITION BY account_id ORDER BY changed_at)
    """,
)

# An account with ten thousand open holds had all of them summed at each change of one. Now what a statement
# changed of an account's holds is added to what was held before: it costs what was changed. A number of an
# account is taken once, so that no two transactions both continue the same one, whatever they have locked.
_CAREFUL = """LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"""
_LAST = """
            SELECT h.change_number, h.held_after_minor FROM account.held_changes h
            WHERE h.account_id = a.id ORDER BY h.change_number DESC LIMIT 1"""


def _follow(name: str, changed: str) -> str:
    """The function `name`, which continues the history by what the rows of `changed` come to."""
    return f"""
    CREATE FUNCTION {name}() RETURNS trigger SECURITY DEFINER {_CAREFUL} AS $$
    BEGIN
        INSERT INTO account.held_changes (account_id, change_number, held_after_minor, changed_at)
        SELECT a.id, coalesce(l.change_number, 0) + 1, coalesce(l.held_after_minor, 0) + c.change_minor,
            a.updated_at
        FROM (SELECT account_id, sum(change_minor) AS change_minor FROM ({changed}) AS changed
              GROUP BY account_id HAVING sum(change_minor) <> 0) AS c
        JOIN account.accounts a ON a.id = c.account_id
        LEFT JOIN LATERAL ({_LAST}) AS l ON true;
        RETURN NULL;
    END $$
    """  # noqa: S608


def _agree(name: str, account_id: str) -> str:
    """The function `name`, which refuses an account whose history does not lead to what is held of it."""
    return f"""
    CREATE FUNCTION {name}() RETURNS trigger {_CAREFUL} AS $$
    BEGIN
        PERFORM FROM account.accounts a LEFT JOIN LATERAL ({_LAST}) AS l ON true
        WHERE a.id = {account_id} AND a.held_minor <> coalesce(l.held_after_minor, 0);
        IF FOUND THEN
            RAISE EXCEPTION 'what is held of account % is not what its open holds hold', {account_id}
                USING ERRCODE = 'check_violation', CONSTRAINT = 'accounts_held_is_what_holds_hold';
        END IF;
        RETURN NULL;
    END $$
    """


FOLLOWED = (
    "DROP TRIGGER holds_agree_when_placed ON holds",
    "DROP TRIGGER holds_agree_when_changed ON holds",
    "DROP FUNCTION check_holds()",
    _follow("follow_placed_holds", "SELECT account_id, remaining_minor AS change_minor FROM touched"),
    _follow(
        "follow_changed_holds",
        "SELECT account_id, remaining_minor AS change_minor FROM touched "
        "UNION ALL SELECT account_id, -remaining_minor FROM untouched",
    ),
    "REVOKE EXECUTE ON FUNCTION follow_placed_holds(), follow_changed_holds() FROM PUBLIC",
    """
    CREATE TRIGGER holds_are_followed_when_placed AFTER INSERT ON holds
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION follow_placed_holds()
    """,
    """
    CREATE TRIGGER holds_are_followed_when_changed AFTER UPDATE ON holds
    REFERENCING OLD TABLE AS untouched NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION follow_changed_holds()
    """,
)

# At commit: a statement that places holds, ends others and changes the account has its triggers fire in turn.
AGREED = (
    "DROP TRIGGER accounts_held_is_what_holds_hold ON accounts",
    "DROP FUNCTION check_held()",
    _agree("check_held_of_account", "NEW.id"),
    _agree("check_held_change", "NEW.account_id"),
    """
    CREATE CONSTRAINT TRIGGER accounts_held_is_what_holds_hold AFTER UPDATE OF held_minor ON accounts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.held_minor <> NEW.held_minor)
    EXECUTE FUNCTION check_held_of_account()
    """,
    """
    CREATE CONSTRAINT TRIGGER held_changes_are_of_what_is_held AFTER INSERT ON held_changes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_held_change()
    """,
)

CAPTURED = (
    f"""
    CREATE FUNCTION check_captured() RETURNS trigger {_CAREFUL} AS $$
    DECLARE
        broken uuid;
    BEGIN
        SELECT t.payment_id INTO broken FROM touched t
        WHERE t.captured_minor <> (
            SELECT coalesce(sum(e.amount_minor), 0) FROM account.postings p
            JOIN account.entries e ON e.posting_id = p.id AND e.leg = 2 WHERE p.captures = t.payment_id)
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'what was captured of the hold of payment % is not what was posted', broken
                USING ERRCODE = 'check_violation', CONSTRAINT = 'holds_captured_is_posted';
        END IF;
        RETURN NULL;
    END $$
    """,  # noqa: S608
    """
    CREATE TRIGGER holds_placed_are_captured_by_postings AFTER INSERT ON holds
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION check_captured()
    """,
    """
    CREATE TRIGGER holds_changed_are_captured_by_postings AFTER UPDATE ON holds
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION check_captured()
    """,
)


def upgrade() -> None:
    """Keep what was held after each change, and check a change of holds by itself."""
    for statement in (*LOCKED, *TABLE, *HISTORY, *FOLLOWED, *AGREED, *CAPTURED):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("a ledger is not taken back")
