"""What is still on its way, as SQL: so that a busy system is not mistaken for a broken one.

An event is on its way from the commit that wrote it to its outbox until the commit that claims it in the
consumer's inbox; a parked one waits for a person. Both are seen in one snapshot of all schemas.
"""

from contracts.catalogue import CATALOGUE, SERVICES

from florin.services import SERVICES as SCHEMAS

# ruff: noqa: S608 - what is put into these statements are names of the catalogue

assert set(SERVICES) == set(SCHEMAS), "a schema for each service"


def _awaited() -> str:
    parts = [
        f"SELECT o.subject FROM {entry.producer}.outbox o WHERE o.type = '{entry.name}' "
        f"AND NOT EXISTS (SELECT FROM {consumer}.inbox i WHERE i.event_id = o.event_id)"
        for entry in CATALOGUE
        for consumer in entry.consumers
        if consumer != "notification"
    ]
    parts += [
        f"SELECT subject FROM {schema}.parked WHERE status IN ('parked', 'replaying')"
        for schema in SCHEMAS
        if schema != "notification"
    ]
    return " UNION ALL ".join(parts)


# The ids, as text, of payments about which something is still to be handled. Of constants only.
AWAITED_SUBJECTS = _awaited()
