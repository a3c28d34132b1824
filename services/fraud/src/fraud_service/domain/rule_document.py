"""Rules as the plain JSON document in which they are stored and shown, and back.

One shape for the database, the API and the migration that seeds the first version:
`[{"id", "kind", "enabled", "action", "score", ...the kind's own fields}, ...]`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fraud_service.domain.rules import (
    Action,
    AmountRule,
    DenyListRule,
    InvalidRule,
    Rule,
    RuleSet,
    VelocityCountRule,
    VelocitySumRule,
)

Document = Mapping[str, Any]


def read_rule_set(documents: Sequence[Document]) -> RuleSet:
    """Build the rule set; raise `InvalidRule` naming the field's path if a document is not a sound rule."""
    rules = []
    for position, document in enumerate(documents):
        try:
            rules.append(_READERS[document["kind"]](document))
        except InvalidRule as error:
            raise InvalidRule(f"rules.{position}.{error.field}", error.message) from None
        except KeyError as error:
            raise InvalidRule(f"rules.{position}", f"missing or unknown: {error}") from None
    return RuleSet(tuple(rules))


def write_rule_set(rule_set: RuleSet) -> list[dict[str, Any]]:
    """Write the rules in order; `read_rule_set` gives back an equal set."""
    return [_write(rule) for rule in rule_set.rules]


def _shared(document: Document) -> dict[str, Any]:
    try:
        action = Action(document["action"])
    except ValueError:
        raise InvalidRule("action", "review or decline") from None
    return {
        "id": document["id"],
        "enabled": document["enabled"],
        "action": action,
        "score": document["score"],
    }


def _read_amount(document: Document) -> AmountRule:
    return AmountRule(**_shared(document), at_or_over_minor=dict(document["at_or_over_minor"]))


def _read_velocity_count(document: Document) -> VelocityCountRule:
    return VelocityCountRule(
        **_shared(document), window_s=document["window_s"], max_count=document["max_count"]
    )


def _read_velocity_sum(document: Document) -> VelocitySumRule:
    return VelocitySumRule(
        **_shared(document),
        window_s=document["window_s"],
        currency=document["currency"],
        max_sum_minor=document["max_sum_minor"],
    )


def _read_deny_list(document: Document) -> DenyListRule:
    entries = frozenset((entry["client_id"], entry["account"]) for entry in document["entries"])
    return DenyListRule(**_shared(document), entries=entries)


_READERS: Mapping[str, Callable[[Document], Rule]] = {
    AmountRule.kind: _read_amount,
    VelocityCountRule.kind: _read_velocity_count,
    VelocitySumRule.kind: _read_velocity_sum,
    DenyListRule.kind: _read_deny_list,
}


def _write(rule: Rule) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": rule.id,
        "kind": rule.kind,
        "enabled": rule.enabled,
        "action": rule.action.value,
        "score": rule.score,
    }
    match rule:
        case AmountRule():
            document["at_or_over_minor"] = dict(sorted(rule.at_or_over_minor.items()))
        case VelocityCountRule():
            document |= {"window_s": rule.window_s, "max_count": rule.max_count}
        case VelocitySumRule():
            document |= {
                "window_s": rule.window_s,
                "currency": rule.currency,
                "max_sum_minor": rule.max_sum_minor,
            }
        case DenyListRule():
            ordered = sorted(rule.entries, key=lambda entry: (entry[0] or "", entry[1]))
            document["entries"] = [{"client_id": client, "account": account} for client, account in ordered]
    return document
