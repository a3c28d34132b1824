"""After quiet: everything that was sent has arrived, nothing waits, and what is parked is named."""

from contracts.catalogue import CATALOGUE

from florin.services import SERVICES
from florin.verification.checks import Audit, Check, Finding, found

# ruff: noqa: S608 - what is put into these statements are names of the catalogue

_NAMED = 20


async def outboxes_empty(audit: Audit) -> Finding:
    """Every event that was written has been sent."""
    first = None
    for schema in SERVICES:
        row = await audit.snapshot.fetchrow(
            f"SELECT count(*) AS waiting, min(position) AS position FROM {schema}.outbox_unsent"
        )
        assert row is not None, "an aggregate has a row"
        if row["waiting"] and first is None:
            first = f"{schema}.outbox holds {row['waiting']} unsent, the first at position {row['position']}"
    return found(len(SERVICES), first)


async def queues_empty(audit: Audit) -> Finding:
    """No frame waits in a queue that a service consumes."""
    return _queues(audit, dead=False)


async def dead_queues_empty(audit: Audit) -> Finding:
    """The broker gave up on nothing."""
    return _queues(audit, dead=True)


async def all_arrived(audit: Audit) -> Finding:
    """Every event that was sent is in the inbox of each of its consumers."""
    checked = 0
    for entry in CATALOGUE:
        unsent = f"SELECT FROM {entry.producer}.outbox_unsent u WHERE u.position = o.position"
        sent = f"SELECT count(*) FROM {entry.producer}.outbox o WHERE o.type = $1 AND NOT EXISTS ({unsent})"
        checked += await audit.snapshot.fetchval(sent, entry.name)
        for consumer in entry.consumers:
            lost = await audit.snapshot.fetchval(
                f"""
                SELECT format('%s %s of payment %s was sent and never reached {consumer}', o.type, o.event_id,
                              o.subject)
                FROM {entry.producer}.outbox o
                WHERE o.type = $1 AND NOT EXISTS ({unsent})
                  AND NOT EXISTS (SELECT FROM {consumer}.inbox i WHERE i.event_id = o.event_id)
                ORDER BY o.position LIMIT 1
                """,
                entry.name,
            )
            if lost is not None:
                # While frames are on their way this says nothing yet.
                return Finding(False if audit.quiet else None, checked, lost)
    return Finding(ok=True, checked=checked)


async def parked_named(audit: Audit) -> Finding:
    """Parked events wait for a person; they are named here and judged there."""
    named: list[str] = []
    checked = 0
    for schema in SERVICES:
        rows = await audit.snapshot.fetch(
            f"SELECT event_id, reason FROM {schema}.parked WHERE status IN ('parked', 'replaying') "
            "ORDER BY parked_at, event_id"
        )
        checked += len(rows)
        named += [f"{schema} {row['event_id']} {row['reason']}" for row in rows]
    more = f" and {checked - _NAMED} more" if checked > _NAMED else ""
    note = f"{checked} parked: {'; '.join(named[:_NAMED])}{more}" if named else None
    return Finding(ok=True, checked=checked, note=note)


async def quarantine_named(audit: Audit) -> Finding:
    """Frames that failed verification are named; one of our own producers' would also be missing above."""
    counts = {
        schema: await audit.snapshot.fetchval(f"SELECT count(*) FROM {schema}.quarantine")
        for schema in SERVICES
    }
    listed = ", ".join(f"{schema} {count}" for schema, count in counts.items() if count)
    return Finding(ok=True, checked=sum(counts.values()), note=f"in quarantine: {listed}" if listed else None)


def _queues(audit: Audit, *, dead: bool) -> Finding:
    if audit.depths is None:
        return Finding(ok=None, checked=0, note="the broker cannot be reached")
    chosen = {name: depth for name, depth in audit.depths.items() if name.endswith(".dead") is dead}
    first = next((f"{name} holds {depth} frames" for name, depth in chosen.items() if depth), None)
    return found(len(chosen), first)


CHECKS: tuple[Check, ...] = (
    Check(6, "every event that was sent has reached each of its consumers", all_arrived),
    Check(7, "outboxes are empty", outboxes_empty),
    Check(7, "queues are empty", queues_empty),
    Check(7, "dead queues are empty", dead_queues_empty),
    Check(7, "parked events are named", parked_named),
    Check(7, "quarantined frames are named", quarantine_named),
)
