"""The continuous verifier: what must always hold, recomputed again and again beside the running system.

It reads as the auditor, who can write nothing, and tells what it finds as metrics. Two rounds run beside one
another: the invariants, which read whole tables and rest several times as long as they worked; and what is
under way between the services, which reads only what is new and looks every few seconds.
"""

import asyncio
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

import asyncpg
import structlog
from contracts.catalogue import CATALOGUE
from prometheus_client import CollectorRegistry, Gauge
from service_kit.audit.chain import Head

from florin.provision import connect
from florin.services import PROCESSES, SERVICES
from florin.verification import audit_log
from florin.verification.checks import Audit, Check
from florin.verification.report import CHECKS, run, snapshot

# A round of checks rests this many times as long as it took, and no less than the interval asked for.
REST = 4
PATH_INTERVAL_S = 5.0
_BACK_OFF_S = 5.0
_OUTAGES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

# After quiet alone, or about files of this machine: neither is to be had beside a busy system. How long an
# audit entry has waited is told as an age.
_NOT_WATCHED = frozenset(
    {
        "outboxes are empty",
        "queues are empty",
        "dead queues are empty",
        "parked events are named",
        "quarantined frames are named",
        "no secret stands in a log",
        "no audit entry has waited for a minute",
    }
)
assert {check.name for check in CHECKS} >= _NOT_WATCHED, "a check that is left out is misnamed"
WATCHED: tuple[Check, ...] = (
    *(check for check in CHECKS if check.name not in _NOT_WATCHED),
    audit_log.AGAINST_HEADS,
)

_log = structlog.get_logger(__name__)


class WatchMetrics:
    """What the watch tells, in a registry of its own: the services' metrics would all say 0 here."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.broken = Gauge(
            "florin_invariant_broken",
            "1 for a check of what must always hold that found an offender when it last ran",
            ["invariant", "check"],
            registry=self.registry,
        )
        self.completed = Gauge(
            "florin_watch_completed_timestamp_seconds",
            "When all checks had last been made, since the epoch",
            registry=self.registry,
        )
        self.round_seconds = Gauge(
            "florin_watch_round_seconds", "How long all checks last took", registry=self.registry
        )
        self.unhandled = Gauge(
            "florin_event_unhandled_seconds",
            "Age of the oldest event that this consumer has not handled, in outbox or queue; 0 for none",
            ["consumer"],
            registry=self.registry,
        )
        self.signing_key_age = Gauge(
            "florin_signing_key_age_seconds",
            "Since the key that signs access tokens became the one that does",
            registry=self.registry,
        )
        self.unsealed = Gauge(
            "florin_audit_unsealed_seconds",
            "Age of the oldest entry of the audit log that is not yet in its chain; 0 for none",
            ["service"],
            registry=self.registry,
        )
        for check in WATCHED:
            self.broken.labels(str(check.invariant), check.name).set(0)
        for consumer in SERVICES:
            self.unhandled.labels(consumer).set(0)


async def check_once(
    url: str,
    metrics: WatchMetrics,
    *,
    checks: Sequence[Check] = WATCHED,
    kept: MutableMapping[str, Head] | None = None,
) -> bool:
    """One round over one snapshot; says whether all is well. Raises asyncpg's errors and OSError.

    `kept` are the heads of the audit chains that the round before has seen, and afterwards those that this
    one has: outside the database, whose owner could cut a chain's end off or write it anew. While a chain
    does not hold its head, all stay as they are.
    """
    kept = {} if kept is None else kept
    began = time.monotonic()
    async with snapshot(url) as connection:
        # Never quiet: what is under way is under way.
        report = await run(Audit(connection, quiet=False, heads=kept), checks)
        failed = {result.check for result in report.results if result.finding.ok is False}
        if audit_log.AGAINST_HEADS not in failed:
            kept.update(await audit_log.heads_of(connection))
    for result in report.results:
        broken = result.finding.ok is False
        metrics.broken.labels(str(result.check.invariant), result.check.name).set(broken)
        if broken:
            # The offender is named where people look for it, and never in a label.
            _log.error("invariant_broken", check=result.check.name, offender=result.finding.offender)
    metrics.round_seconds.set(time.monotonic() - began)
    metrics.completed.set(time.time())
    return report.ok


@dataclass
class Unhandled:
    """How long events have waited for their consumers, by reading on from the oldest that still waits."""

    # Up to which position of a producer's outbox a consumer has handled everything.
    _handled: dict[tuple[str, str], int] = field(default_factory=dict)

    async def ages_s(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Mapping[str, float]:
        """By consumer, 0 where nothing waits."""
        oldest = dict.fromkeys(SERVICES, 0.0)
        for (producer, consumer), types in _FLOWS.items():
            row = await connection.fetchrow(
                _UNHANDLED.format(producer=producer, consumer=consumer),
                self._handled.get((producer, consumer), 0),
                list(types),
            )
            assert row is not None, "an aggregate has a row"
            self._handled[producer, consumer] = row["handled"]
            oldest[consumer] = max(oldest[consumer], row["age_s"])
        return oldest


def _flows() -> Mapping[tuple[str, str], Sequence[str]]:
    flows: dict[tuple[str, str], list[str]] = {}
    for entry in CATALOGUE:
        for consumer in entry.consumers:
            flows.setdefault((entry.producer, consumer), []).append(entry.name)
    return flows


_FLOWS = _flows()
# Positions are given out before their commit: the last half minute is looked at again each time, so that one
# that commits late is not passed over.
_UNHANDLED = """
    WITH missing AS (
        SELECT o.position, o.created_at FROM {producer}.outbox o
        WHERE o.position >= $1 AND o.type = ANY($2)
          AND NOT EXISTS (SELECT FROM {consumer}.inbox i WHERE i.event_id = o.event_id)
        ORDER BY o.position LIMIT 1
    )
    SELECT
        coalesce(greatest(extract(epoch FROM now() - (SELECT created_at FROM missing)), 0), 0)::float8
            AS age_s,
        least(
            (SELECT position FROM missing),
            greatest($1, (SELECT max(position) FROM {producer}.outbox
                          WHERE position >= $1 AND created_at < now() - interval '30 seconds'))
        )::bigint AS handled
"""
_UNSEALED = " UNION ALL ".join(
    f"""
    SELECT '{service}' AS service, coalesce(greatest(extract(epoch FROM now() - (
        SELECT e.at FROM {service}.audit_unsealed u JOIN {service}.audit_entries e ON e.id = u.entry_id
        ORDER BY u.entry_id LIMIT 1)), 0), 0)::float8 AS age_s
    """  # noqa: S608
    for service in PROCESSES
)
_KEY_AGE = "SELECT extract(epoch FROM now() - max(activated_at))::float8 FROM identity.signing_keys"


async def unsealed_ages_s(connection: "asyncpg.Connection[asyncpg.Record]") -> list[tuple[str, float]]:
    """By service, how long the first entry of its audit log waits that is in no chain; 0 where none does."""
    return [(row["service"], row["age_s"]) for row in await connection.fetch(_UNSEALED)]


class Watch:
    """Both rounds, until it is cancelled. An outage of the database is waited out."""

    def __init__(self, url: str, metrics: WatchMetrics, *, interval_s: float) -> None:
        self._url = url
        self._metrics = metrics
        self._interval_s = interval_s
        self._heads: dict[str, Head] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as rounds:
            rounds.create_task(self._check())
            rounds.create_task(self._follow())

    async def _check(self) -> None:
        while True:
            began = time.monotonic()
            try:
                ok = await check_once(self._url, self._metrics, kept=self._heads)
            except _OUTAGES as error:
                _log.warning("watch_waits", error=type(error).__name__)
                await asyncio.sleep(_BACK_OFF_S)
                continue
            took_s = time.monotonic() - began
            _log.info("watched", ok=ok, seconds=round(took_s, 1))
            await asyncio.sleep(max(self._interval_s, REST * took_s))

    async def _follow(self) -> None:
        unhandled = Unhandled()
        while True:
            try:
                connection = await connect(self._url)
                try:
                    await self._follow_on(connection, unhandled)
                finally:
                    await connection.close(timeout=_BACK_OFF_S)
            except _OUTAGES as error:
                _log.warning("watch_waits", error=type(error).__name__)
                await asyncio.sleep(_BACK_OFF_S)

    async def _follow_on(
        self, connection: "asyncpg.Connection[asyncpg.Record]", unhandled: Unhandled
    ) -> None:
        while True:
            for consumer, age_s in (await unhandled.ages_s(connection)).items():
                self._metrics.unhandled.labels(consumer).set(age_s)
            for service, age_s in await unsealed_ages_s(connection):
                self._metrics.unsealed.labels(service).set(age_s)
            key_age_s = await connection.fetchval(_KEY_AGE)
            self._metrics.signing_key_age.set(key_age_s or 0)
            await asyncio.sleep(PATH_INTERVAL_S)
