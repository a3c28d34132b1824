"""A signed-in person chooses another password; whoever else is signed in as them is out."""

from collections.abc import Container
from dataclasses import dataclass, field, replace

from service_kit.audit import Entry, Origin, record

from identity_service.domain.password import PasswordRefused, normalised, refuse_unfit
from identity_service.domain.person import PersonState
from identity_service.domain.session import FRESH, SecondFactorStale, SessionEnded
from identity_service.domain.sign_in import SignInRefused
from identity_service.operations.door import Door, Visitor
from identity_service.operations.enrol import ISSUER
from identity_service.operations.kept_password import show_kept_password
from identity_service.operations.revoke import revoke_person
from identity_service.operations.use_session import OpenSession, forget_sessions
from identity_service.persistence.factors import load_password_hash, save_password_hash
from identity_service.persistence.people import lock_person, save_person


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """The password that there is, and the one that is to be."""

    current: str = field(repr=False)
    wanted: str = field(repr=False)


async def change_password(
    door: Door,
    opened: OpenSession,
    command: ChangePassword,
    visitor: Visitor,
    *,
    origin: Origin,
    breached: Container[str],
) -> OpenSession:
    """The same browser's session, begun anew: every other session and all tokens of the person have ended.

    Raises SecondFactorStale for a second factor of long ago, SignInRefused and SignInLocked for another
    password than the one there is, PasswordRefused, SessionEnded, SignInUnavailable and TooManyPasswords.
    """
    if door.clock.now() - opened.session.second_factor_at > FRESH:
        raise SecondFactorStale
    person, wanted = opened.person, normalised(command.wanted)
    refuse_unfit(wanted, breached=breached, about=(*person.profile.words(), ISSUER))
    current = normalised(command.current)
    shown = await show_kept_password(door, person, current, visitor, step="password")
    if wanted == current:
        raise PasswordRefused("password_unchanged", "is the password that there is already")
    hashed = await door.passwords.hashed(wanted)
    async with door.database.transaction() as connection:
        sealed = await lock_person(connection, door.directory, person.id)
        if sealed is None or sealed.person.state is not PersonState.ACTIVE:
            raise SessionEnded
        # Of two changes at once the second was judged by a password that is none any more.
        if await load_password_hash(connection, person.id) != shown:
            raise SignInRefused
        at = door.clock.now()
        await save_password_hash(connection, person.id, hashed, at=at)
        changed = replace(sealed.person, sessions_since=at, updated_at=at)
        await save_person(connection, changed)
        await revoke_person(connection, door, person.id, author=origin.actor)
        entry = Entry(action="password.changed", subject_type="person", subject=str(person.id))
        await record(connection, origin, entry, at=at)
    await forget_sessions(door, person.id)
    session = opened.session.begun_anew(now=at)
    return OpenSession(session, changed, await door.sessions.begin(session))
