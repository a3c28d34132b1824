"""People over the wire: strict in what is taken, and nothing secret given out but what is shown once."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from contracts.handles import MAX_EMAIL_TEXT, canonical_email
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from service_kit.access import Role

from identity_service.api.schemas import ClientId, Name, Request
from identity_service.domain.person import Person, PersonState
from identity_service.domain.session import Session
from identity_service.operations.administer_people import Invited

_MAX_SECRET = 128
# What a form may send; how long a password may be is told by its own refusal.
_MAX_TYPED = 1024

Email = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_EMAIL_TEXT),
    AfterValidator(canonical_email),
    Field(description="An e-mail address."),
]
Typed = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_TYPED)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_SECRET)]
Code = Annotated[
    str,
    StringConstraints(min_length=1, max_length=32),
    Field(description="Six digits of the authenticator, or a recovery code."),
]
Roles = Annotated[
    list[Annotated[Role, Field(strict=False)]],
    Field(min_length=1, max_length=len(Role), examples=[["operator"]]),
]


class NewPerson(Request):
    """Somebody to invite; of the caller's own client unless Florin's staff says otherwise."""

    name: Name
    email: Email
    roles: Roles
    client: ClientId | None = None


class RolesIn(Request):
    """All roles that the person is to have."""

    roles: Roles


class PersonOut(BaseModel):
    """A person."""

    id: UUID
    client: str
    name: str
    email: str
    roles: list[Role]
    state: PersonState
    registered_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, person: Person) -> Self:
        return cls(
            id=person.id,
            client=person.client_id,
            name=person.profile.name,
            email=person.profile.email,
            roles=[Role(role) for role in sorted(person.roles)],
            state=person.state,
            registered_at=person.registered_at,
            updated_at=person.updated_at,
        )


class InvitedOut(BaseModel):
    """The person, and the invitation to hand to them: it is shown this once."""

    person: PersonOut
    invitation: str
    expires_at: datetime

    @classmethod
    def of(cls, invited: Invited) -> Self:
        person = PersonOut.of(invited.person)
        return cls(person=person, invitation=invited.invitation, expires_at=invited.expires_at)


class PeoplePage(BaseModel):
    """People in the order in which they were registered."""

    items: list[PersonOut]
    next_cursor: str | None


class SessionOut(BaseModel):
    """One browser that is signed in."""

    id: UUID
    current: bool
    begun_at: datetime
    seen_at: datetime
    second_factor_at: datetime
    address: str
    agent: str

    @classmethod
    def of(cls, session: Session, *, current: UUID | None = None) -> Self:
        return cls(
            id=session.id,
            current=session.id == current,
            begun_at=session.begun_at,
            seen_at=session.seen_at,
            second_factor_at=session.second_factor_at,
            address=session.address,
            agent=session.agent,
        )


class SessionList(BaseModel):
    """The newest first."""

    items: list[SessionOut]


class SignedIn(BaseModel):
    """Who is signed in by this session."""

    person: PersonOut
    session: SessionOut


class PasswordIn(Request):
    """The first step."""

    client: ClientId
    email: Email
    password: Typed


class ChallengeOut(BaseModel):
    """What the second step must name, within `expires_in` seconds."""

    challenge: str
    expires_in: int
    second_factors: list[Literal["totp", "recovery_code"]]


class SecondFactorIn(Request):
    """The second step."""

    challenge: Secret
    code: Code


class CodeIn(Request):
    """A fresh second factor."""

    code: Code


class PasswordChangeIn(Request):
    """`password` is the one that is to be."""

    current_password: Typed
    password: Typed


class EnrolmentIn(Request):
    """`password` is chosen now, or for an invitation to a second factor the one there is."""

    invitation: Secret
    password: Typed


class EnrolmentOut(BaseModel):
    """What goes into the authenticator, as text and as its QR code's address; shown this once."""

    secret: str
    uri: str


class ConfirmationIn(Request):
    """The code that the authenticator shows now."""

    invitation: Secret
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class RecoveryCodesOut(BaseModel):
    """Ten codes, each of which opens once in place of the authenticator; shown this once."""

    recovery_codes: list[str]


class TokenOut(BaseModel):
    """An access token by RFC 9068, for `expires_in` seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: int
    scope: str
