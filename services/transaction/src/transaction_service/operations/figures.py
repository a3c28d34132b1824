"""What is counted of payments: taken on, moved, ended, in how long and for how much.

Noted within the transaction and counted once it has committed, so that what was rolled back is never told.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from messaging import notes
from prometheus_client import Counter, Histogram
from service_kit.telemetry import counter, histogram
from sqlalchemy.ext.asyncio import AsyncConnection

from transaction_service.domain.lifecycle import LifecycleEvent, Standing, Status
from transaction_service.domain.payment import Kind, Payment

_ACCEPTED = counter("payments_accepted", "Payments taken on, by kind", ("kind",))
_MOVES = counter(
    "payment_moves",
    "Steps in payments' lives by the state they led to; of REJECTED the rule that refused",
    ("status", "reason"),
)
_AMOUNT = counter(
    "payments_amount_minor",
    "Minor units of payments accepted and settled. A hold counts when accepted, its captures when settled",
    ("stage", "currency"),
)
_SETTLE_SECONDS = histogram(
    "payment_settle_seconds",
    "From acceptance to SETTLED: directly, after a review, or of a hold",
    ("way",),
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
)
_NOTED = "figures"
# The codes of our own rules and the ledger's are some thirty; whatever else may come counts together.
_CODE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_MAX_REASONS = 64
_reasons: set[str] = set()


@dataclass(frozen=True, slots=True)
class _Moved:
    payment: Payment
    before: Standing
    moves: Sequence[LifecycleEvent]


def note_accepted(connection: AsyncConnection, accepted: Iterable[Payment]) -> None:
    """To be called for payments that the transaction has made."""
    _noted(connection).extend(accepted)


def note_moves(
    connection: AsyncConnection, payment: Payment, before: Standing, moves: Sequence[LifecycleEvent]
) -> None:
    """To be called for what the transaction has moved, with where it stood before."""
    if moves:
        _noted(connection).append(_Moved(payment, before, moves))


def count_committed(connection: AsyncConnection) -> None:
    """To be called after each commit."""
    for noted in notes.of(connection).pop(_NOTED, ()):
        if isinstance(noted, Payment):
            _count_accepted(noted)
        else:
            _count_moves(noted)


def _noted(connection: AsyncConnection) -> list[Payment | _Moved]:
    noted: list[Payment | _Moved] = notes.of(connection).setdefault(_NOTED, [])
    return noted


def _count_accepted(payment: Payment) -> None:
    order = payment.order
    _accepted(order.kind).inc()
    if order.kind is not Kind.CAPTURE:
        _amount("accepted", order.currency).inc(order.amount_minor)


def _count_moves(moved: _Moved) -> None:
    order = moved.payment.order
    for step in moved.moves:
        reason = _reason(step.reason) if step.status is Status.REJECTED else ""
        _moves(step.status, reason).inc()
        if step.status is Status.SETTLED:
            taken = (step.occurred_at - moved.payment.created_at).total_seconds()
            _settle_seconds(_way(moved)).observe(max(0.0, taken))
            if order.hold is None:
                _amount("settled", order.currency).inc(order.amount_minor)


# A child is looked up once: `labels()` takes longer than counting does. They are as few as the codes above.
@cache
def _accepted(kind: Kind) -> Counter:
    return _ACCEPTED.labels(kind.value)


@cache
def _moves(status: Status, reason: str) -> Counter:
    return _MOVES.labels(status.value, reason)


@cache
def _amount(stage: str, currency: str) -> Counter:
    return _AMOUNT.labels(stage, currency)


@cache
def _settle_seconds(way: str) -> Histogram:
    return _SETTLE_SECONDS.labels(way)


def _way(moved: _Moved) -> str:
    if moved.payment.order.hold is not None:
        return "held"
    return "reviewed" if moved.before.status is Status.REVIEW else "direct"


def _reason(reason: str | None) -> str:
    if reason in _reasons:
        return reason
    if reason is None or len(_reasons) >= _MAX_REASONS or not _CODE.fullmatch(reason):
        return "other"
    _reasons.add(reason)
    return reason
