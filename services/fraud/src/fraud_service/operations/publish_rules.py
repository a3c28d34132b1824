"""Publish a new version of the rules, on top of the version its author had seen."""

from dataclasses import dataclass
from datetime import timedelta

from service_kit.audit import Entry, Origin, record
from service_kit.clock import Clock
from sqlalchemy.ext.asyncio import AsyncConnection

from fraud_service.domain.rules import BUCKETS_PER_WINDOW, RuleSet
from fraud_service.operations.trim_velocity import LATE_PAYMENTS
from fraud_service.persistence import rule_sets, velocity
from fraud_service.persistence.rule_sets import RuleSetRecord


@dataclass(frozen=True, slots=True)
class PublishRules:
    """An analyst's wish to put `rule_set` in the place of version `based_on_version`."""

    rule_set: RuleSet
    based_on_version: int
    origin: Origin
    reason: str


@dataclass(frozen=True, slots=True)
class RulesPublished:
    """The version that now is current. `replayed`: the very same request had published it before."""

    record: RuleSetRecord
    replayed: bool


class RulesVersionConflict(Exception):
    """Someone else published in the meantime; look at `current_version` and try again on top of it."""

    code = "rules_version_conflict"

    def __init__(self, *, based_on_version: int, current_version: int) -> None:
        super().__init__(f"based on version {based_on_version}, but {current_version} is current")
        self.based_on_version = based_on_version
        self.current_version = current_version


async def publish_rules(
    connection: AsyncConnection, command: PublishRules, *, clock: Clock
) -> RulesPublished:
    """Make the rules current for every payment screened after this transaction's commit.

    Waits for batches in progress. Velocity rules see at once what was sent in windows not counted so far.
    Raises `RulesVersionConflict` if the current version is not the one the command is based on.
    """
    await rule_sets.exclude(connection)
    current = await rule_sets.load_current(connection)
    if _is_repeat(command, current):
        return RulesPublished(current, replayed=True)
    if current.version != command.based_on_version:
        raise RulesVersionConflict(based_on_version=command.based_on_version, current_version=current.version)
    published = RuleSetRecord(
        version=current.version + 1,
        based_on_version=current.version,
        rule_set=command.rule_set,
        author=command.origin.actor,
        reason=command.reason,
        created_at=clock.now(),
    )
    await _count_new_windows(connection, published, current)
    await rule_sets.save(connection, published)
    entry = Entry(
        action="rules.published",
        subject_type="rules",
        subject=str(published.version),
        before={"version": current.version},
        after={"version": published.version},
        reason=command.reason,
    )
    await record(connection, command.origin, entry, at=published.created_at)
    return RulesPublished(published, replayed=False)


def _is_repeat(command: PublishRules, current: RuleSetRecord) -> bool:
    return (current.based_on_version, current.author, current.reason, current.rule_set) == (
        command.based_on_version,
        command.origin.actor,
        command.reason,
        command.rule_set,
    )


async def _count_new_windows(
    connection: AsyncConnection, record: RuleSetRecord, current: RuleSetRecord
) -> None:
    new_windows = record.rule_set.windows() - current.rule_set.windows()
    if not new_windows:
        return
    # Counters left from an earlier use of the window have a gap since: count anew from the decisions.
    await velocity.forget_windows(connection, new_windows)
    for window_s in sorted(new_windows):
        await velocity.rebuild_window(
            connection,
            window_s=window_s,
            bucket_s=window_s // BUCKETS_PER_WINDOW,
            since=record.created_at - timedelta(seconds=window_s) - LATE_PAYMENTS,
        )
