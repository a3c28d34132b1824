"""People who sign in: operators and wallet users, each of one client."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

INVITATION_LIFE = timedelta(days=3)


class PersonState(StrEnum):
    """INVITED until both factors are enrolled; only who is ACTIVE signs in."""

    INVITED = "invited"
    ACTIVE = "active"
    DISABLED = "disabled"


NEXT: Mapping[PersonState, frozenset[PersonState]] = {
    PersonState.INVITED: frozenset({PersonState.ACTIVE, PersonState.DISABLED}),
    PersonState.ACTIVE: frozenset({PersonState.INVITED, PersonState.DISABLED}),
    # Whoever comes back shows both factors anew.
    PersonState.DISABLED: frozenset({PersonState.INVITED}),
}
assert set(NEXT) == set(PersonState), "every state must say where it leads"


class Purpose(StrEnum):
    """What an invitation is for: both factors, or a second factor beside the password that stays."""

    JOIN = "join"
    SECOND_FACTOR = "second_factor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is personal: kept sealed. `email` is canonical."""

    name: str
    email: str

    def words(self) -> tuple[str, ...]:
        """What a guesser who knows the person would try."""
        local, _, domain = self.email.partition("@")
        return (*self.name.split(), self.email, local, domain.partition(".")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person. Sessions begun before `sessions_since` are over, whatever else says so."""

    id: UUID
    client_id: str
    profile: Profile
    roles: frozenset[str]
    state: PersonState
    sessions_since: datetime
    registered_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Leave to enrol, once. What opens it is a random text of which only a digest is kept."""

    id: UUID
    person_id: UUID
    purpose: Purpose
    issued_by: str
    issued_at: datetime
    expires_at: datetime


class PersonNotFound(Exception):
    """There is no such person, or it is another client's."""


class EmailTaken(Exception):
    """Another person of the client has this address."""


class IllegalPersonMove(Exception):
    """The person's state knows no way to what was asked."""

    def __init__(self, current: PersonState, wanted: PersonState) -> None:
        super().__init__(f"a person who is {current} cannot become {wanted}")
        self.current, self.wanted = current, wanted


class OwnRecord(Exception):
    """Nobody changes their own rights or resets their own factors: another one does."""


class InvitationInvalid(Exception):
    """Unknown, used, replaced or expired."""


class CodeRefused(Exception):
    """The code is not the one the authenticator shows now."""


def moved(current: PersonState, wanted: PersonState) -> PersonState:
    """Where a move leads; the same state again is no move. Raises IllegalPersonMove."""
    if wanted is not current and wanted not in NEXT[current]:
        raise IllegalPersonMove(current, wanted)
    return wanted
