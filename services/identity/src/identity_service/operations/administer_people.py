"""What one person does for another: invite, give roles, take the way in away, have factors enrolled anew."""

import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from service_kit.audit import Entry, Origin, record
from sqlalchemy.ext.asyncio import AsyncConnection

from identity_service.domain.person import (
    INVITATION_LIFE,
    IllegalPersonMove,
    Invitation,
    OwnRecord,
    Person,
    PersonNotFound,
    PersonState,
    Profile,
    Purpose,
    moved,
)
from identity_service.operations.door import Door
from identity_service.operations.enrol import invitation_digest
from identity_service.operations.revoke import revoke_person
from identity_service.persistence.factors import end_totp, replace_recovery_codes
from identity_service.persistence.invitations import close_invitations, issue_invitation
from identity_service.persistence.people import SealedPerson, insert_person, lock_person, save_person

_INVITATION_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """Whose doing it is; `reach` is the client whose people they may see, None for every client's."""

    origin: Origin
    reach: str | None

    @property
    def actor(self) -> str:
        return self.origin.actor


@dataclass(frozen=True, slots=True)
class Invited:
    """A person, and the text that lets them enrol, which is told once."""

    person: Person
    invitation: str = field(repr=False)
    expires_at: datetime


async def invite_person(
    connection: AsyncConnection,
    door: Door,
    by: Administrator,
    *,
    client_id: str,
    profile: Profile,
    roles: Iterable[str],
) -> Invited:
    """Register a person of the client. Raises EmailTaken."""
    at = door.clock.now()
    person = Person(
        id=door.new_id(),
        client_id=client_id,
        profile=profile,
        roles=frozenset(roles),
        state=PersonState.INVITED,
        sessions_since=at,
        registered_at=at,
        updated_at=at,
    )
    await insert_person(connection, door.directory, person)
    invited = await _invite(connection, door, by, person, Purpose.JOIN)
    await _write_down(connection, door, by, "person.invited", None, person)
    return invited


async def change_roles(
    connection: AsyncConnection, door: Door, by: Administrator, person_id: UUID, roles: Iterable[str]
) -> Person:
    """Give these roles in place of all others; tokens with the old ones stop at once.

    Raises PersonNotFound and OwnRecord.
    """
    person = (await _another(connection, door, by, person_id)).person
    wanted = frozenset(roles)
    if wanted == person.roles:
        return person
    at = door.clock.now()
    changed = replace(person, roles=wanted, updated_at=at)
    await save_person(connection, changed)
    await revoke_person(connection, door, person.id, author=by.actor)
    await _write_down(connection, door, by, "person.roles-given", person, changed)
    return changed


async def disable_person(
    connection: AsyncConnection, door: Door, by: Administrator, person_id: UUID
) -> Person:
    """Nothing lets the person in any more: no session, no token, no invitation.

    Raises PersonNotFound and OwnRecord.
    """
    person = (await _another(connection, door, by, person_id)).person
    await close_invitations(connection, person.id, at=door.clock.now())
    disabled = await _shut_out(connection, door, by, person, PersonState.DISABLED)
    await _write_down(connection, door, by, "person.disabled", person, disabled)
    return disabled


async def reset_second_factor(
    connection: AsyncConnection, door: Door, by: Administrator, person_id: UUID
) -> Invited:
    """End the person's authenticator and codes; the invitation asks for the password that stays.

    Raises PersonNotFound, OwnRecord and IllegalPersonMove.
    """
    return await _anew(connection, door, by, person_id, Purpose.SECOND_FACTOR, "person.second-factor-reset")


async def invite_again(
    connection: AsyncConnection, door: Door, by: Administrator, person_id: UUID
) -> Invited:
    """For who has lost everything, or comes back: both factors are enrolled anew.

    Raises PersonNotFound and OwnRecord.
    """
    return await _anew(connection, door, by, person_id, Purpose.JOIN, "person.invited-again")


async def sign_out(connection: AsyncConnection, door: Door, by: Administrator, person_id: UUID) -> Person:
    """End every session and token of the person, who may sign in again. Raises PersonNotFound."""
    sealed = await lock_person(connection, door.directory, person_id, client=by.reach)
    if sealed is None:
        raise PersonNotFound
    person = await _shut_out(connection, door, by, sealed.person, sealed.person.state)
    await _write_down(connection, door, by, "person.signed-out", sealed.person, person)
    return person


async def _anew(
    connection: AsyncConnection,
    door: Door,
    by: Administrator,
    person_id: UUID,
    purpose: Purpose,
    action: str,
) -> Invited:
    sealed = await _another(connection, door, by, person_id)
    state = sealed.person.state
    if purpose is Purpose.SECOND_FACTOR and state is not PersonState.ACTIVE:
        # There is no password yet, or none that is to open anything.
        raise IllegalPersonMove(state, PersonState.INVITED)
    person = await _shut_out(connection, door, by, sealed.person, PersonState.INVITED)
    at = door.clock.now()
    await end_totp(connection, person.id, at=at)
    await replace_recovery_codes(connection, person.id, (), at=at)
    await _write_down(connection, door, by, action, sealed.person, person)
    return await _invite(connection, door, by, person, purpose)


async def _shut_out(
    connection: AsyncConnection, door: Door, by: Administrator, person: Person, state: PersonState
) -> Person:
    at = door.clock.now()
    changed = replace(person, state=moved(person.state, state), sessions_since=at, updated_at=at)
    await save_person(connection, changed)
    await revoke_person(connection, door, person.id, author=by.actor)
    return changed


async def _invite(
    connection: AsyncConnection, door: Door, by: Administrator, person: Person, purpose: Purpose
) -> Invited:
    text, at = secrets.token_urlsafe(_INVITATION_BYTES), door.clock.now()
    invitation = Invitation(
        id=door.new_id(),
        person_id=person.id,
        purpose=purpose,
        issued_by=by.actor,
        issued_at=at,
        expires_at=at + INVITATION_LIFE,
    )
    await issue_invitation(connection, invitation, invitation_digest(text))
    return Invited(person, text, invitation.expires_at)


async def _write_down(
    connection: AsyncConnection,
    door: Door,
    by: Administrator,
    action: str,
    before: Person | None,
    after: Person,
) -> None:
    entry = Entry(
        action=action,
        subject_type="person",
        subject=str(after.id),
        before=None if before is None else _told(before),
        after=_told(after),
        client_id=after.client_id,
    )
    await record(connection, by.origin, entry, at=door.clock.now())


def _told(person: Person) -> dict[str, Any]:
    return {**asdict(person.profile), "roles": person.roles, "state": person.state}


async def _another(
    connection: AsyncConnection, door: Door, by: Administrator, person_id: UUID
) -> SealedPerson:
    sealed = await lock_person(connection, door.directory, person_id, client=by.reach)
    if sealed is None:
        raise PersonNotFound
    if by.actor == f"person:{person_id}":
        raise OwnRecord
    return sealed
