"""What goes over the wire: strict in what is taken, explicit in what is given."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from service_kit.auth import SCOPES

from identity_service.domain.client import ClientChange, ClientStatus, RegisteredClient
from identity_service.persistence.clients import ClientChangeRecord

CLIENT_ID_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
# One line of text for people: no control characters, no line separators, and nothing that turns the
# direction of writing, by which one name can be made to look like another.
_UNFIT = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
LINE_PATTERN = rf"^[^\s{_UNFIT}][^{_UNFIT}]*$"


class UnknownScope(ValueError):
    """No route asks for a scope of this name."""

    code = "unknown_scope"


def _known(scope: str) -> str:
    if scope not in SCOPES:
        raise UnknownScope("is not a scope; see the service's description for those there are")
    return scope


Scope = Annotated[
    str,
    StringConstraints(max_length=64),
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(SCOPES)}),
]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
ClientId = Annotated[str, StringConstraints(pattern=CLIENT_ID_PATTERN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=LINE_PATTERN)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=LINE_PATTERN)]


class Request(BaseModel):
    """A body as it must be sent: nothing missing, nothing more, nothing coerced."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)


class NewClient(Request):
    """An upstream system to be registered."""

    id: ClientId = Field(description="What all of Florin knows it by, for ever.")
    name: Name
    scopes: Scopes = Field(description="The most that any of its keys may ever be allowed.")


class ClientOut(BaseModel):
    """A registered client."""

    id: str
    name: str
    scopes: list[str]
    status: ClientStatus
    registered_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, client: RegisteredClient) -> Self:
        return cls(
            id=client.id,
            name=client.name,
            scopes=sorted(client.scopes),
            status=client.status,
            registered_at=client.registered_at,
            updated_at=client.updated_at,
        )


class StandingIn(Request):
    """Whether a client is let in, and why."""

    status: Literal["active", "suspended"]
    reason: Reason


class ClientPage(BaseModel):
    """Clients in the order of their ids."""

    items: list[ClientOut]
    next_cursor: str | None


class ClientChangeOut(BaseModel):
    """One line of a client's history."""

    change: ClientChange
    reason: str | None
    author: str
    changed_at: datetime

    @classmethod
    def of(cls, record: ClientChangeRecord) -> Self:
        return cls(
            change=record.change, reason=record.reason, author=record.author, changed_at=record.changed_at
        )


class ClientHistory(BaseModel):
    """The newest of what happened to a client, newest first."""

    items: list[ClientChangeOut]
