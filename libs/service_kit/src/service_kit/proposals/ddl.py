"""The tables of proposals, as the statements of a service's migration.

A migration is frozen once released: a change here is a new function beside `v1`.
"""

from collections.abc import Sequence

from messaging.ddl import append_only

APPEND_ONLY = ("proposals", "proposal_ends")


def v1(*, schema: str, app_role: str, kinds: Sequence[str]) -> tuple[str, ...]:
    """Proposals and their ends, both append-only, in the schema, which has `refuse_change()`.

    The primary key of the ends lets a proposal end once. The trigger refuses a decision by who proposed it, a
    withdrawal by another, and whatever comes too late, by the clock of who writes it and by the server's.
    """
    known = ", ".join(f"'{kind}'" for kind in kinds)
    return (
        f"""
        CREATE TABLE proposals (
            id uuid PRIMARY KEY,
            client_id text COLLATE "C" NOT NULL,
            idempotency_key text COLLATE "C" NOT NULL,
            kind text COLLATE "C" NOT NULL CHECK (kind IN ({known})),
            terms jsonb NOT NULL,
            reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
            proposed_by text NOT NULL CHECK (length(proposed_by) BETWEEN 1 AND 255),
            proposed_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            CONSTRAINT proposals_are_made_once UNIQUE (client_id, idempotency_key),
            CONSTRAINT proposals_have_their_time CHECK (
                expires_at > proposed_at AND expires_at <= proposed_at + interval '7 days')
        )
        """,
        "CREATE INDEX proposals_in_order ON proposals (client_id, id)",
        *append_only("proposals"),
        """
        CREATE TABLE proposal_ends (
            proposal_id uuid PRIMARY KEY REFERENCES proposals,
            state text COLLATE "C" NOT NULL CHECK (state IN ('APPROVED', 'REJECTED', 'WITHDRAWN')),
            reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
            author text NOT NULL CHECK (length(author) BETWEEN 1 AND 255),
            ended_at timestamptz NOT NULL,
            outcome jsonb NOT NULL
        )
        """,
        *append_only("proposal_ends"),
        f"""
        CREATE FUNCTION check_proposal_end() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            proposed record;
            rule text;
        BEGIN
            SELECT p.proposed_by, p.expires_at INTO proposed
            FROM {schema}.proposals p WHERE p.id = NEW.proposal_id;
            rule := CASE
                WHEN NEW.state = 'WITHDRAWN' AND NEW.author <> proposed.proposed_by
                    THEN 'proposals_are_withdrawn_by_their_proposer'
                WHEN NEW.state <> 'WITHDRAWN' AND NEW.author = proposed.proposed_by
                    THEN 'proposals_are_decided_by_another'
                WHEN greatest(NEW.ended_at, clock_timestamp()) >= proposed.expires_at
                    THEN 'proposals_end_in_time' END;
            IF rule IS NOT NULL THEN
                RAISE EXCEPTION 'proposal % cannot be % by %: %', NEW.proposal_id, NEW.state, NEW.author,
                    replace(rule, '_', ' ') USING ERRCODE = 'check_violation', CONSTRAINT = rule;
            END IF;
            RETURN NEW;
        END $$
        """,  # noqa: S608 - a schema's name
        """
        CREATE TRIGGER proposals_end_rightly BEFORE INSERT ON proposal_ends
        FOR EACH ROW EXECUTE FUNCTION check_proposal_end()
        """,
        f"GRANT SELECT, INSERT ON proposals, proposal_ends TO {app_role}",
    )
