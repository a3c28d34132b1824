"""A proposal, and how it ends: decided by another than who made it, withdrawn by who did, or out of time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from service_kit.audit import Origin

MAX_LIFETIME = timedelta(days=7)
DEFAULT_LIFETIME = timedelta(hours=24)


class ProposalState(StrEnum):
    """OPEN until it is decided or withdrawn, or its time is over: that needs nobody to be true."""

    OPEN = "OPEN"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


# The ends that somebody brings about.
ENDS = frozenset({ProposalState.APPROVED, ProposalState.REJECTED, ProposalState.WITHDRAWN})


class ProposalNotFound(Exception):
    """The client has no such proposal."""


class ProposalNotOpen(Exception):
    """It has ended, as `state` says: nothing more can become of it."""

    def __init__(self, state: ProposalState) -> None:
        super().__init__(f"the proposal is {state}")
        self.state = state


class OwnProposal(Exception):
    """Who proposed it cannot decide it."""


class NotTheProposer(Exception):
    """Only who proposed it can withdraw it."""


class NothingToChange(Exception):
    """What is proposed is so already: an approval would carry nothing out."""


class ApprovalRequired(Exception):
    """Who asks may not do it alone: a proposal of this kind asks for a second person."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"propose it, as a proposal of the kind {kind}")
        self.kind = kind


class ProposalKeyReused(Exception):
    """The idempotency key made another proposal, which differs in `fields`."""

    def __init__(self, proposal_id: UUID, fields: tuple[str, ...]) -> None:
        super().__init__(f"the key made proposal {proposal_id}")
        self.proposal_id = proposal_id
        self.fields = fields


@dataclass(frozen=True, slots=True)
class ProposalEnd:
    """How it ended, why and by whom; `outcome` is what an approval came to."""

    state: ProposalState
    reason: str
    author: str
    ended_at: datetime
    outcome: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.state in ENDS, "nobody brings about that it is open, or that its time is over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is proposed, why and by whom. `terms` are as they were asked for; `state` is as of its reading."""

    id: UUID
    client_id: str
    kind: str
    terms: Mapping[str, Any]
    reason: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    state: ProposalState = ProposalState.OPEN
    end: ProposalEnd | None = None

    def __post_init__(self) -> None:
        assert timedelta(0) < self.expires_at - self.proposed_at <= MAX_LIFETIME, "a proposal has its time"
        assert (self.end is not None) == (self.state in ENDS), "who ended it is known"

    def was_ended(self, state: ProposalState, *, author: str) -> bool:
        """Whether this very word has been spoken already, so that a retry of it is no second one."""
        return self.end is not None and (self.end.state, self.end.author) == (state, author)

    def check_end(self, state: ProposalState, *, author: str) -> None:
        """Raises OwnProposal, NotTheProposer or ProposalNotOpen unless the author may end it so."""
        if state is ProposalState.WITHDRAWN:
            if author != self.proposed_by:
                raise NotTheProposer(str(self.id))
        elif author == self.proposed_by:
            raise OwnProposal(str(self.id))
        if self.state is not ProposalState.OPEN:
            raise ProposalNotOpen(self.state)

    def differing(self, other: "Proposal") -> tuple[str, ...]:
        """The names of the fields in which another one under the same key differs."""
        names = {*self.terms, *other.terms}
        fields = [name for name in sorted(names) if self.terms.get(name) != other.terms.get(name)]
        fields += [name for name in ("kind", "reason") if getattr(self, name) != getattr(other, name)]
        if self.expires_at - self.proposed_at != other.expires_at - other.proposed_at:
            fields.append("expires_in_s")
        if self.proposed_by != other.proposed_by:
            fields.append("Idempotency-Key")
        return tuple(fields)


def author_of(origin: Origin, proposal: Proposal | None) -> str:
    """Who is the author of what a request does: who proposed it, if anybody did, else who asks."""
    return origin.actor if proposal is None else proposal.proposed_by


def id_of(proposal: Proposal | None) -> UUID | None:
    """The proposal that is carried out, if one is."""
    return None if proposal is None else proposal.id
