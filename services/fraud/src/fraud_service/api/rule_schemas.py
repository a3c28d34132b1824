"""Rules as they are sent and shown. The same document is stored, see domain/rule_document.py."""

from typing import Annotated, Literal, Self

from contracts.money import MAX_AMOUNT_MINOR, MAX_BALANCE_MINOR
from pydantic import Field, StringConstraints, TypeAdapter

from fraud_service.api.schemas import Answer, Instant, Reason, Request
from fraud_service.domain import rules
from fraud_service.domain.rule_document import write_rule_set
from fraud_service.persistence.rule_sets import RuleSetRecord, RuleSetSummary

MAX_VERSION = 2**31 - 1

RuleId = Annotated[str, StringConstraints(pattern=rules.RULE_ID_PATTERN)]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Reference = Annotated[
    str, StringConstraints(max_length=rules.MAX_REFERENCE_LENGTH, pattern=rules.REFERENCE_PATTERN)
]
AmountMinor = Annotated[int, Field(ge=1, le=MAX_AMOUNT_MINOR)]
WindowS = Annotated[
    int,
    Field(
        ge=rules.BUCKETS_PER_WINDOW,
        le=rules.MAX_WINDOW_S,
        multiple_of=rules.BUCKETS_PER_WINDOW,
        description="Seconds. Counted in 60 buckets on the payments' created_at.",
    ),
]


class _Rule(Request):
    id: RuleId
    enabled: bool
    action: Literal["review", "decline"]
    score: Annotated[int, Field(ge=0, le=rules.MAX_SCORE)]


class AmountRule(_Rule):
    """Fires when one payment is at or over its currency's threshold, in minor units."""

    kind: Literal["amount"]
    at_or_over_minor: Annotated[dict[CurrencyCode, AmountMinor], Field(min_length=1, max_length=200)]


class VelocityCountRule(_Rule):
    """Fires when the debtor's payments in the window, this one included, are more than `max_count`."""

    kind: Literal["velocity_count"]
    window_s: WindowS
    max_count: Annotated[int, Field(ge=1, le=rules.MAX_COUNT)]


class VelocitySumRule(_Rule):
    """Fires when the debtor's payments of the currency in the window, this one included, exceed the sum."""

    kind: Literal["velocity_sum"]
    window_s: WindowS
    currency: CurrencyCode
    max_sum_minor: Annotated[int, Field(ge=1, le=MAX_BALANCE_MINOR)]


class DenyEntry(Request):
    """An account reference of one client, or with `client_id: null` of every client."""

    client_id: Reference | None
    account: Reference


class DenyListRule(_Rule):
    """Fires when debtor or creditor is listed."""

    kind: Literal["deny_list"]
    entries: Annotated[list[DenyEntry], Field(max_length=rules.MAX_DENY_ENTRIES)]


Rule = Annotated[AmountRule | VelocityCountRule | VelocitySumRule | DenyListRule, Field(discriminator="kind")]
_RULES = TypeAdapter(list[Rule])


class PublishRulesRequest(Request):
    """A whole rule set, to take the place of the version that its author has seen."""

    based_on_version: Annotated[int, Field(ge=1, le=MAX_VERSION)]
    reason: Reason
    rules: Annotated[list[Rule], Field(max_length=rules.MAX_RULES)]


class RuleSetAnswer(Answer):
    """One version of the rules."""

    version: int
    based_on_version: int | None
    author: str
    reason: str
    created_at: Instant
    rules: list[Rule]

    @classmethod
    def of(cls, record: RuleSetRecord) -> Self:
        """Tell a version."""
        return cls(
            version=record.version,
            based_on_version=record.based_on_version,
            author=record.author,
            reason=record.reason,
            created_at=record.created_at,
            rules=_RULES.validate_python(write_rule_set(record.rule_set)),
        )


class RuleSetSummaryAnswer(Answer):
    """One version of the rules in the history; read it by its number to see the rules."""

    version: int
    based_on_version: int | None
    author: str
    reason: str
    created_at: Instant
    rule_count: int

    @classmethod
    def of(cls, summary: RuleSetSummary) -> Self:
        """Tell a version in the history."""
        return cls(
            version=summary.version,
            based_on_version=summary.based_on_version,
            author=summary.author,
            reason=summary.reason,
            created_at=summary.created_at,
            rule_count=summary.rule_count,
        )


class RuleHistoryAnswer(Answer):
    """Versions, newest first."""

    items: list[RuleSetSummaryAnswer]
    next_cursor: str | None
