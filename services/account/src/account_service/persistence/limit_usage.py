"""What accounts are held to and have used of it; read and written under the locks of the postings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from messaging.statement import Statement
from sqlalchemy.ext.asyncio import AsyncConnection

from account_service.domain.limits import (
    AccountLimits,
    Limit,
    LimitScope,
    LimitSet,
    Used,
    strictest,
)
from account_service.domain.usage import GivenBack
from account_service.domain.windows import Period, Window, window_of

_FIGURES = ", ".join(f"s.{limit.value}" for limit in Limit)
# Of all levels, not of the account's alone: whichever changed last, usage is counted under it.
_SETS = Statement(
    f"""
    SELECT a.id, a.time_zone, a.kyc_level, s.scope, s.kyc_level, s.change_id, {_FIGURES}
    FROM unnest(CAST(:account_ids AS bigint[])) AS wanted (id)
    JOIN accounts a ON a.id = wanted.id AND a.kind = 'customer'
    CROSS JOIN LATERAL (
        SELECT * FROM limit_sets m
        WHERE m.client_id = a.client_id AND m.currency = a.currency AND m.scope IN ('client', 'kyc_level')
        UNION ALL
        SELECT * FROM limit_sets o WHERE o.account_id = a.id) AS s
    """  # noqa: S608
)
_COUNTED = Statement(
    """
    SELECT u.account_id, u.period, u.count, CAST(u.sum_minor AS text)
    FROM unnest(CAST(:account_ids AS bigint[]), CAST(:periods AS text[]), CAST(:starts_on AS date[]),
        CAST(:counted_under AS bigint[])) AS w (account_id, period, starts_on, counted_under)
    JOIN limit_usage u ON u.account_id = w.account_id AND u.period = w.period AND u.starts_on = w.starts_on
     AND u.counted_under = w.counted_under
    """
)
# Once for an account and window, and again after a change of its limits: from then on it is kept.
_FROM_THE_LEDGER = Statement(
    """
    SELECT w.account_id, w.period, moved.count + held.count, CAST(moved.sum_minor + held.sum_minor AS text)
    FROM unnest(CAST(:account_ids AS bigint[]), CAST(:periods AS text[]), CAST(:starts AS timestamptz[]),
        CAST(:ends AS timestamptz[])) AS w (account_id, period, starts_at, ends_at)
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, coalesce(-sum(e.amount_minor), 0) AS sum_minor
        FROM entries e JOIN postings p ON p.id = e.posting_id
        WHERE e.account_id = w.account_id AND e.posted_at >= w.starts_at AND e.posted_at < w.ends_at
          AND e.amount_minor < 0 AND p.kind IN ('transfer', 'withdrawal')) AS moved
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, coalesce(sum(
            CASE WHEN h.state = 'OPEN' THEN h.amount_minor + h.tolerance_minor ELSE h.captured_minor END), 0)
            AS sum_minor
        FROM holds h
        WHERE h.account_id = w.account_id AND h.placed_at >= w.starts_at AND h.placed_at < w.ends_at
          AND (h.state = 'OPEN' OR h.captured_minor > 0)) AS held
    """
)
_SAVE = Statement(
    """
    WITH raised AS (
        UPDATE accounts SET limited = true WHERE id = ANY(CAST(:account_ids AS bigint[])) AND NOT limited
    )
    INSERT INTO limit_usage (account_id, period, starts_on, count, sum_minor, counted_under, updated_at)
    SELECT n.account_id, n.period, n.starts_on, n.count, CAST(n.sum_minor AS numeric), n.counted_under,
        CAST(:at AS timestamptz)
    FROM unnest(CAST(:account_ids AS bigint[]), CAST(:periods AS text[]), CAST(:starts_on AS date[]),
        CAST(:counts AS bigint[]), CAST(:sums AS text[]), CAST(:counted_under AS bigint[]))
        AS n (account_id, period, starts_on, count, sum_minor, counted_under)
    ON CONFLICT (account_id, period, starts_on) DO UPDATE SET count = EXCLUDED.count,
        sum_minor = EXCLUDED.sum_minor, counted_under = EXCLUDED.counted_under,
        updated_at = EXCLUDED.updated_at
    """
)
# A row that was counted under other limits is left: it is worked out anew if it is ever asked for.
_GIVE_BACK = Statement(
    """
    UPDATE limit_usage u SET count = u.count - n.count, sum_minor = u.sum_minor - n.sum_minor,
        updated_at = CAST(:at AS timestamptz)
    FROM (
        SELECT account_id, period, starts_on, counted_under, sum(count) AS count,
            sum(CAST(sum_minor AS numeric)) AS sum_minor
        FROM unnest(CAST(:account_ids AS bigint[]), CAST(:periods AS text[]), CAST(:starts_on AS date[]),
            CAST(:counts AS bigint[]), CAST(:sums AS text[]), CAST(:counted_under AS bigint[]))
            AS one (account_id, period, starts_on, count, sum_minor, counted_under)
        GROUP BY account_id, period, starts_on, counted_under) AS n
    WHERE u.account_id = n.account_id AND u.period = n.period AND u.starts_on = n.starts_on
      AND u.counted_under = n.counted_under
    """
)


_Windows = Mapping[int, Mapping[Period, Window]]  # by account id


@dataclass(slots=True)
class _Terms:
    """What is in force for an account, and the newest change of it."""

    account_id: int
    time_zone: str
    sets: list[tuple[LimitScope, LimitSet]] = field(default_factory=list)
    changed_by: int = 0


async def load_limits(
    connection: AsyncConnection, account_ids: Iterable[int], *, at: datetime
) -> list[AccountLimits]:
    """What the accounts are held to and have used at the instant. Those without limits are left out."""
    rows = await _SETS.rows(connection, {"account_ids": sorted(set(account_ids))})
    limited = [(terms, limits) for terms in _terms(rows) if (limits := strictest(terms.sets))]
    if not limited:
        return []
    windows = {
        terms.account_id: {period: window_of(period, terms.time_zone, at) for period in Period}
        for terms, _ in limited
    }
    used = await _counted(connection, windows, {terms.account_id: terms.changed_by for terms, _ in limited})
    missing = {id_: windows[id_] for id_ in windows if any((id_, period) not in used for period in Period)}
    if missing:
        used |= await _from_the_ledger(connection, missing)
    return [
        AccountLimits(
            account_id=terms.account_id,
            time_zone=terms.time_zone,
            counted_under=terms.changed_by,
            is_saved=terms.account_id not in missing,
            limits=limits,
            windows=windows[terms.account_id],
            used={period: used[terms.account_id, period] for period in Period},
        )
        for terms, limits in limited
    ]


async def save_usage(
    connection: AsyncConnection,
    changed: Sequence[AccountLimits],
    given_back: Sequence[GivenBack],
    *,
    at: datetime,
) -> None:
    """Write what was used of the limits of accounts that this transaction holds locked."""
    if changed:
        rows = [(one, period, window) for one in changed for period, window in one.windows.items()]
        parameters = {
            "account_ids": [one.account_id for one, _, _ in rows],
            "periods": [period.value for _, period, _ in rows],
            "starts_on": [window.starts_on for _, _, window in rows],
            "counts": [one.used[period].count for one, period, _ in rows],
            "sums": [str(one.used[period].sum_minor) for one, period, _ in rows],
            "counted_under": [one.counted_under for one, _, _ in rows],
            "at": at,
        }
        await _SAVE.run(connection, parameters)
    if given_back:
        parameters = {
            "account_ids": [one.account_id for one in given_back],
            "periods": [one.period.value for one in given_back],
            "starts_on": [one.starts_on for one in given_back],
            "counts": [one.count for one in given_back],
            "sums": [str(one.sum_minor) for one in given_back],
            "counted_under": [one.counted_under for one in given_back],
            "at": at,
        }
        await _GIVE_BACK.run(connection, parameters)


def _terms(rows: Iterable[Any]) -> Iterable[_Terms]:
    accounts: dict[int, _Terms] = {}
    for account_id, time_zone, kyc_level, scope, of_level, change_id, *figures in rows:
        terms = accounts.setdefault(account_id, _Terms(account_id, time_zone))
        terms.changed_by = max(terms.changed_by, change_id)
        if of_level is None or of_level == kyc_level:
            limits = LimitSet(**{limit.value: one for limit, one in zip(Limit, figures, strict=True)})
            terms.sets.append((LimitScope(scope), limits))
    return accounts.values()


async def _counted(
    connection: AsyncConnection, windows: _Windows, counted_under: Mapping[int, int]
) -> dict[tuple[int, Period], Used]:
    wanted = [(id_, window) for id_, by in windows.items() for window in by.values()]
    parameters = {
        "account_ids": [id_ for id_, _ in wanted],
        "periods": [window.period.value for _, window in wanted],
        "starts_on": [window.starts_on for _, window in wanted],
        "counted_under": [counted_under[id_] for id_, _ in wanted],
    }
    return _read(await _COUNTED.rows(connection, parameters))


async def _from_the_ledger(connection: AsyncConnection, windows: _Windows) -> dict[tuple[int, Period], Used]:
    wanted = [(id_, window) for id_, by in windows.items() for window in by.values()]
    parameters = {
        "account_ids": [id_ for id_, _ in wanted],
        "periods": [window.period.value for _, window in wanted],
        "starts": [window.starts_at for _, window in wanted],
        "ends": [window.ends_at for _, window in wanted],
    }
    return _read(await _FROM_THE_LEDGER.rows(connection, parameters))


def _read(rows: Iterable[Any]) -> dict[tuple[int, Period], Used]:
    return {(id_, Period(period)): Used(count, int(total)) for id_, period, count, total in rows}
