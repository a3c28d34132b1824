"""Every record hash and every chain, computed anew from what is stored; streamed, in bounded memory."""

from typing import Any
from uuid import UUID

import asyncpg
import orjson
from transaction_service.domain.hashing import event_hash, record_hash
from transaction_service.domain.payment import Kind, PaymentOrder, canonical_form
from transaction_service.domain.terms import Terms

from florin.verification.checks import Audit, Check, Finding

_PREFETCH = 1000
_LIVES = """
    SELECT p.*, e.sequence, e.status, e.reason, e.occurred_at, e.previous_hash, e.hash AS event_hash
    FROM transaction.payments p
    LEFT JOIN transaction.payment_events e ON e.payment_id = p.id
    ORDER BY p.id, e.sequence
"""


async def records(audit: Audit) -> Finding:
    """Each payment's hash is that of its fields; each event's chains to the one before, the first to the
    record."""
    checked = 0
    current: UUID | None = None
    previous = b""
    async for row in audit.snapshot.cursor(_LIVES, prefetch=_PREFETCH):
        if row["id"] != current:
            current, previous = row["id"], row["hash"]
            checked += 1
            if fault := _record_fault(row):
                return Finding(ok=False, checked=checked, offender=f"payment {current}: {fault}")
        if row["sequence"] is None:
            continue
        checked += 1
        if fault := _event_fault(row, previous):
            offender = f"payment {current} event {row['sequence']}: {fault}"
            return Finding(ok=False, checked=checked, offender=offender)
        previous = row["event_hash"]
    return Finding(ok=True, checked=checked)


def _record_fault(row: "asyncpg.Record") -> str | None:
    try:
        order = _order(row)
    except (ValueError, TypeError, KeyError, AssertionError) as error:
        return f"not a payment that can have been accepted: {error}"
    if row["terms"] is not None and (order.terms or Terms()).form() != orjson.loads(row["terms"]):
        return "its terms say more than such terms can"
    computed = record_hash(canonical_form(row["id"], order, row["created_at"]))
    return None if computed == row["hash"] else "the record does not have the hash it was stored with"


def _event_fault(row: "asyncpg.Record", previous: bytes) -> str | None:
    if row["previous_hash"] != previous:
        return "it does not chain to what stands before it"
    computed = event_hash(
        payment_id=row["id"],
        sequence=row["sequence"],
        status=row["status"],
        reason=row["reason"],
        occurred_at=row["occurred_at"],
        previous_hash=row["previous_hash"],
    )
    return None if computed == row["event_hash"] else "it does not have the hash it was stored with"


def _order(row: "asyncpg.Record") -> PaymentOrder:
    metadata: Any = orjson.loads(row["metadata"])
    return PaymentOrder(
        client_id=row["client_id"],
        idempotency_key=row["idempotency_key"],
        debtor=row["debtor"],
        creditor=row["creditor"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        reference=row["reference"],
        description=row["description"],
        metadata=metadata,
        capture=row["capture"],
        kind=Kind(row["kind"]),
        reverses=row["reverses"],
        captures=row["captures"],
        terms=None if row["terms"] is None else Terms.of_form(orjson.loads(row["terms"])),
    )


CHECKS: tuple[Check, ...] = (Check(8, "each record and each lifecycle event has its hash", records),)
