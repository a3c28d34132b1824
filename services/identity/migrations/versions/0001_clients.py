"""Clients, their keys, the keys that sign tokens, and what was revoked."""

from alembic import op
from messaging import ddl

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# One number for all that the trust feed tells: whoever has it has the latest.
TRUST_VERSION = (
    """
    CREATE TABLE trust_version (
        single boolean PRIMARY KEY DEFAULT true CHECK (single),
        number bigint NOT NULL
    )
    """,
    "INSERT INTO trust_version (number) VALUES (1)",
    # Whoever changes what the feed tells cannot forget it, and holds the row until its commit: a reader of
    # the number sees all that belongs to it.
    """
    CREATE FUNCTION count_trust_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE trust_version SET number = number + 1;
        RETURN NULL;
    END $$
    """,
    "GRANT SELECT, UPDATE (number) ON trust_version TO identity_app",
)

CLIENTS = (
    """
    CREATE TABLE clients (
        id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        scopes text[] NOT NULL CHECK (cardinality(scopes) <= 100),
        status text COLLATE "C" NOT NULL CHECK (status IN ('active', 'suspended')),
        registered_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    "CREATE TRIGGER clients_keep_their_identity BEFORE UPDATE OF id, registered_at ON clients "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER clients_are_not_deleted BEFORE DELETE ON clients "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER clients_are_not_truncated BEFORE TRUNCATE ON clients "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER clients_are_told AFTER UPDATE OF status ON clients "
    "FOR EACH STATEMENT EXECUTE FUNCTION count_trust_change()",
    "GRANT SELECT, INSERT, UPDATE (name, scopes, status, updated_at) ON clients TO identity_app",
    """
    CREATE TABLE client_changes (
        id uuid PRIMARY KEY,
        client_id text COLLATE "C" NOT NULL REFERENCES clients,
        change text COLLATE "C" NOT NULL CHECK (change IN ('registered', 'suspended', 'resumed')),
        reason text CHECK (length(reason) BETWEEN 1 AND 500),
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX client_changes_in_order ON client_changes (client_id, id)",
    *ddl.append_only("client_changes"),
    "GRANT SELECT, INSERT ON client_changes TO identity_app",
)

# Of a key only its digest is kept; `last_used_at` alone may change without the feed having to tell.
API_KEYS = (
    """
    CREATE TABLE api_keys (
        id uuid PRIMARY KEY,
        prefix text COLLATE "C" NOT NULL UNIQUE CHECK (prefix ~ '^[a-z2-7]{8}$'),
        client_id text COLLATE "C" NOT NULL REFERENCES clients,
        label text NOT NULL CHECK (length(label) BETWEEN 1 AND 100),
        digest bytea NOT NULL CHECK (octet_length(digest) = 32),
        scopes text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 100),
        issued_at timestamptz NOT NULL,
        not_after timestamptz,
        replaces uuid UNIQUE REFERENCES api_keys,
        revoked_at timestamptz,
        last_used_at timestamptz
    )
    """,
    "CREATE INDEX api_keys_of_client ON api_keys (client_id, id)",
    "CREATE TRIGGER api_keys_keep_their_identity "
    "BEFORE UPDATE OF id, prefix, client_id, label, digest, scopes, issued_at, replaces ON api_keys "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    # A key ends once, and never later than was said before.
    """
    CREATE FUNCTION refuse_longer_key() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'key % cannot be revived or made to last longer', OLD.prefix
            USING ERRCODE = 'check_violation', CONSTRAINT = 'api_keys_end_once';
    END $$
    """,
    """
    CREATE TRIGGER api_keys_end_once BEFORE UPDATE OF revoked_at, not_after ON api_keys FOR EACH ROW
    WHEN ((OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
        OR (OLD.not_after IS NOT NULL AND (NEW.not_after IS NULL OR NEW.not_after > OLD.not_after)))
    EXECUTE FUNCTION refuse_longer_key()
    """,
    "CREATE TRIGGER api_keys_are_not_deleted BEFORE DELETE ON api_keys "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER api_keys_are_not_truncated BEFORE TRUNCATE ON api_keys "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER api_keys_are_told AFTER INSERT OR UPDATE OF revoked_at, not_after ON api_keys "
    "FOR EACH STATEMENT EXECUTE FUNCTION count_trust_change()",
    "GRANT SELECT, INSERT, UPDATE (not_after, revoked_at, last_used_at) ON api_keys TO identity_app",
    """
    CREATE TABLE api_key_changes (
        id uuid PRIMARY KEY,
        key_id uuid NOT NULL REFERENCES api_keys,
        change text COLLATE "C" NOT NULL CHECK (change IN ('issued', 'replaced', 'revoked')),
        reason text CHECK (length(reason) BETWEEN 1 AND 500),
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        changed_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX api_key_changes_in_order ON api_key_changes (key_id, id)",
    *ddl.append_only("api_key_changes"),
    "GRANT SELECT, INSERT ON api_key_changes TO identity_app",
)

SIGNING_KEYS = (
    """
    CREATE TABLE signing_keys (
        kid text COLLATE "C" PRIMARY KEY CHECK (length(kid) BETWEEN 1 AND 64),
        state text COLLATE "C" NOT NULL CHECK (state IN ('next', 'active', 'retired')),
        public_key bytea NOT NULL CHECK (octet_length(public_key) = 32),
        sealed_key bytea NOT NULL,
        key_encryption_key text COLLATE "C" NOT NULL,
        made_at timestamptz NOT NULL,
        activated_at timestamptz,
        retired_at timestamptz,
        -- Until then tokens that it signed may still be on their way.
        verify_until timestamptz,
        CONSTRAINT signing_keys_times CHECK (
            (activated_at IS NULL) = (state = 'next') AND (retired_at IS NULL) = (state <> 'retired')
            AND (verify_until IS NULL) = (retired_at IS NULL))
    )
    """,
    # At every moment one key signs, and at most one stands by.
    "CREATE UNIQUE INDEX signing_keys_one_of_each ON signing_keys (state) WHERE state <> 'retired'",
    "CREATE TRIGGER signing_keys_keep_their_identity "
    "BEFORE UPDATE OF kid, public_key, made_at ON signing_keys FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    """
    CREATE FUNCTION refuse_signing_key_move() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'signing key % cannot go from % to %', OLD.kid, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'signing_keys_state_machine';
    END $$
    """,
    """
    CREATE TRIGGER signing_keys_state_machine BEFORE UPDATE OF state ON signing_keys FOR EACH ROW
    WHEN (OLD.state <> NEW.state
        AND (OLD.state, NEW.state) NOT IN (('next', 'active'), ('active', 'retired')))
    EXECUTE FUNCTION refuse_signing_key_move()
    """,
    "CREATE TRIGGER signing_keys_are_not_deleted BEFORE DELETE ON signing_keys "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER signing_keys_are_not_truncated BEFORE TRUNCATE ON signing_keys "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    "GRANT SELECT, INSERT, UPDATE (state, activated_at, retired_at, verify_until, sealed_key, "
    "key_encryption_key) ON signing_keys TO identity_app",
    """
    CREATE TABLE signing_key_changes (
        id uuid PRIMARY KEY,
        kid text COLLATE "C" NOT NULL REFERENCES signing_keys,
        state text COLLATE "C" NOT NULL CHECK (state IN ('next', 'active', 'retired')),
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        changed_at timestamptz NOT NULL
    )
    """,
    *ddl.append_only("signing_key_changes"),
    "GRANT SELECT, INSERT ON signing_key_changes TO identity_app",
)

REVOCATIONS = (
    """
    CREATE TABLE revocations (
        id uuid PRIMARY KEY,
        kind text COLLATE "C" NOT NULL CHECK (kind IN ('client', 'person', 'token')),
        subject text COLLATE "C" NOT NULL CHECK (length(subject) BETWEEN 1 AND 64),
        -- Of clients and people: tokens issued until then. Of one token: none, it is named.
        issued_until timestamptz,
        -- From then on every token that it speaks of has expired by itself.
        told_until timestamptz NOT NULL,
        author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
        revoked_at timestamptz NOT NULL,
        CONSTRAINT revocations_say_until_when CHECK ((issued_until IS NULL) = (kind = 'token'))
    )
    """,
    "CREATE INDEX revocations_to_tell ON revocations (told_until)",
    *ddl.append_only("revocations"),
    "CREATE TRIGGER revocations_are_told AFTER INSERT ON revocations "
    "FOR EACH STATEMENT EXECUTE FUNCTION count_trust_change()",
    "GRANT SELECT, INSERT ON revocations TO identity_app",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (
        ddl.REFUSE_CHANGE,
        *TRUST_VERSION,
        *CLIENTS,
        *API_KEYS,
        *SIGNING_KEYS,
        *REVOCATIONS,
    ):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("what was revoked is not forgotten")
