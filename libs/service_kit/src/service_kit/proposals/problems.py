"""How the refusals that all kinds of proposals share are told to a client."""

from service_kit.field_errors import FieldError
from service_kit.problems import ErrorMap, Problem, not_found
from service_kit.proposals.proposal import (
    ApprovalRequired,
    NothingToChange,
    NotTheProposer,
    OwnProposal,
    ProposalKeyReused,
    ProposalNotFound,
    ProposalNotOpen,
)


def _not_open(error: ProposalNotOpen) -> Problem:
    return Problem(
        409,
        f"proposal_{error.state.lower()}",
        "Proposal not open",
        f"The proposal is {error.state}: nothing more can become of it. Nothing was done.",
        extra={"state": error.state.value},
    )


def _approval_required(error: ApprovalRequired) -> Problem:
    return Problem(
        403,
        "approval_required",
        "Approval required",
        "Nothing was done: a second person must approve this. "
        f"Propose it (POST /v1/proposals) with the kind {error.kind}.",
        extra={"kind": error.kind},
    )


def _key_reused(error: ProposalKeyReused) -> Problem:
    code, message = "idempotency_key_reused", "differs from the request that used this key first"
    return Problem(
        422,
        code,
        "Idempotency key reused",
        "This Idempotency-Key has made another proposal. Nothing was done. Use a new key for a new intent.",
        fields=[FieldError(name, message, code) for name in error.fields],
    )


# A service adds those of its own kinds.
ERRORS: ErrorMap = {
    ApprovalRequired: _approval_required,
    ProposalNotFound: lambda _: not_found("proposal"),
    ProposalNotOpen: _not_open,
    ProposalKeyReused: _key_reused,
    OwnProposal: lambda _: Problem(
        403, "own_proposal", "Own proposal", "Another than who proposed it must decide. Nothing was done."
    ),
    NotTheProposer: lambda _: Problem(
        403,
        "not_the_proposer",
        "Not the proposer",
        "Only who proposed it can withdraw it. Reject it instead.",
    ),
    NothingToChange: lambda _: Problem(
        409, "nothing_to_change", "Nothing to change", "All is as proposed already. Nothing was done."
    ),
}
