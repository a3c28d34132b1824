"""The decision about one payment: the strongest action of the rules that fired, the sum of their scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from fraud_service.domain.payments import PaymentKind, ScreenedPayment
from fraud_service.domain.rules import (
    MAX_SCORE,
    Action,
    AmountRule,
    DenyListRule,
    PublishedRules,
    Rule,
    VelocitySumRule,
)
from fraud_service.domain.velocity import Counters

REVERSAL_REASON = "reversal"
Party = Literal["debtor", "creditor"]


class Decision(StrEnum):
    """What becomes of the payment, weakest first."""

    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class FiredRule:
    """Why a rule fired: what it saw and the limit it compared that with, or which party was listed."""

    rule_id: str
    kind: str
    action: Action
    score: int
    observed: int | None = None
    limit: int | None = None
    party: Party | None = None

    @property
    def reason(self) -> str:
        """The stable code that the payment's owner is told."""
        return f"{self.rule_id}:{self.kind}"


@dataclass(frozen=True, slots=True)
class Assessment:
    """A decision with everything needed to explain it, and to make it again from the same rules.

    `velocity` is what each velocity rule that applied had measured, by rule id, fired or not.
    """

    payment: ScreenedPayment
    decision: Decision
    score: int
    reasons: tuple[str, ...]
    rules_version: int
    fired: tuple[FiredRule, ...]
    velocity: Mapping[str, int]


def screen(
    rules: PublishedRules, payments: Sequence[ScreenedPayment], counters: Counters
) -> list[Assessment]:
    """Assess the payments in order, counting each transfer in `counters` before it is measured."""
    assessments = []
    velocity_rules = rules.rule_set.velocity_rules()
    enabled = rules.rule_set.enabled()
    for payment in payments:
        if payment.kind is PaymentKind.REVERSAL:
            # Giving money back was decided when the original was; a limit must not hold it up.
            assessments.append(
                Assessment(payment, Decision.APPROVE, 0, (REVERSAL_REASON,), rules.version, (), {})
            )
            continue
        counters.count(payment)
        velocity = {
            rule.id: counters.measure(rule, payment)
            for rule in velocity_rules
            if not isinstance(rule, VelocitySumRule) or rule.currency == payment.amount.currency
        }
        assessments.append(assess(rules.version, enabled, payment, velocity))
    return assessments


def assess(
    rules_version: int, enabled: Sequence[Rule], payment: ScreenedPayment, velocity: Mapping[str, int]
) -> Assessment:
    """Decide one transfer from what was measured: pure, so that an auditor can decide again."""
    fired = tuple(hit for rule in enabled if (hit := _fire(rule, payment, velocity)) is not None)
    return Assessment(
        payment=payment,
        decision=_strongest(fired),
        score=min(MAX_SCORE, sum(hit.score for hit in fired)),
        reasons=tuple(hit.reason for hit in fired),
        rules_version=rules_version,
        fired=fired,
        velocity=velocity,
    )


def _strongest(fired: Sequence[FiredRule]) -> Decision:
    if any(hit.action is Action.DECLINE for hit in fired):
        return Decision.DECLINE
    return Decision.REVIEW if fired else Decision.APPROVE


def _fire(rule: Rule, payment: ScreenedPayment, velocity: Mapping[str, int]) -> FiredRule | None:
    observed: int | None
    limit: int | None
    match rule:
        case AmountRule():
            observed = payment.amount.amount_minor
            limit = rule.at_or_over_minor.get(payment.amount.currency)
            hit = limit is not None and observed >= limit
        case DenyListRule():
            party = _listed_party(rule, payment)
            return FiredRule(rule.id, rule.kind, rule.action, rule.score, party=party) if party else None
        case _:
            observed = velocity.get(rule.id)
            limit = rule.max_sum_minor if isinstance(rule, VelocitySumRule) else rule.max_count
            hit = observed is not None and observed > limit
    return FiredRule(rule.id, rule.kind, rule.action, rule.score, observed, limit) if hit else None


def _listed_party(rule: DenyListRule, payment: ScreenedPayment) -> Party | None:
    # Both parties are references in the payer's client namespace.
    if rule.denies(payment.client_id, payment.debtor):
        return "debtor"
    return "creditor" if rule.denies(payment.client_id, payment.creditor) else None
