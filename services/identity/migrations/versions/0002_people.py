"""People, what they sign in by, the invitations by which they enrol, and every attempt to sign in."""

from alembic import op
from messaging import ddl

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What is personal is ciphertext under a key of the person's own; the address is found by a keyed hash.
PEOPLE = (
    """
    CREATE TABLE people (
        id uuid PRIMARY KEY,
        client_id text COLLATE "C" NOT NULL,
        name bytea NOT NULL,
        email bytea NOT NULL,
        email_handle text COLLATE "C" NOT NULL CHECK (email_handle ~ '^[0-9a-f]{64}$'),
        data_key bytea NOT NULL,
        key_encryption_key text COLLATE "C" NOT NULL,
        roles text[] NOT NULL,
        state text COLLATE "C" NOT NULL DEFAULT 'invited'
            CHECK (state IN ('invited', 'active', 'disabled')),
        sessions_since timestamptz NOT NULL,
        registered_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT people_email_is_unique UNIQUE (client_id, email_handle)
    )
    """,
    "CREATE INDEX people_in_order ON people (client_id, id)",
    """
    CREATE FUNCTION refuse_person_move() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'person % cannot go from % to %', NEW.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'people_states';
    END $$
    """,
    """
    CREATE TRIGGER people_states BEFORE UPDATE OF state ON people FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (('invited', 'active'),
        ('invited', 'disabled'), ('active', 'invited'), ('active', 'disabled'), ('disabled', 'invited')))
    EXECUTE FUNCTION refuse_person_move()
    """,
    "CREATE TRIGGER people_keep_their_identity BEFORE UPDATE OF id, client_id, registered_at ON people "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER people_are_not_deleted BEFORE DELETE ON people "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER people_are_not_truncated BEFORE TRUNCATE ON people "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "GRANT SELECT, INSERT, UPDATE (roles, state, sessions_since, updated_at) ON people TO identity_app",
)

FACTORS = (
    """
    CREATE TABLE password_hashes (
        person_id uuid PRIMARY KEY REFERENCES people,
        hash text NOT NULL CHECK (hash LIKE '$argon2id$%'),
        set_at timestamptz NOT NULL
    )
    """,
    "GRANT SELECT, INSERT, UPDATE (hash, set_at) ON password_hashes TO identity_app",
    # `last_step` only grows: the code of a step opens once.
    """
    CREATE TABLE totp_secrets (
        id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES people,
        secret bytea NOT NULL,
        last_step bigint NOT NULL DEFAULT 0,
        made_at timestamptz NOT NULL,
        confirmed_at timestamptz,
        ended_at timestamptz
    )
    """,
    "CREATE UNIQUE INDEX totp_secrets_one_in_use ON totp_secrets (person_id) "
    "WHERE confirmed_at IS NOT NULL AND ended_at IS NULL",
    "CREATE UNIQUE INDEX totp_secrets_one_to_confirm ON totp_secrets (person_id) "
    "WHERE confirmed_at IS NULL AND ended_at IS NULL",
    """
    CREATE FUNCTION refuse_earlier_step() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a one-time code of % is spent', NEW.person_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'totp_secrets_steps';
    END $$
    """,
    """
    CREATE TRIGGER totp_secrets_steps BEFORE UPDATE ON totp_secrets FOR EACH ROW
    WHEN (NEW.last_step < OLD.last_step OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL))
    EXECUTE FUNCTION refuse_earlier_step()
    """,
    "GRANT SELECT, INSERT, UPDATE (last_step, confirmed_at, ended_at) ON totp_secrets TO identity_app",
    """
    CREATE TABLE recovery_codes (
        person_id uuid NOT NULL REFERENCES people,
        digest bytea NOT NULL CHECK (length(digest) = 32),
        made_at timestamptz NOT NULL,
        spent_at timestamptz,
        PRIMARY KEY (person_id, digest)
    )
    """,
    """
    CREATE FUNCTION refuse_spent_code() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a recovery code of % is spent', NEW.person_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'recovery_codes_once';
    END $$
    """,
    """
    CREATE TRIGGER recovery_codes_once BEFORE UPDATE ON recovery_codes FOR EACH ROW
    WHEN (OLD.spent_at IS NOT NULL) EXECUTE FUNCTION refuse_spent_code()
    """,
    "GRANT SELECT, INSERT, UPDATE (spent_at) ON recovery_codes TO identity_app",
)

INVITATIONS = (
    """
    CREATE TABLE invitations (
        id uuid PRIMARY KEY,
        person_id uuid NOT NULL REFERENCES people,
        digest bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
        purpose text COLLATE "C" NOT NULL CHECK (purpose IN ('join', 'second_factor')),
        issued_by text NOT NULL CHECK (length(issued_by) BETWEEN 1 AND 255),
        issued_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL CHECK (expires_at > issued_at),
        closed_at timestamptz,
        -- Nobody lets themselves in again.
        CONSTRAINT invitations_are_from_another CHECK (issued_by <> 'person:' || person_id)
    )
    """,
    "CREATE UNIQUE INDEX invitations_one_open ON invitations (person_id) WHERE closed_at IS NULL",
    "GRANT SELECT, INSERT, UPDATE (closed_at) ON invitations TO identity_app",
)

# Without an address of a person or what was typed: `account` is the keyed hash that was asked for.
ATTEMPTS = (
    """
    CREATE TABLE sign_in_attempts (
        id uuid PRIMARY KEY,
        account text COLLATE "C" NOT NULL CHECK (account ~ '^[0-9a-f]{64}$'),
        person_id uuid REFERENCES people,
        step text COLLATE "C" NOT NULL
            CHECK (step IN ('password', 'totp', 'recovery_code', 'step_up', 'enrolment')),
        outcome text COLLATE "C" NOT NULL CHECK (outcome IN ('passed', 'refused')),
        address text NOT NULL CHECK (length(address) BETWEEN 1 AND 64),
        at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX sign_in_attempts_by_account ON sign_in_attempts (account, id)",
    *ddl.append_only("sign_in_attempts"),
    "GRANT SELECT, INSERT ON sign_in_attempts TO identity_app",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (*PEOPLE, *FACTORS, *INVITATIONS, *ATTEMPTS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("people are not forgotten by going back")
