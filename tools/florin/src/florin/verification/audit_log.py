"""The audit log of each service: its chain computed anew, and nothing beside it."""

from collections.abc import Mapping

from service_kit.audit import chain
from service_kit.audit.chain import Head

from florin.services import PROCESSES
from florin.verification.checks import Audit, Check, Finding, Snapshot, found

_PREFETCH = 1000
_WAITED_S = 60
_TALLY = " UNION ALL ".join(
    f"""
    SELECT (SELECT count(*) FROM {service}.audit_entries) AS entries,
           (SELECT format('{service}: entry %s is neither sealed nor waits to be', e.id)
            FROM {service}.audit_entries e
            LEFT JOIN {service}.audit_seals s ON s.entry_id = e.id
            LEFT JOIN {service}.audit_unsealed u ON u.entry_id = e.id
            WHERE s.entry_id IS NULL AND u.entry_id IS NULL ORDER BY e.id LIMIT 1) AS lost,
           (SELECT format('{service}: entry %s waits since %s', e.id, e.at)
            FROM {service}.audit_unsealed u LEFT JOIN {service}.audit_entries e ON e.id = u.entry_id
            WHERE e.id IS NULL OR e.at < now() - interval '{_WAITED_S} s' ORDER BY e.id LIMIT 1) AS waiting
    """  # noqa: S608
    for service in PROCESSES
)
_LAST = "SELECT position, hash FROM {service}.audit_seals ORDER BY position DESC LIMIT 1"
_AT = "SELECT hash FROM {service}.audit_seals WHERE position = $1"


async def chains(audit: Audit) -> Finding:
    """Each seal's hash is that of its entry and of the seal before it, without a gap."""
    checked = 0
    for service in PROCESSES:
        last = chain.beginning(service)
        async for row in audit.snapshot.cursor(chain.SEALED.format(schema=service), prefetch=_PREFETCH):
            checked += 1
            if (wrong := chain.fault(last, row)) is not None:
                return Finding(ok=False, checked=checked, offender=f"{service}: {wrong}")
            last = Head(row["position"], bytes(row["hash"]))
    return Finding(ok=True, checked=checked)


async def nothing_beside(audit: Audit) -> Finding:
    """Each entry is in the chain or on the list of what is to be sealed."""
    return await _tally(audit, "lost")


async def nothing_waits(audit: Audit) -> Finding:
    """Whoever alters an entry before it is sealed must be quick."""
    return await _tally(audit, "waiting")


async def heads_kept(audit: Audit) -> Finding:
    """Of a chain whose end was cut off, or that was written anew, only what was kept elsewhere tells."""
    for service, head in audit.heads.items():
        stands = chain.beginning(service).hash
        if head.position:
            stands = await audit.snapshot.fetchval(_AT.format(service=service), head.position)
        if stands is None:
            return found(len(audit.heads), f"{service}: the chain ends before position {head.position}")
        if bytes(stands) != head.hash:
            return found(len(audit.heads), f"{service}: position {head.position} has another hash")
    return found(len(audit.heads), None)


async def heads_of(snapshot: Snapshot) -> Mapping[str, Head]:
    """Where each service's chain ends."""
    heads = {}
    for service in PROCESSES:
        row = await snapshot.fetchrow(_LAST.format(service=service))
        heads[service] = (
            chain.beginning(service) if row is None else Head(row["position"], bytes(row["hash"]))
        )
    return heads


async def _tally(audit: Audit, what: str) -> Finding:
    rows = await audit.snapshot.fetch(_TALLY)
    first = next((row[what] for row in rows if row[what] is not None), None)
    return found(sum(row["entries"] for row in rows), first)


CHECKS: tuple[Check, ...] = (
    Check(8, "each audit chain recomputes from its entries", chains),
    Check(8, "each audit entry is sealed or waits to be", nothing_beside),
    Check(8, "no audit entry has waited for a minute", nothing_waits),
)
# Asked only of whom a head was given.
AGAINST_HEADS = Check(8, "each audit chain holds the heads that were kept", heads_kept)
