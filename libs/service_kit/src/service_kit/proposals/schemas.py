"""Proposals over the wire."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self, Union
from uuid import UUID

from fastapi import Body
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    StringConstraints,
    TypeAdapter,
    create_model,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from service_kit.proposals.proposal import (
    DEFAULT_LIFETIME,
    MAX_LIFETIME,
    Proposal,
    ProposalEnd,
    ProposalState,
)

# One line for people: no control characters, and nothing that turns the direction of writing.
_UNFIT = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=rf"^[^\s{_UNFIT}][^{_UNFIT}]*$")
]


class ReasonIn(BaseModel):
    """Why it is ended so."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)

    reason: Reason


class ProposalIn(ReasonIn):
    """What every kind of proposal says. A kind names itself by a literal `kind` and adds its terms."""

    # Each kind's own literal.
    kind: str
    expires_in_s: Annotated[
        int,
        Field(
            ge=1,
            le=int(MAX_LIFETIME.total_seconds()),
            description="How long it may be decided; a day unless said otherwise.",
        ),
    ] = int(DEFAULT_LIFETIME.total_seconds())

    def terms(self) -> dict[str, Any]:
        """What is proposed, as JSON holds it; what was left out stands for nothing."""
        return self.model_dump(mode="json", exclude={*ProposalIn.model_fields}, exclude_none=True)

    @property
    def lifetime(self) -> timedelta:
        """How long it may be decided."""
        return timedelta(seconds=self.expires_in_s)


def body_of(kinds: Sequence[type[ProposalIn]]) -> Any:
    """The type of a body that is one of the kinds.

    Not a union to pydantic: its faults would name places that no client has sent.
    """
    by_kind = {kind_of(model): model for model in kinds}
    name_type: Any = Literal[tuple(by_kind)]
    named: type[BaseModel] = create_model("Named", kind=(name_type, ...))
    union: Any = Annotated[Union[tuple(kinds)], Field(discriminator="kind")]  # noqa: UP007
    shown: TypeAdapter[Any] = TypeAdapter(union)

    class Shown:
        def __get_pydantic_json_schema__(self, _: CoreSchema, show: GetJsonSchemaHandler) -> JsonSchemaValue:
            return show(shown.core_schema)

    def read(value: Any) -> ProposalIn:
        return by_kind[named.model_validate(value).kind].model_validate(value)  # type: ignore[attr-defined]

    return Annotated[Any, Body(), PlainValidator(read), Shown()]


def kind_of(model: type[ProposalIn]) -> str:
    """The name of the kind."""
    [name] = model.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]
    return str(name)


class ProposalEndOut(BaseModel):
    """How it ended; `outcome` is what its approval came to."""

    reason: str
    author: str
    ended_at: datetime
    outcome: dict[str, Any]

    @classmethod
    def of(cls, end: ProposalEnd) -> Self:
        """Tell an end."""
        return cls(reason=end.reason, author=end.author, ended_at=end.ended_at, outcome=dict(end.outcome))


class ProposalOut(BaseModel):
    """What is proposed and what has become of it. `terms` are those that it was made with."""

    id: UUID
    kind: str
    state: ProposalState
    terms: dict[str, Any]
    reason: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    end: ProposalEndOut | None

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        """Tell a proposal."""
        return cls(
            id=proposal.id,
            kind=proposal.kind,
            state=proposal.state,
            terms=dict(proposal.terms),
            reason=proposal.reason,
            proposed_by=proposal.proposed_by,
            proposed_at=proposal.proposed_at,
            expires_at=proposal.expires_at,
            end=None if proposal.end is None else ProposalEndOut.of(proposal.end),
        )


class ProposalPage(BaseModel):
    """Proposals, newest first."""

    items: list[ProposalOut]
    next_cursor: str | None
