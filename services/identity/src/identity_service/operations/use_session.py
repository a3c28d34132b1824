"""What is done with a session: use it, show a second factor anew, end it."""

import contextlib
from dataclasses import dataclass, field
from uuid import UUID

from service_kit.audit import Entry, Origin, record

from identity_service.domain.person import Person, PersonState
from identity_service.domain.session import FRESH, SecondFactorStale, Session, SessionEnded
from identity_service.domain.sign_in import SignInRefused, SignInUnavailable
from identity_service.operations.door import Door, Visitor, note, second_factor_of, spend_code
from identity_service.operations.enrol import renew_recovery_codes
from identity_service.operations.revoke import revoke_person
from identity_service.persistence.people import load_person, lock_person


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that stands, its person as they are now, and the text that opened it."""

    session: Session
    person: Person
    text: str = field(repr=False)


async def open_session(door: Door, text: str) -> OpenSession:
    """The session, which counts as used. Raises SessionEnded and SignInUnavailable."""
    found, now = await door.sessions.find(text), door.clock.now()
    if found is None or found.ended(now=now):
        raise SessionEnded
    async with door.database.snapshot() as connection:
        sealed = await load_person(connection, door.directory, found.person_id)
    # Redis is not asked whether a person may still come in: the record is.
    if (
        sealed is None
        or sealed.person.state is not PersonState.ACTIVE
        or found.begun_at < sealed.person.sessions_since
    ):
        await door.sessions.end(found.person_id, found.id)
        raise SessionEnded
    session = found.seen(now=now)
    if not await door.sessions.touch(text, session):
        raise SessionEnded
    return OpenSession(session, sealed.person, text)


async def step_up(door: Door, opened: OpenSession, code: str, visitor: Visitor) -> OpenSession:
    """The same session with a fresh second factor, under a new text: who had the old one has nothing.

    Raises SignInRefused, SignInLocked, SessionEnded and SignInUnavailable.
    """
    person, now = opened.person, door.clock.now()
    counted = second_factor_of(person.id)
    await door.lock_out.enter(counted, visitor.address, now=now)
    async with door.database.transaction() as connection:
        passed = await spend_code(connection, door, person.id, code)
        login = door.directory.login(person.client_id, person.profile.email)
        await note(
            connection, door, login=login, person=person.id, step="step_up", passed=passed, visitor=visitor
        )
    if not passed:
        raise SignInRefused
    await door.lock_out.succeeded(counted, visitor.address)
    session = opened.session.stepped_up(now=now)
    text = await door.sessions.rotate(opened.text, session)
    if text is None:
        raise SessionEnded
    return OpenSession(session, person, text)


async def new_recovery_codes(door: Door, opened: OpenSession, *, origin: Origin) -> tuple[str, ...]:
    """Ten new codes in place of what is left. Raises SecondFactorStale for a second factor of long ago."""
    if door.clock.now() - opened.session.second_factor_at > FRESH:
        raise SecondFactorStale
    async with door.database.transaction() as connection:
        sealed = await lock_person(connection, door.directory, opened.person.id)
        if sealed is None or sealed.person.state is not PersonState.ACTIVE:
            raise SessionEnded
        entry = Entry(action="recovery-codes.renewed", subject_type="person", subject=str(opened.person.id))
        await record(connection, origin, entry, at=door.clock.now())
        return await renew_recovery_codes(connection, door, sealed)


async def end_session(door: Door, person: Person, session: UUID, *, origin: Origin) -> bool:
    """End one session, and with it the person's tokens: other sessions fetch new ones. Whether there was one.

    Raises SignInUnavailable.
    """
    if not await door.sessions.end(person.id, session):
        return False
    async with door.database.transaction() as connection:
        await revoke_person(connection, door, person.id, author=origin.actor)
        entry = Entry(
            action="session.ended",
            subject_type="session",
            subject=str(session),
            after={"person_id": person.id},
            client_id=person.client_id,
        )
        await record(connection, origin, entry, at=door.clock.now())
    return True


async def forget_sessions(door: Door, person: UUID) -> None:
    """Drop what the record has ended already: while Redis is away it opens nothing either."""
    with contextlib.suppress(SignInUnavailable):
        await door.sessions.end_all(person)
