"""Sign in: first the password, which opens a challenge; then a second factor, which opens a session."""

from dataclasses import dataclass, field

from identity_service.domain.password import normalised
from identity_service.domain.person import PersonState
from identity_service.domain.session import Session
from identity_service.domain.sign_in import SignInRefused
from identity_service.operations.door import Door, Visitor, is_totp, note, second_factor_of, spend_code
from identity_service.persistence.challenges import Challenge
from identity_service.persistence.factors import load_password_hash, save_password_hash
from identity_service.persistence.people import find_by_login


@dataclass(frozen=True, slots=True)
class ShowPassword:
    """The first step's command; `email` is canonical."""

    client_id: str
    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ShowSecondFactor:
    """The second step's command; `replaces` opens the session that the browser had until now, if any."""

    challenge: str = field(repr=False)
    code: str = field(repr=False)
    replaces: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Begun:
    """A session, and the text that opens it."""

    session: Session
    text: str = field(repr=False)


async def show_password(door: Door, command: ShowPassword, visitor: Visitor) -> str:
    """The challenge for the second step.

    Who is unknown, invited or disabled costs the same work as who is wrong, and raises the same
    SignInRefused. Raises SignInLocked, SignInUnavailable and TooManyPasswords too.
    """
    login = door.directory.login(command.client_id, command.email)
    counted = f"password:{login}"
    # Counted first: of fifty guesses at once all would else be looked at before the first is counted.
    await door.lock_out.enter(counted, visitor.address, now=door.clock.now())
    async with door.database.snapshot() as connection:
        found = await find_by_login(connection, door.directory, client=command.client_id, login=login)
        person = None if found is None else found.person
        active = person is not None and person.state is PersonState.ACTIVE
        kept = await load_password_hash(connection, person.id) if person is not None and active else None
    password = normalised(command.password)
    right = await door.passwords.verified(kept, password)
    renewed = (
        await door.passwords.hashed(password) if kept and right and door.passwords.outdated(kept) else None
    )
    async with door.database.transaction() as connection:
        known = None if person is None else person.id
        await note(
            connection, door, login=login, person=known, step="password", passed=right, visitor=visitor
        )
        if person is not None and renewed is not None:
            await save_password_hash(connection, person.id, renewed, at=door.clock.now())
    if person is None or not right:
        raise SignInRefused
    await door.lock_out.succeeded(counted, visitor.address)
    return await door.challenges.put(Challenge(person.id, person.client_id, login))


async def show_second_factor(door: Door, command: ShowSecondFactor, visitor: Visitor) -> Begun:
    """A new session, whatever the browser brought along: one that somebody planted there opens nothing.

    Raises SignInRefused, SignInLocked and SignInUnavailable.
    """
    challenge = await door.challenges.find(command.challenge)
    if challenge is None:
        raise SignInRefused
    counted, now = second_factor_of(challenge.person_id), door.clock.now()
    await door.lock_out.enter(counted, visitor.address, now=now)
    async with door.database.transaction() as connection:
        passed = await spend_code(connection, door, challenge.person_id, command.code)
        await note(
            connection,
            door,
            login=challenge.login,
            person=challenge.person_id,
            step="totp" if is_totp(command.code) else "recovery_code",
            passed=passed,
            visitor=visitor,
        )
    if not passed:
        raise SignInRefused
    await door.lock_out.succeeded(counted, visitor.address)
    if not await door.challenges.take(command.challenge):
        raise SignInRefused
    if command.replaces is not None and (old := await door.sessions.find(command.replaces)) is not None:
        await door.sessions.end(old.person_id, old.id)
    session = Session(
        id=door.new_id(),
        person_id=challenge.person_id,
        client_id=challenge.client_id,
        begun_at=now,
        second_factor_at=now,
        seen_at=now,
        address=visitor.address,
        agent=visitor.agent,
    )
    return Begun(session, await door.sessions.begin(session))
