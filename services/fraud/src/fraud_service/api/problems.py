"""How the service's own errors are told to a client: the one table of them."""

from service_kit.field_errors import FieldError
from service_kit.problems import ErrorMap, Problem, invalid_request, not_found

from fraud_service.domain.reviews import IdempotencyKeyReused, ReviewAlreadyResolved, ReviewNotFound
from fraud_service.domain.rules import InvalidRule
from fraud_service.operations.explain_decision import DecisionNotFound
from fraud_service.operations.publish_rules import RulesVersionConflict
from fraud_service.operations.read_rules import RulesVersionNotFound


def _already_resolved(error: ReviewAlreadyResolved) -> Problem:
    standing = error.standing
    return Problem(
        409,
        error.code,
        "Review already resolved",
        f"The review was resolved with the decision {standing.outcome.value}, which stands. "
        "Nothing was changed.",
        fields=[FieldError("decision", f"differs from what stands: {standing.outcome.value}", error.code)],
        extra={
            "resolution": {
                "decision": standing.outcome.value,
                "resolved_by": standing.resolved_by,
                "resolved_at": standing.resolved_at.isoformat().replace("+00:00", "Z"),
            }
        },
    )


def _key_reused(error: IdempotencyKeyReused) -> Problem:
    field = error.differing_field
    return Problem(
        422,
        error.code,
        "Idempotency key reused",
        f"This Idempotency-Key was used before with another {field}. Use a new key for a new intent.",
        fields=[FieldError(field, "differs from the request that used this key first", error.code)],
    )


def _version_conflict(error: RulesVersionConflict) -> Problem:
    return Problem(
        409,
        error.code,
        "Rules version conflict",
        f"Version {error.current_version} is current. Read it, and publish again on top of it.",
        fields=[FieldError("based_on_version", f"must be {error.current_version}", error.code)],
        extra={"current_version": error.current_version},
    )


def _invalid_rule(error: InvalidRule) -> Problem:
    return invalid_request(FieldError(error.field[:200], error.message, error.code))


ERRORS: ErrorMap = {
    ReviewNotFound: lambda _: not_found("review"),
    ReviewAlreadyResolved: _already_resolved,
    IdempotencyKeyReused: _key_reused,
    DecisionNotFound: lambda _: not_found("decision"),
    RulesVersionNotFound: lambda _: not_found("rules version"),
    RulesVersionConflict: _version_conflict,
    InvalidRule: _invalid_rule,
}
