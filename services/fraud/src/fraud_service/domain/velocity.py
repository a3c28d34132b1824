"""How much a debtor sent within a window, counted exactly in time buckets on the payments' own time.

A window of `window_s` seconds is 60 buckets of `window_s / 60` seconds, aligned to the epoch. A payment
created in bucket *b* is measured against buckets *b - 59* to *b*: everything created less than 59/60 of the
window before it counts, nothing created a whole window or longer before it ever does, and what lies between
depends on where the bucket's edge falls. So the granularity can shorten a window by up to one sixtieth and
never lengthens it: nobody is flagged who kept within the limit. Within that definition the counts are exact:
every screened transfer is counted once, whichever process screened it and in whatever order it came.

Time is the payment's `created_at`, never the moment of screening: a backlog of an hour drained in a second
counts as the hour's traffic that it was. Payments that arrive late are counted in the bucket they belong to;
later payments that were already decided stay decided. Attempts count whatever was decided about them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fraud_service.domain.payments import PaymentKind, ScreenedPayment
from fraud_service.domain.rules import BUCKETS_PER_WINDOW, VelocityCountRule, VelocityRule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bucket_of(at: datetime, window_s: int) -> int:
    """Number of the bucket, counted from the epoch, that `at` falls into for windows of `window_s`."""
    return (at - _EPOCH) // timedelta(seconds=window_s // BUCKETS_PER_WINDOW)


@dataclass(frozen=True, slots=True)
class CounterKey:
    """One stored counter: a debtor's transfers of one currency in one bucket of one window length."""

    client_id: str
    debtor: str
    window_s: int
    bucket: int
    currency: str


@dataclass(slots=True)
class Tally:
    """How many payments, and their sum in minor units of the counter's currency."""

    payments: int = 0
    sum_minor: int = 0

    def add(self, payments: int, sum_minor: int) -> None:
        """Count `payments` more, of `sum_minor` together."""
        self.payments += payments
        self.sum_minor += sum_minor


@dataclass(frozen=True, slots=True)
class BucketRange:
    """The buckets, first to last inclusive, that a batch needs of one debtor and window."""

    client_id: str
    debtor: str
    window_s: int
    first: int
    last: int


def ranges_needed(payments: Iterable[ScreenedPayment], windows: Iterable[int]) -> list[BucketRange]:
    """The stored counters that must be known to measure these transfers: one range per debtor and window."""
    window_list = sorted(windows)
    ends: dict[tuple[str, str, int], tuple[int, int]] = {}
    for payment in payments:
        if payment.kind is not PaymentKind.TRANSFER:
            continue
        for window_s in window_list:
            key = (payment.client_id, payment.debtor, window_s)
            bucket = bucket_of(payment.created_at, window_s)
            low, high = ends.get(key, (bucket, bucket))
            ends[key] = (min(low, bucket), max(high, bucket))
    return [
        BucketRange(client_id, debtor, window_s, low - BUCKETS_PER_WINDOW + 1, high)
        for (client_id, debtor, window_s), (low, high) in ends.items()
    ]


@dataclass(slots=True)
class Counters:
    """What was counted before a batch, and what the batch adds while it is screened in order."""

    windows: frozenset[int]
    _seen: dict[tuple[str, str, int], dict[int, dict[str, Tally]]] = field(default_factory=dict)
    added: dict[CounterKey, Tally] = field(default_factory=lambda: defaultdict(Tally))

    def load(self, stored: Mapping[CounterKey, Tally]) -> None:
        """Take over counters that were stored before this batch."""
        for key, tally in stored.items():
            self._at(key).add(tally.payments, tally.sum_minor)

    def count(self, payment: ScreenedPayment) -> None:
        """Count one transfer in every window."""
        for window_s in self.windows:
            key = CounterKey(
                payment.client_id,
                payment.debtor,
                window_s,
                bucket_of(payment.created_at, window_s),
                payment.amount.currency,
            )
            self._at(key).add(1, payment.amount.amount_minor)
            self.added[key].add(1, payment.amount.amount_minor)

    def measure(self, rule: VelocityRule, payment: ScreenedPayment) -> int:
        """What `rule` compares with its limit: payments or their sum, in the window ending at `payment`."""
        buckets = self._seen.get((payment.client_id, payment.debtor, rule.window_s), {})
        last = bucket_of(payment.created_at, rule.window_s)
        total = 0
        for bucket in range(last - BUCKETS_PER_WINDOW + 1, last + 1):
            by_currency = buckets.get(bucket)
            if by_currency is None:
                continue
            if isinstance(rule, VelocityCountRule):
                total += sum(tally.payments for tally in by_currency.values())
            elif (tally := by_currency.get(rule.currency)) is not None:
                total += tally.sum_minor
        return total

    def _at(self, key: CounterKey) -> Tally:
        buckets = self._seen.setdefault((key.client_id, key.debtor, key.window_s), {})
        return buckets.setdefault(key.bucket, {}).setdefault(key.currency, Tally())
