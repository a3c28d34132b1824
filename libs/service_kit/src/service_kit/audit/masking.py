"""What an entry may tell of a thing before and after a change.

By a list of what may be told and not of what may not: a field that nobody has thought of is masked. Names of
fields that hold personal data or a secret do not belong here, nor free text that is about a person.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

MASK = "***"
# In place of the new value of a field that is masked: that it changed is told, and nothing of how.
MASK_CHANGED = "*** (changed)"

_THINGS = """
    account client_id customer_id customers id key_id kid payment_id payments people person_id posting_id
    prefix proposal_id session_id settlement
"""
_STANDING = """
    currency decision direction event_types kind kyc_level level policy purpose
    requested_level roles scopes state status time_zone version
"""
_AMOUNTS = """
    amount_minor opening_balance_minor overdraft_minor
    daily_count daily_sum monthly_count monthly_sum payment_max payment_min
    daily_sum_minor monthly_sum_minor payment_max_minor payment_min_minor
"""
_TIMES = "expires_at from not_after to verify_until"
_READINGS = "action actor count cursor limit subject"
TOLD = frozenset(f"{_THINGS} {_STANDING} {_AMOUNTS} {_TIMES} {_READINGS}".split())


def masked(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Both as they may be written: objects of strings, integers, booleans, null, lists and objects of those.

    Raises TypeError for what is none of these and cannot be told as one (a float has no one form to hash).
    """
    return (
        None if before is None else _told(before, {}),
        None if after is None else _told(after, before or {}),
    )


def _told(fields: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _field(name, value, earlier.get(name, value)) for name, value in fields.items()}


def _field(name: str, value: Any, earlier: Any) -> Any:
    if isinstance(value, Mapping):
        return _told(value, earlier if isinstance(earlier, Mapping) else {})
    if isinstance(value, list | tuple | set | frozenset) and any(isinstance(one, Mapping) for one in value):
        return [_field(name, one, one) for one in value]
    if name in TOLD:
        return plain(value)
    if value is None:
        return None
    return MASK if value == earlier else MASK_CHANGED


def plain(value: Any) -> Any:
    """The value as JSON holds it, in one form alone; raises TypeError."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str | int):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return canonical_time(value)
    if isinstance(value, set | frozenset):
        return sorted(plain(one) for one in value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    raise TypeError(f"an audit entry cannot hold a {type(value).__name__}")


def canonical_time(moment: datetime) -> str:
    """A time as `2026-01-31T12:00:00.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
